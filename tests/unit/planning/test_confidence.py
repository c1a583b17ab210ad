"""Intervals and verdicts: wide where little is known, and as often right as they say."""

import importlib.util
import math
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.planning.test_scoring import case

from breakeven.planning.confidence import (
    COVERAGE,
    PUBLISHED,
    RIGHT,
    Calibration,
    Interval,
    Kind,
    Spread,
    Verdict,
    spread_from,
)
from breakeven.planning.scoring.predict import predict
from breakeven.planning.scoring.score import Scored
from breakeven.planning.scoring.trust import calibrate, left_out_by_source, trust

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@cache
def held_out() -> tuple[Scored, ...]:
    """The published rows, each predicted with constants fitted without its source."""
    spec = importlib.util.spec_from_file_location("benchmarks_cases", BENCHMARKS / "cases.py")
    assert spec is not None and spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    cases, _ = module.read_file(module.PACKAGED)
    found: tuple[Scored, ...] = module.cross_validated(cases).rows
    return found


def test_the_packaged_calibration_is_what_the_published_rows_give() -> None:
    found = calibrate(held_out())
    assert found.assumed == pytest.approx(PUBLISHED.assumed, abs=0.001)
    for kind, spread in PUBLISHED.spreads.items():
        assert found.spreads[kind].sigma == pytest.approx(spread.sigma, abs=0.001), kind
        assert found.spreads[kind].sources == spread.sources


def test_left_out_by_source_it_is_as_often_right_as_it_says() -> None:
    everything = trust(left_out_by_source(held_out()))[0]
    assert everything.inside / everything.rows >= COVERAGE
    for verdict in (Verdict.PAYS, Verdict.DOES_NOT):
        assert everything.said[verdict] >= 4
        assert everything.right[verdict] / everything.said[verdict] >= RIGHT


def test_a_verdict_is_likely_only_where_the_whole_interval_lies_on_one_side() -> None:
    assert Interval(low=1.01, high=2.0, kind=Kind.DENSE).verdict is Verdict.PAYS
    assert Interval(low=0.99, high=2.0, kind=Kind.DENSE).verdict is Verdict.UNSURE
    assert Interval(low=0.5, high=0.99, kind=Kind.DENSE).verdict is Verdict.DOES_NOT


def test_nothing_unlike_what_was_fitted_is_ever_called_likely_to_pay() -> None:
    assert Interval(low=1.5, high=6.0, kind=Kind.OTHER).verdict is Verdict.UNSURE
    assert Interval(low=0.1, high=0.9, kind=Kind.OTHER).verdict is Verdict.DOES_NOT


@given(sigma=st.floats(0.01, 1.0), sources=st.integers(2, 9), more=st.floats(0.0, 1.0))
def test_fewer_sources_and_further_errors_widen_the_interval(sigma: float, sources: int, more: float) -> None:
    spread = Spread(sigma=sigma, sources=sources)
    assert spread.reach() >= Spread(sigma=sigma, sources=sources + 1).reach() > 0.0
    assert math.isinf(Spread(sigma=sigma, sources=1).reach())
    made = Calibration(spreads={Kind.DENSE: spread}, assumed=more)
    given, assumed = (made.interval(1.5, Kind.DENSE, assumed=guess) for guess in (False, True))
    assert assumed.low <= given.low < 1.5 < given.high <= assumed.high


def test_a_source_counts_once_however_many_rows_it_has() -> None:
    many = spread_from([("a", 0.1)] * 99 + [("b", 0.7)])
    assert many.sigma == pytest.approx(math.sqrt((0.01 + 0.49) / 2)) and many.sources == 2


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ({}, Kind.DENSE),
        ({"target": "gpt-oss-120b", "target_params_b": "117"}, Kind.SPARSE),
        ({"engine": "vLLM 0.6.3"}, Kind.OLD),
        ({"engine": "vLLM 0.26.0"}, Kind.ASYNC),
        ({"engine": "vLLM 0.33.0"}, Kind.ASYNC),
        ({"engine": "vLLM 0.33.0", "method": "draft_model", "draft": "Llama-3.2-1B"}, Kind.OTHER),
        ({"engine": "SGLang 0.5.9"}, Kind.OTHER),
        ({"engine": "llama.cpp"}, Kind.OTHER),
        ({"target": "Qwen3.5-0.8B", "target_params_b": "0.8", "method": "mtp"}, Kind.OTHER),
        ({"target": "Qwen3-Next-80B-A3B", "target_params_b": "80", "method": "mtp"}, Kind.OTHER),
        ({"target": "Qwen3-8B", "target_params_b": "8.2"}, Kind.DENSE),
        ({"target": "Foo-1B", "target_params_b": "1"}, Kind.OTHER),
        ({"target_dtype": "awq"}, Kind.OTHER),
        ({"hardware": "RTX 4090"}, Kind.OTHER),
        ({"hardware": ""}, Kind.OTHER),
        ({"method": "eagle3-tree", "k": "21"}, Kind.OTHER),
        ({"method": "dflash"}, Kind.OTHER),
        ({"load_kind": "qps"}, Kind.OTHER),
        ({"load_value": "high"}, Kind.OTHER),
    ],
)
def test_what_a_row_has_in_common_with_those_fitted_decides_its_kind(cells: dict[str, str], kind: Kind) -> None:
    guess = predict(case(**cells))
    assert guess is not None and guess.kind is kind


def test_experts_read_grow_with_the_tokens_verified_and_less_than_one_for_one() -> None:
    def inflation(batch: str, k: str) -> float:
        row = case(target="gpt-oss-120b", target_params_b="117", target_dtype="mxfp4", load_value=batch, k=k)
        guess = predict(row)
        assert guess is not None
        return guess.inflation

    assert 1.6 < inflation("8", "3") < 2.6
    assert 1.7 < inflation("64", "3") < 2.3
    assert inflation("8", "7") > inflation("8", "3") > inflation("8", "1")
