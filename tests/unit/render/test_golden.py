"""Exact arguments by method, case and release. `python -m tests.support.render_cases` writes them anew."""

import pytest
import yaml
from tests.support.render_cases import GOLDEN, golden, golden_file

from breakeven.api.spec import DraftMethod
from breakeven.render.buckets import CUSTOM_HISTOGRAM_BUCKETS


@pytest.mark.parametrize("method", [None, *DraftMethod])
def test_arguments_are_those_on_record(method: DraftMethod | None) -> None:
    assert golden(method) == yaml.safe_load(golden_file(method).read_text(encoding="utf-8"))


def test_buckets_are_those_on_record() -> None:
    assert (GOLDEN / "buckets.json").read_text(encoding="utf-8").strip() == CUSTOM_HISTOGRAM_BUCKETS
