"""Answers: read one series at a time they say the same as whole, and anything but a result is one kind of error."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.adapters.prometheus.answers import Matrix, RawSeries, read
from breakeven.adapters.prometheus.errors import FutureSamples, MetricsError, PartialData, QueryFailed

NOW = 2e9
LABELS = st.dictionaries(st.text(max_size=4), st.text(max_size=6), max_size=3)
VALUES = st.lists(st.tuples(st.floats(1, NOW), st.sampled_from(["1", "+Inf", "2.5"])).map(list), max_size=3)
SERIES = st.lists(st.builds(lambda m, v: {"metric": m, "values": v}, LABELS, VALUES), max_size=4)
ONE = {"metric": {"__name__": "x", "pod": 'a "}},"values":['}, "values": [[1.5, "2"], [3, "4"]]}


def body(result: list[Any], **more: Any) -> bytes:
    answer = {"status": "success", **more, "data": {"resultType": "matrix", "result": result}}
    return json.dumps(answer, separators=(",", ":"), ensure_ascii=False).encode()


def matrix(text: bytes) -> Matrix:
    found = read(text, at=NOW)
    assert isinstance(found, Matrix)
    return found


def wanted(result: list[Any]) -> list[RawSeries]:
    return [RawSeries(s["metric"], [(float(t), float(v)) for t, v in s["values"]]) for s in result]


@given(SERIES)
def test_series_read_one_by_one_are_those_of_the_whole(result: list[Any]) -> None:
    text = body(result)
    for form in (text, text + b"\n", bytearray(text), text[:-1] + b',"stats":{"seriesFetched":"1"}}'):
        found = read(form, at=NOW)
        assert isinstance(found, Matrix)
        assert list(found) == wanted(result)
    assert read(json.dumps(json.loads(text), indent=1).encode(), at=NOW) == wanted(result)


def test_the_order_of_what_a_server_writes_does_not_matter() -> None:
    turned = {"values": ONE["values"], "metric": ONE["metric"]}
    assert list(read(body([turned, ONE]), at=NOW)) == wanted([turned, ONE])


def test_a_vector_is_series_with_one_sample() -> None:
    vector = [{"metric": {"__name__": "x"}, "value": [1.5, "2"]}]
    assert read(body(vector).replace(b"matrix", b"vector"), at=NOW) == [RawSeries({"__name__": "x"}, [(1.5, 2.0)])]


@pytest.mark.parametrize(
    "text",
    [
        body([ONE], warnings=["store gateway unavailable"]),
        body([ONE])[:-1] + b',"warnings":["store gateway unavailable"]}',
        body([ONE], isPartial=True),
        body([])[:-1] + b',"isPartial":true}',
        json.dumps({"status": "success", "isPartial": True, "data": {"result": []}}).encode(),
    ],
)
def test_an_answer_that_is_called_incomplete_is_partial_wherever_it_says_so(text: bytes) -> None:
    with pytest.raises(PartialData):
        list(read(text, at=NOW))


def test_victoria_metrics_says_that_an_answer_is_complete() -> None:
    assert next(iter(read(body([ONE], isPartial=False), at=NOW))).metric["pod"] == 'a "}},"values":['


WRONG_SERIES: list[Any] = [
    "x",
    None,
    5,
    [],
    {},
    {"metric": {}},
    {"metric": None, "values": []},
    {"metric": {"a": 1}, "values": []},
    {"metric": {}, "values": None},
    {"metric": {}, "values": "abc"},
    {"metric": {}, "values": ["abc"]},
    {"metric": {}, "values": [["1", "2"]]},
    {"metric": {}, "values": [[1, 2]]},
    {"metric": {}, "values": [[True, "2"]]},
    {"metric": {}, "values": [[1, "2", 3]]},
    {"metric": {}, "values": [[1, "two"]]},
    {"metric": {}, "values": [[-1, "2"]]},
    {"metric": {}, "values": [[float("nan"), "2"]]},
    {"metric": {}, "value": None},
    {"metric": {}, "value": [1, None]},
    {"values": [[1, "2"]], "metric": []},
]


@pytest.mark.parametrize("form", ["compact", "spaced"])
@pytest.mark.parametrize("wrong", WRONG_SERIES, ids=str)
def test_a_series_of_the_wrong_shape_is_a_failed_query(wrong: Any, form: str) -> None:
    text = body([wrong, ONE])
    with pytest.raises(QueryFailed):
        list(read(text if form == "compact" else text.replace(b":", b": ", 1), at=NOW))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"<html>Please log in</html>",
        b"[]",
        b"null",
        b"7",
        b"\xff\xfe",
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b'{"status":"success"}',
        b'{"status":"success","data":{}}',
        b'{"status":"success","data":{"result":{}}}',
        b'{"status":"error","error":"x"}',
        body([])[:-2],
        body([])[:-1] + b',"warnings":' + b"[" * 200_000,
        body([ONE])[:-4] + b";" + body([ONE])[-3:],
        body([ONE]).replace(b'"values":[', b'"values":[' + b"[" * 100_000),
    ],
    ids=lambda text: repr(text[:60]),
)
def test_anything_else_is_a_failed_query(text: bytes) -> None:
    with pytest.raises(QueryFailed):
        list(read(text, at=NOW))


@pytest.mark.parametrize("at", [1e15, NOW + 3600, NOW + 6, float("inf"), 10**400])
def test_samples_after_the_time_that_was_asked_for_are_no_evidence(at: float) -> None:
    for text in (body([{"metric": {}, "values": [[at, "1"]]}]), body([{"metric": {}, "value": [at, "1"]}])):
        with pytest.raises(MetricsError) as caught:
            list(read(text, at=NOW))
        assert isinstance(caught.value, FutureSamples | QueryFailed)


def test_clocks_may_differ_by_a_little() -> None:
    assert list(read(body([{"metric": {}, "values": [[NOW + 2, "1"]]}]), at=NOW))


def test_an_unusual_form_is_read_up_to_a_size() -> None:
    text = json.dumps(json.loads(body([ONE]))).encode()
    with pytest.raises(QueryFailed, match="unusual form"):
        read(text, at=NOW, whole_bytes=len(text) - 1)
    assert read(text, at=NOW, whole_bytes=len(text))


def test_an_answer_of_many_blocks_is_read_whole_and_its_end_counts() -> None:
    many = [{"metric": {"__name__": f"x{i}"}, "values": [[i, "1"], [i + 1, "NaN"]]} for i in range(60_000)]
    rows = [(row.labels, row.times) for row in matrix(body(many)).rows()]
    assert rows == [(f'{{"__name__":"x{i}"}}'.encode(), (i, i + 1)) for i in range(60_000)]
    with pytest.raises(PartialData):
        list(matrix(body(many)[:-1] + b',"warnings":["store gateway unavailable"]}').rows())
    with pytest.raises(QueryFailed):
        list(matrix(body([*many, {"metric": {}, "values": [[1, "two"]]}])).rows())


@pytest.mark.parametrize(
    "samples",
    [b'[[1,"2,"3"],[4"],[5,"6"]]', b'[[1,2"3"]]', b'[[1"],[2,"3"]]', b'[[,"3"]]', b'[[NaN,"3"]]', b'[["1","3"]]'],
)
def test_punctuation_in_the_wrong_places_is_a_failed_query(samples: bytes) -> None:
    text = body([ONE, {"metric": {}, "values": []}]).replace(b'"values":[]', b'"values":' + samples)
    with pytest.raises(QueryFailed):
        list(read(text, at=NOW))
