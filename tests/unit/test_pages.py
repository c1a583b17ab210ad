"""What the pages print and no test can run is at least parsed, and each part of a spec in them is one that renders."""

import re
import shlex
from pathlib import Path

import click
import pytest
import typer
import yaml
from tests.support.commands import ROOT, blocks, commands
from tests.support.refusals import accepted, merged
from typer.testing import CliRunner

from breakeven.cli.kubectl.app import build
from breakeven.cli.main import app
from breakeven.render.denied import check_denied
from breakeven.settings import POD_TEMPLATE_DENY

DOCS = ROOT / "docs"
PAGES = [
    DOCS / name for name in ("tutorial.md", "how-to.md", "troubleshooting.md", "upgrade.md", "uninstall.md", "faq.md")
] + sorted((DOCS / "concepts").glob("*.md"))
NOT_RUN = {
    "make install": "it makes what the tests run in",
    "make demo": "its story has tests of its own",
    "helm install": "it needs an image; tests/e2e/test_chart_installed.py runs it with this checkout as the image",
    "helm test": "the same",
    "breakeven adopt": "it needs a workload of the reader's; tests/e2e/test_adoption.py has one",
    "breakeven plan": "it needs the reader's file",
    "breakeven measure": "it needs two servers on a GPU",
    "kubectl breakeven": "it needs a cluster of the reader's; tests/e2e/test_on_the_day.py has one",
}
"""Blocks marked `sh` are not run, for these reasons. Blocks marked `bash` are, in tests/e2e/test_pages.py."""


def not_run() -> list[str]:
    return sorted({command for page in PAGES for block in blocks(page, "sh") for command in commands(block)})


def test_each_command_that_is_not_run_has_a_reason_and_each_reason_a_command() -> None:
    used = {command: [begin for begin in NOT_RUN if command.startswith(begin)] for command in not_run()}
    assert [command for command, reasons in used.items() if len(reasons) != 1] == []
    assert {reason for reasons in used.values() for reason in reasons} == set(NOT_RUN)


def test_no_command_hides_in_a_block_that_nobody_looks_at() -> None:
    known = {"bash", "sh", "yaml"}
    for page in PAGES:
        assert set(re.findall(r"^ *```(\w+)$", page.read_text(encoding="utf-8"), re.MULTILINE)) <= known, page.name
        assert blocks(page, "") == [], page.name


def parsed(group: click.Command, words: list[str]) -> None:
    """As the command line would take them, without doing anything. Raises click.UsageError."""
    while isinstance(group, click.Group):
        name, *words = words
        group = group.commands[name]
    group.make_context(group.name, words)


def elsewhere() -> list[str]:
    """Commands of ours in the other pages: tests run many of them, and all are parsed."""
    pages = {ROOT / "README.md", *DOCS.rglob("*.md")} - set(PAGES)
    found = {
        c for page in pages for kind in ("", "sh", "bash") for block in blocks(page, kind) for c in commands(block)
    }
    plain = {command.removeprefix("$ ").partition(" # ")[0].strip() for command in found}
    ours = ("breakeven ", "kubectl breakeven ", "helm ", "make ")
    return sorted(command for command in plain if command.startswith(ours) and "…" not in command)


@pytest.mark.parametrize("command", [*not_run(), *elsewhere()])
def test_what_is_not_run_is_parsed(command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (
        "spd.yaml",
        "deployment.yaml",
        "config.json",
        "mine.csv",
        "a.prom",
        "b.prom",
        "mine.jsonl",
        "lab.yaml",
    ):
        (tmp_path / name).touch()
    for name in ("manifests", "benchmarks", "tests"):
        (tmp_path / name).symlink_to(ROOT / name)
    program, *words = shlex.split(re.split(r" [>|&] | && ", command)[0])
    if program == "make":
        assert re.search(rf"^{words[0]}:.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    elif program == "helm":
        assert words[0] in {"install", "upgrade", "uninstall", "template", "test"}
    elif program == "kubectl":
        parsed(typer.main.get_command(build()), words[1:])
    else:
        parsed(typer.main.get_command(app), words)


def fragments() -> list[str]:
    return [block for page in PAGES for block in blocks(page, "yaml")]


@pytest.mark.parametrize("fragment", fragments(), ids=lambda text: text.split("\n")[1].strip()[:40])
def test_a_part_of_a_spec_renders_and_a_strict_operator_takes_it(fragment: str, tmp_path: Path) -> None:
    file = tmp_path / "spd.yaml"
    resource = merged(accepted(), yaml.safe_load(fragment))
    file.write_text(yaml.safe_dump(resource))
    result = CliRunner().invoke(app, ["render", "-f", str(file)])
    assert result.exit_code == 0, result.output
    assert list(check_denied(resource["spec"].get("podTemplate"), POD_TEMPLATE_DENY)) == []
