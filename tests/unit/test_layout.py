"""The repository's own shape."""

from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_operator_folder_is_not_a_package() -> None:
    # operator/__init__.py would shadow the standard library's `operator`.
    assert not (ROOT / "operator" / "__init__.py").exists()
    assert (ROOT / "operator" / "breakeven" / "__init__.py").exists()
