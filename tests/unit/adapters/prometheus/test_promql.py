"""Where the samples of a series belong: the same whether its labels were seen before or not."""

import json
from typing import Any

import pytest

from breakeven.adapters.prometheus.answers import Matrix, read
from breakeven.adapters.prometheus.naming import Naming, PodName
from breakeven.adapters.prometheus.promql import Gathering, Places, Readings, Target, gather

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
    return gathering.by_owner


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
