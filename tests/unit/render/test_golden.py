"""Exact arguments by method, case and release. `python -m tests.support.render_cases` writes them anew."""

import json
from decimal import Decimal

import pytest
import yaml
from tests.support.render_cases import GOLDEN, golden, golden_file

from breakeven.api.objective import HistogramBounds
from breakeven.api.spec import DraftMethod
from breakeven.render.buckets import custom_histogram_buckets


@pytest.mark.parametrize("method", [None, *DraftMethod])
def test_arguments_are_those_on_record(method: DraftMethod | None) -> None:
    assert golden(method) == yaml.safe_load(golden_file(method).read_text(encoding="utf-8"))


def test_buckets_are_those_on_record() -> None:
    assert (GOLDEN / "buckets.json").read_text(encoding="utf-8").strip() == custom_histogram_buckets()


def test_the_bounds_of_an_objective_are_among_the_buckets_once_and_in_order() -> None:
    bounds = HistogramBounds(ttft=Decimal("0.5"), tpot=Decimal("0.0464"))
    usual, asked = (json.loads(text) for text in (custom_histogram_buckets(), custom_histogram_buckets(bounds)))
    assert asked["time_to_first_token"] == sorted({*usual["time_to_first_token"], 0.5})
    assert asked["inter_token_latency"] == usual["inter_token_latency"]  # it was there
