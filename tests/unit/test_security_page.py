"""The threat model names tests that exist, one for each threat."""

import ast
import re
from pathlib import Path

from breakeven.settings import POD_TEMPLATE_DENY

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def functions_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}


def threats() -> list[tuple[str, str]]:
    section = PAGE.split("## Threats, and what holds", 1)[1].split("\n## ", 1)[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| ")]
    return [(row[0].strip(), row[1].strip()) for row in rows if not row[0].strip().startswith(("threat", "---"))]


def test_each_threat_names_a_test_that_exists() -> None:
    rows = threats()
    assert len(rows) > 25
    for threat, test in rows:
        named = re.fullmatch(r"`(tests/[\w/]+\.py)::(test_\w+)`", test)
        assert named is not None, threat
        assert named[2] in functions_in(named[1]), f"{threat}: {test}"


def test_the_page_names_every_entry_of_the_strict_list() -> None:
    section = PAGE.split("## What pod templates may not set", 1)[1].split("\n## ", 1)[0]
    assert {entry for entry in POD_TEMPLATE_DENY if f"`{entry}`" not in section} == set()


def test_the_policy_links_to_the_page() -> None:
    assert "(docs/security.md)" in (ROOT / "SECURITY.md").read_text(encoding="utf-8")
