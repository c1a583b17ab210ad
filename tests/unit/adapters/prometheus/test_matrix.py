"""Answers read one series at a time say the same as whole ones."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.adapters.prometheus.matrix import Matrix

LABELS = st.dictionaries(st.text(max_size=4), st.text(max_size=6), max_size=3)
VALUES = st.lists(st.tuples(st.floats(1, 2e9), st.sampled_from(["1", "NaN", "2.5"])).map(list), min_size=1, max_size=3)
SERIES = st.lists(st.fixed_dictionaries({"metric": LABELS, "values": VALUES}), max_size=4)


def text(result: list[Any], **more: Any) -> str:
    answer = {"status": "success", "data": {"resultType": "matrix", "result": result}} | more
    return json.dumps(answer, separators=(",", ":"), ensure_ascii=False)


def matrix(body: str) -> Matrix:
    found = Matrix.of(body, ValueError)
    assert found is not None
    return found


@given(SERIES)
def test_series_are_those_of_the_answer(series: list[Any]) -> None:
    body = text(series)
    assert list(matrix(body)) == json.loads(body)["data"]["result"]
    assert list(matrix(f"{body}\n")) == series


@pytest.mark.parametrize(
    "body", [text([], warnings=["partial"]), '{"status": "success"}', "<html>", '{"status":"error"}']
)
def test_any_other_answer_is_left_to_be_read_whole(body: str) -> None:
    assert Matrix.of(body, ValueError) is None


@pytest.mark.parametrize(
    "middle", ['{"metric":{}', '{"metric":{}}{"metric":{}}', '{"metric":{}};', "1", '{"metric":{}},']
)
def test_broken_answer_is_an_error(middle: str) -> None:
    body = text([]).replace('"result":[]', f'"result":[{middle}]')
    with pytest.raises(ValueError, match="broken"):
        list(matrix(body))


@given(SERIES)
def test_rows_are_the_same_series_with_their_labels_left_as_written(series: list[Any]) -> None:
    found = matrix(text([{"metric": s["metric"], "values": s["values"]} for s in series]))
    assert [{"metric": found.labels(labels), "values": values} for labels, values in found.rows()] == series


@pytest.mark.parametrize(
    "middle",
    [
        '{"metric":{}',
        '{"metric":{},"values":[]}{"metric":{},"values":[]}',
        '{"metric":{},"values":[]};',
        "1",
        '{"metric":{},"values":[]},',
        '{"values":[],"metric":{}}',
    ],
)
def test_broken_row_is_an_error(middle: str) -> None:
    body = text([]).replace('"result":[]', f'"result":[{middle}]')
    with pytest.raises(ValueError, match="broken"):
        list(matrix(body).rows())


def test_labels_that_are_none_are_an_error() -> None:
    with pytest.raises(ValueError, match="broken"):
        matrix(text([])).labels('{"a":}')
