"""Where the samples of a series belong: the same whether its labels were seen before or not."""

import json
from typing import Any

import pytest

from breakeven.adapters.prometheus.answers import Matrix, read
from breakeven.adapters.prometheus.naming import Naming, PodName
from breakeven.adapters.prometheus.promql import (
    Column,
    Gathering,
    Places,
    Readings,
    Target,
    gather,
    readings,
    series_at,
)
from breakeven.domain.counters.vllm_metrics import Series

VLLM = Naming("vllm:", "namespace", "pod")
OTHER = Naming("kserve_vllm:", "namespace", "pod")


def series(pod: str, name: str, *values: str, prefix: str = "vllm:", **labels: str) -> dict[str, Any]:
    own = {"__name__": f"{prefix}{name}", "namespace": "n", "pod": pod, "job": 'a "}},"values":[', **labels}
    return {"metric": own, "values": [[15.0 * i, v] for i, v in enumerate(values)]}


ANSWER = [
    series("a", "generation_tokens_total", "1", "2", engine="0"),
    series("a", "generation_tokens_total", "10", "20", engine="1"),
    series("a", "request_success_total", "3", "NaN", finished_reason="stop"),
    series("a", "kv_cache_usage_perc", "0.5", "0.25", instance="other"),
    series("b", "generation_tokens_total", "7"),
    series("b", "something_else", "7"),
    series("stranger", "generation_tokens_total", "9"),
]


def answer(result: list[Any]) -> Matrix:
    body = {"status": "success", "data": {"resultType": "matrix", "result": result}}
    found = read(json.dumps(body, separators=(",", ":")).encode(), at=1e6)
    assert isinstance(found, Matrix)
    return found


def gathered(result: Any, naming: dict[PodName, Naming], places: Places) -> dict[PodName, dict[Target, Readings]]:
    gathering: Gathering[PodName] = Gathering()
    gather(gathering, result, naming, places)
    return {owner: {t: readings(c) for t, c in targets.items()} for owner, targets in gathering.by_owner.items()}


@pytest.mark.parametrize(
    "naming",
    [
        {("n", "a"): VLLM, ("n", "b"): VLLM},
        {("n", "a"): VLLM},
        {("n", "stranger"): VLLM, ("n", "b"): VLLM},
        {("n", "a"): OTHER, ("n", "b"): VLLM},
        {("n", "a"): OTHER},
    ],
)
def test_series_that_were_seen_before_bring_the_same(naming: dict[PodName, Naming]) -> None:
    places = Places()
    whole = {("n", name): VLLM for name in ("a", "b", "stranger")}
    gathered(answer(ANSWER), whole, places)
    expected = gathered(list(answer(ANSWER)), naming, Places())
    assert repr(gathered(answer(ANSWER), naming, places)) == repr(expected)
    assert repr(gathered(answer(ANSWER), naming, places)) == repr(expected)
    assert gathered(answer(ANSWER), whole, places).keys() == whole.keys()


def test_a_series_without_samples_adds_nothing() -> None:
    empty = series("a", "kv_cache_usage_perc", instance="other")
    naming = {("n", "a"): VLLM}
    for result in (answer([ANSWER[0], empty]), list(answer([ANSWER[0], empty]))):
        found = gathered(result, naming, Places())
        assert [list(readings) for readings in found["n", "a"].values()] == [[0.0, 15.0]]


def test_places_of_pods_that_went_are_forgotten() -> None:
    places = Places()
    gathered(answer(ANSWER), {("n", "a"): VLLM}, places)
    assert len(places.of(VLLM)) == 4
    places.gone(1, 1)
    assert len(places.of(VLLM)) == 4
    places.gone(100, 1)
    assert not places.of(VLLM)


def test_scrape_that_was_read_before_is_taken_apart_again_only_when_it_has_more_series() -> None:
    gathering: Gathering[PodName] = Gathering()
    gather(gathering, answer(ANSWER[:3]), {("n", "a"): VLLM}, Places())
    ((columns,),) = (targets.values() for targets in gathering.by_owner.values())
    seen = series_at(columns)
    assert seen == {0.0: 3, 15.0: 3}
    assert readings(columns, seen) == {}
    assert list(readings(columns, {0.0: 3, 15.0: 2})) == [15.0]
    late = [*columns, columns[0]._replace(times=(15.0, 30.0))]
    assert list(readings(late, seen)) == [15.0, 30.0]


def test_columns_say_the_same_whether_their_times_are_alike_or_not() -> None:
    series_ = [Series("generation_tokens"), Series("num_preemptions", bare=True), Series("request_success", "stop")]
    columns = [Column(s, (1.0, 2.0), (float(i), float("inf"))) for i, s in enumerate(series_)]
    for some in (columns, columns[::2]):
        torn = [*some, Column(Series("prompt_tokens"), (3.0,), (1.0,))]
        assert repr(readings(some)) == repr({at: v for at, v in readings(torn).items() if at < 3.0})
