"""The repository's own shape: what the documents say of it, what the contracts hold, and what is there."""

import ast
import configparser
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "operator" / "breakeven"
LONGEST_FILE = 400
LONGEST_FUNCTION = 60
SOURCES = sorted(PACKAGE.rglob("*.py"))


def modules(folder: Path) -> set[str]:
    packages = {path.parent.name for path in folder.glob("*/__init__.py")}
    return packages | {path.stem for path in folder.glob("*.py") if path.stem != "__init__"}


def layers(contract: str) -> list[str]:
    parser = configparser.ConfigParser()
    parser.read(ROOT / ".importlinter", encoding="utf-8")
    lines = parser[f"importlinter:contract:{contract}"]["layers"].strip().splitlines()
    return [name.strip() for line in lines for name in line.split("|")]


def table(heading: str) -> list[str]:
    """First column of the first table below a heading of architecture.md."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = text.split(f"{heading}\n", 1)[1].split("\n#", 1)[0]
    return re.findall(r"^\| `([a-z_]+)` \|", section, re.MULTILINE)


def test_operator_folder_is_not_a_package() -> None:
    # operator/__init__.py would shadow the standard library's `operator`.
    assert not (ROOT / "operator" / "__init__.py").exists()
    assert (PACKAGE / "__init__.py").exists()


@pytest.mark.parametrize(
    ("contract", "heading", "folder"),
    [("rooms", "## Rooms", PACKAGE), ("domain", "### Inside `domain`", PACKAGE / "domain")],
)
def test_the_table_of_rooms_is_the_tree_and_the_contract(contract: str, heading: str, folder: Path) -> None:
    held = layers(contract)
    assert set(held) == modules(folder)
    assert table(heading) == [name for name in held if name != "__main__"]


def test_places_that_documents_name_are_there() -> None:
    pages = [*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")]
    named = {
        (page.name, place)
        for page in pages
        if page.name != "CHANGELOG.md"
        for place in re.findall(r"`([a-z_]+(?:/[a-z_]+)+\.py)`", page.read_text("utf-8"))
    }
    assert named
    roots = (ROOT, PACKAGE, ROOT / "benchmarks")
    assert [x for x in sorted(named) if not any((root / x[1]).exists() for root in roots)] == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_is_one_idea(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= LONGEST_FILE
    assert [name for name, length in functions(text) if length > LONGEST_FUNCTION] == []


def functions(text: str) -> Iterator[tuple[str, int]]:
    """Each function with the lines of its body; a docstring and declared options do not count."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            first = body[0].lineno if body else node.lineno
            yield node.name, (node.end_lineno or first) - first + 1
