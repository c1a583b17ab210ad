"""Constrained strings of the resource: durations, decimals and times as Kubernetes writes them."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from breakeven.api.text import LONGEST, plain

DURATION_PATTERN = r"^([0-9]{1,6}(\.[0-9]{1,3})?(ms|s|m|h))+$"
"""Go's durations, short enough that none of 20 characters overflows Go's 292 years."""
DURATION_LENGTH = 20
DECIMAL_PATTERN = r"^-?[0-9]{1,9}(\.[0-9]{1,9})?$"
_FINEST = Decimal("1e-9")

_UNIT = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")


def parse_duration(value: Any) -> timedelta:
    """Read a Go-style duration (`90s`, `1h30m`, `250ms`).

    Raises
    ------
    ValueError
        If the text is not such a duration.
    """
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str) or len(value) > DURATION_LENGTH or not re.fullmatch(DURATION_PATTERN, value):
        raise ValueError(f"{value!r} is not a duration; write for example 90s, 10m or 1h30m")
    return sum((float(n) * _UNIT[u] for n, u in _PART.findall(value)), timedelta())


def format_duration(value: timedelta) -> str:
    """Write a duration in the largest units that keep it exact to the millisecond: `1h30m`, `90s` as `1m30s`."""
    ms = round(value / timedelta(milliseconds=1))
    if ms == 0:
        return "0s"
    parts = []
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, ms = divmod(ms, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


def parse_decimal(value: Any) -> Decimal:
    """Read a decimal number; the API carries it as a string because Kubernetes forbids floats.

    Numbers computed here are rounded to the nine digits that the API carries, so that writing and reading back changes
    nothing.

    Raises
    ------
    ValueError
        If it is no finite number of at most nine digits before the point.
    """
    if isinstance(value, str) and not re.fullmatch(DECIMAL_PATTERN, value):
        raise ValueError(f'{value!r} is not a decimal number; write for example "1.05"')
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f'{value!r} is not a decimal number; write for example "1.05"') from None
    if not number.is_finite() or abs(number) >= 1_000_000_000:
        raise ValueError(f"{value!r} is not a finite number below 1000000000")
    return number.quantize(_FINEST).normalize() if number.as_tuple().exponent < -9 else number  # type: ignore[operator] # finite


def format_decimal(value: Decimal) -> str:
    """Write a decimal number without an exponent."""
    return format(value, "f")


def parse_time(value: Any) -> datetime:
    """Read an RFC 3339 time into an aware UTC datetime.

    Raises
    ------
    ValueError
        If it is no such time, or none with which a century can still be added and subtracted.
    """
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    if moment.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone")
    if not 1969 <= moment.year <= 2199:  # 1969: local times of the epoch's first hours
        raise ValueError(f"{value!r} is not a time from 1970 to 2199")
    return moment.astimezone(UTC)


def format_time(value: datetime) -> str:
    """Write a time as RFC 3339 in UTC, with milliseconds only where there are some."""
    utc = value.astimezone(UTC)
    text = utc.isoformat(timespec="milliseconds" if utc.microsecond else "seconds")
    return text.replace("+00:00", "Z")


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN, "maxLength": DURATION_LENGTH}),
]
DecimalString = Annotated[
    Decimal,
    BeforeValidator(parse_decimal),
    PlainSerializer(format_decimal, return_type=str),
    WithJsonSchema({"type": "string", "pattern": DECIMAL_PATTERN, "maxLength": 24}),
]
Positive = Annotated[DecimalString, Field(gt=0)]
NotNegative = Annotated[DecimalString, Field(ge=0)]
Count = Annotated[int, Field(ge=0, le=10**15)]
"""A number of things, and a generation: what Kubernetes' JSON numbers hold exactly."""
Sum = Annotated[int, Field(ge=-(10**15), le=10**15)]
"""A number of tokens gained or lost."""
Time = Annotated[
    datetime,
    BeforeValidator(parse_time),
    PlainSerializer(format_time, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


def one_line(value: Any) -> Any:
    """A text in one printable line; anything else as it is, for the validation to refuse."""
    return plain(value) if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(one_line), Field(max_length=LONGEST)]
"""A message: one printable line, whoever wrote it."""
