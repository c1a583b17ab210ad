"""The answer to a query, checked once: series with labels and samples. Anything else is a `MetricsError`.

A matrix is gone through as it came, a block of series at a time: ten megabytes of JSON are a hundred as Python objects.
That takes the form in which Prometheus, Thanos, Mimir and VictoriaMetrics write it; any other form is read whole. The
samples of a block are one column of numbers once its punctuation was seen to be exactly that of samples; a block with
any other is decoded series by series, which says what is wrong with it.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from breakeven.adapters.prometheus.errors import FutureSamples, PartialData, QueryFailed

Samples = Sequence[tuple[float, float]]
"""Unix seconds and value, as Prometheus has them."""

TOLERANCE_S = 5.0
"""A sample may be dated so much after the moment that was asked for: clocks of a cluster differ by less."""
WHOLE_BYTES = 16 * 1024 * 1024
"""Largest answer that is read whole: as Python objects it may take twenty times as much."""
_TAIL_BYTES = 1024 * 1024
"""Most that may follow the series: warnings and statistics."""

_HEAD = re.compile(
    rb'\s*\{"status":"success",(?:"isPartial":(?:true|false),)?"data":\{"resultType":"matrix","result":\[(?=\]|\{"metric":\{)'
)
_DECODE = json.JSONDecoder().raw_decode
_NUMBERS = (float, int)
_BLOCK_BYTES = 1024 * 1024
"""What is turned into numbers at a time."""
_PUNCTUATION = bytes(c for c in range(256) if c not in b"0123456789.eE+-NaInf")
_NO_PUNCTUATION = bytes(c for c in range(256) if c not in _PUNCTUATION)
_LABELS, _VALUES = b'{"metric":', b'},"values":['
"""`_VALUES` stands between the labels of a series and its samples. It cannot stand within a label: there a quote has a
backslash."""


class RawSeries(NamedTuple):
    """One series of a result."""

    metric: Mapping[str, str]
    """Its labels, `__name__` among them."""
    values: Samples
    """In order of time; one of an instant vector."""


class Row(NamedTuple):
    """One series of a matrix."""

    labels: bytes
    """As they are written."""
    times: tuple[float, ...]
    values: tuple[float, ...]


Result = Iterable[RawSeries]


class Matrix:
    """A matrix as it came: its series are decoded one after the other while it is gone through.

    Going through it raises QueryFailed, PartialData or FutureSamples, at its very end at the latest.
    """

    def __init__(self, body: bytes | bytearray, begin: int, latest: float) -> None:
        self._body = body
        self._begin = begin
        self._latest = latest

    def rows(self) -> Iterator["Row"]:
        """The labels of each series as they are written, since they are the same in every answer, and its samples."""
        at = self._begin
        if self._body.startswith(b"]", at):
            self._end(at)
            return
        while (block := self._block(at)) is not None:
            rows, at = block
            yield from rows
            if self._body.startswith(b"]", at):
                self._end(at)
                return
        yield from self._one_by_one(at)

    def _block(self, at: int) -> tuple[Iterable["Row"], int] | None:
        """The series of about a mebibyte, and where they end; None when their form is not the usual one."""
        body = self._body
        stop = body.find(b"," + _LABELS, at + _BLOCK_BYTES) + 1
        first, *rows = bytes(body[at : stop or len(body)]).split(_LABELS)
        if first or not rows:
            return None
        if not stop:  # the last series ends somewhere in what is left
            close = rows[-1].find(b'"]]}') + 4
            stop = len(body) - len(rows[-1]) + close
            rows[-1] = rows[-1][:close] + b","
        parts = [row.partition(_VALUES + b"[") for row in rows]
        if not all(samples.endswith(b'"]]},') for _, _, samples in parts):
            return None
        texts = [samples[:-5] for _, _, samples in parts]
        columns = _columns(b'"],['.join(texts), self._latest)
        if columns is None:
            return None
        ends = [0]
        for text in texts:
            ends.append(ends[-1] + text.count(b'"],[') + 1)
        times, values = columns
        return (
            Row(labels + b"}", times[begin:end], values[begin:end])
            for (labels, _, _), begin, end in zip(parts, ends, ends[1:], strict=False)
        ), stop

    def _one_by_one(self, at: int) -> Iterator["Row"]:
        """The series from here on, each checked by itself."""
        body = self._body
        while True:
            labels = body.find(_VALUES, at) + 1
            if not labels or not body.startswith(_LABELS, at):
                raise _broken("something else stands between its series")
            begin = labels - 1 + len(_VALUES)
            end = begin + 1 if body.startswith(b"]", begin) else body.find(b"]]", begin) + 2
            if end < begin or not body.startswith(b"}", end):
                raise _broken("a series does not end with its samples")
            samples = _samples_in(body[begin - 1 : end], self._latest)
            times, values = zip(*samples, strict=True) if samples else ((), ())
            yield Row(bytes(body[at + len(_LABELS) : labels]), times, values)
            at = end + 2
            if body.startswith(b"]", end + 1):
                self._end(end + 1)
                return
            if not body.startswith(b",", end + 1):
                raise _broken("something else stands between its series")

    def __iter__(self) -> Iterator[RawSeries]:
        """The series."""
        return (RawSeries(labels_of(row.labels), list(zip(row.times, row.values, strict=True))) for row in self.rows())

    def _end(self, at: int) -> None:
        """What follows the series says whether they are all that there is."""
        if len(self._body) - at > _TAIL_BYTES:
            raise _broken("too much follows its series")
        _check(_decoded(self._body[: self._begin] + self._body[at:]))


def read(body: bytes | bytearray, *, at: float, whole_bytes: int = WHOLE_BYTES) -> Result:
    """The result in the body of an answer with status 200 to a query about the time `at`.

    Raises
    ------
    QueryFailed, PartialData, FutureSamples
        At once, or while the series of a matrix are gone through.
    """
    latest = at + TOLERANCE_S
    head = _HEAD.match(body)
    if head is not None:
        return Matrix(body, head.end(), latest)
    if len(body) > whole_bytes:
        raise QueryFailed(f"the answer has an unusual form and more than {whole_bytes >> 20} MiB")
    return [_series(raw, latest) for raw in _check(_decoded(body))]


def _columns(text: bytes, latest: float) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Times and values of the samples in `time,"value"],[time,"value` …; None when it is anything else."""
    marked = text.replace(b'"],[', b";").replace(b',"', b":")
    count = marked.count(b":")
    if marked.translate(None, _NO_PUNCTUATION) != b":;" * (count - 1) + b":":
        return None
    try:
        numbers = tuple(map(float, marked.replace(b";", b":").split(b":")))
    except ValueError:
        return None
    times, values = numbers[::2], numbers[1::2]
    total = sum(times)  # differs from itself when a time is no number
    return (times, values) if total == total and min(times) >= 0 and max(times) <= latest else None


def labels_of(text: bytes) -> dict[str, str]:
    """Labels as they were written. Raises QueryFailed if they are none."""
    return _labels(_decoded(text))


def _decoded(text: bytes | bytearray) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise QueryFailed("the answer is not JSON; is this the address of a Prometheus?") from None


def _check(envelope: Any) -> list[Any]:
    """The series in an answer that was successful and is complete."""
    if not isinstance(envelope, dict) or envelope.get("status") != "success":
        raise QueryFailed("the answer is not a Prometheus result; is this the address of a Prometheus?")
    data = envelope.get("data")
    result = data.get("result") if isinstance(data, dict) else None
    if not isinstance(result, list):
        raise QueryFailed("the answer carries no result; is this the address of a Prometheus?")
    warnings = envelope.get("warnings")
    if warnings:
        texts = warnings if isinstance(warnings, list) else [warnings]
        raise PartialData(f"the answer is incomplete: {'; '.join(str(w)[:300] for w in texts[:3])[:300]}")
    if envelope.get("isPartial"):  # VictoriaMetrics: a storage node did not answer
        raise PartialData("the answer is incomplete: isPartial is set, so a storage node is away")
    return result


def _series(raw: Any, latest: float) -> RawSeries:
    if not isinstance(raw, dict):
        raise _broken("a series is not an object")
    values = [raw["value"]] if "value" in raw else raw.get("values")
    return RawSeries(_labels(raw.get("metric")), _samples(values, latest))


def _labels(found: Any) -> dict[str, str]:
    if not isinstance(found, dict) or not all(isinstance(v, str) for v in found.values()):
        raise _broken("the labels of a series are not texts")
    return found


def _samples_in(text: bytes | bytearray, latest: float) -> Samples:
    """Samples as they were written: at once when they are as they should be, else with the check that says why not."""
    try:
        values, end = _DECODE(text.decode("ascii"))
        if end == len(text):
            samples = []
            for moment, value in values:
                if moment.__class__ not in _NUMBERS or value.__class__ is not str or not 0 <= moment <= latest:
                    break
                samples.append((moment, float(value)))
            else:
                return samples
    except (ValueError, TypeError, RecursionError):
        pass
    return _samples(_decoded(text), latest)


def _samples(values: Any, latest: float) -> Samples:
    if not isinstance(values, list):
        raise _broken("a series has no samples")
    samples = []
    for pair in values:
        if not isinstance(pair, list) or len(pair) != 2:
            raise _broken("a sample is not a time and a value")
        time, text = pair
        if type(time) not in (int, float) or not isinstance(text, str):
            raise _broken("a sample is not a number and a text")
        try:
            moment, value = float(time), float(text)
        except (ValueError, OverflowError):
            raise _broken("the value of a sample is not a number") from None
        if not moment >= 0:
            raise _broken("a sample has no time")
        if moment > latest:
            raise FutureSamples(
                f"a sample is dated {moment - latest + TOLERANCE_S:.0f} s after the time that was asked for; "
                "the clock of the operator, of Prometheus or of an engine is wrong"
            )
        samples.append((moment, value))
    return samples


def _broken(why: str) -> QueryFailed:
    return QueryFailed(f"the answer is broken: {why}")
