"""The answer to a range selector, one series at a time: ten megabytes of JSON are a hundred as Python objects at once.

Answers are read in pieces only when they begin and end exactly as Prometheus writes them; any other is read whole.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

_BEGIN = '{"status":"success","data":{"resultType":"matrix","result":['
_END = "]}}"
_LABELS, _VALUES = '{"metric":', ',"values":'
_BOUNDARY = f"}}{_VALUES}["
"""Between the labels of a series and its samples. It cannot stand within a label: there a quote has a backslash."""
_DECODE = json.JSONDecoder().raw_decode


class Matrix:
    """Series of a matrix, decoded one after the other each time it is gone through."""

    def __init__(self, text: str, failed: Callable[[str], Exception]) -> None:
        self._text = text
        self._failed = failed

    @classmethod
    def of(cls, text: str, failed: Callable[[str], Exception]) -> "Matrix | None":
        """None when the text is anything else, or says something besides its result, such as warnings.

        failed: makes the error to raise when the text turns out to be broken in the middle.
        """
        text = text.rstrip()
        return cls(text, failed) if text.startswith(_BEGIN) and text.endswith(_END) else None

    def rows(self) -> Iterator[tuple[str, Any]]:
        """The labels of each series as they are written, and its samples: labels are the same in every answer.

        Raises what `failed` makes if anything but series stands there.
        """
        text, at, end = self._text, len(_BEGIN), len(self._text) - len(_END)
        while at < end:
            labels = text.find(_BOUNDARY, at, end) + 1
            if not labels or not text.startswith(_LABELS, at):
                raise self._failed("the answer is broken: something else stands between its series")
            begin = at + len(_LABELS)
            try:
                values, at = _DECODE(text, labels + len(_VALUES))
            except ValueError as error:
                raise self._failed(f"the answer is broken: {error}") from None
            another = text.startswith("},", at) and at + 2 < end
            if not (another or (at + 1 == end and text[at] == "}")):
                raise self._failed("the answer is broken: something else stands between its series")
            yield text[begin:labels], values
            at += 2

    def labels(self, text: str) -> dict[str, str]:
        """Labels as they were written. Raises what `failed` makes if they are none."""
        try:
            found: dict[str, str] = json.loads(text)
        except ValueError as error:
            raise self._failed(f"the answer is broken: {error}") from None
        return found

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The series. Raises what `failed` makes if anything but series stands there."""
        text, at, end = self._text, len(_BEGIN), len(self._text) - len(_END)
        while at < end:
            try:
                series, at = _DECODE(text, at)
            except ValueError as error:
                raise self._failed(f"the answer is broken: {error}") from None
            another = text[at] == "," and at + 1 < end
            if not isinstance(series, dict) or not (another or at == end):
                raise self._failed("the answer is broken: something else stands between its series")
            yield series
            at += 1
