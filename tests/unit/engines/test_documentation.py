"""docs/engines.md says what the table says."""

from pathlib import Path

import pytest

from breakeven.api.spec import DraftMethod
from breakeven.engines import load

PAGE = (Path(__file__).parents[3] / "docs" / "engines.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("method", list(DraftMethod))
def test_the_page_names_the_releases_of_each_method(method: DraftMethod) -> None:
    versions = load().newest.versions(lambda engine: engine.supports(method))

    assert f"| `{method.value}` | {versions} |" in PAGE


def test_the_page_counts_the_releases() -> None:
    releases = load().releases

    assert f"{len(releases)} releases from {releases[0]} to {releases[-1]}" in PAGE


@pytest.mark.parametrize("name", load().draft_keys)
def test_the_page_names_the_releases_of_each_key_without_a_field(name: str) -> None:
    versions = load().newest.versions(lambda engine: engine.speaks_json and engine.draft_key(name) is not None)

    assert f"| `{name}` | {versions} |" in PAGE
