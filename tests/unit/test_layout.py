"""The repository's own shape: what the documents say of it, what the contracts hold, and what is there."""

import configparser
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "operator" / "breakeven"


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
