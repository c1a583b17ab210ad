"""What `breakeven lab` says without a lab."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from breakeven.cli.lab import _settings, app


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["up", "--node", "x"], 2, "NAME=PRODUCT:GPUS"),
        (["up", "--image", "x"], 2, "PATTERN=COMMAND"),
        (["up", "--name", "Not A Name"], 2, "name:"),
        (["up", "--settings", "none.yaml"], 2, "--settings none.yaml"),
        (["up", "--scrape-interval", "-1"], 2, "scrape_interval_seconds"),
        (["kubeconfig"], 1, "breakeven lab up"),
        (["logs", "etcd"], 1, "the lab never ran"),
        (["down"], 0, "was not up"),
        (["status"], 0, "no lab"),
        (["status", "--name", "../x"], 2, "--name"),
    ],
)
def test_messages_name_the_option_or_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, message: str
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == code
    assert message in result.stderr


def test_a_settings_file_names_the_lab_and_an_option_wins(tmp_path: Path) -> None:
    (tmp_path / "lab.yaml").write_text("name: mine\nscrape_interval_seconds: 3\n")
    assert _settings(tmp_path / "lab.yaml", {}).name == "mine"
    assert _settings(tmp_path / "lab.yaml", {}).scrape_interval_seconds == 3
    assert _settings(tmp_path / "lab.yaml", {"name": "other"}).name == "other"


def test_a_program_of_the_settings_is_found_from_their_folder(tmp_path: Path) -> None:
    (tmp_path / "lab.yaml").write_text(
        "images: [{pattern: a, command: [./run, '{args}']}, {pattern: b, command: ['{python}', -m, x]}]\n"
    )
    commands = [image.command for image in _settings(tmp_path / "lab.yaml", {}).images]
    assert commands == [(str(tmp_path / "run"), "{args}"), ("{python}", "-m", "x")]


def test_the_example_of_the_page_is_a_settings_file(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "lab.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "lab.yaml").write_text(example)
    settings = _settings(tmp_path / "lab.yaml", {})
    assert [node.name for node in settings.nodes] == ["h100", "h200", "cpu"]


def test_a_settings_file_that_names_an_unknown_field_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lab.yaml").write_text("nodes: [{name: a, gpu: 8}]\n")
    result = CliRunner().invoke(app, ["up", "--settings", str(tmp_path / "lab.yaml")])
    assert result.exit_code == 2
    assert "nodes.0.gpu" in result.stderr
