"""Durations, decimals and times as the wire carries them."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from breakeven.api.scalars import (
    DECIMAL_PATTERN,
    DURATION_LENGTH,
    DURATION_PATTERN,
    DecimalString,
    Time,
    format_duration,
    parse_decimal,
    parse_duration,
)

DECIMALS: TypeAdapter[Decimal] = TypeAdapter(DecimalString)
TIMES: TypeAdapter[datetime] = TypeAdapter(Time)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("1h30m", 5400), ("1.5h", 5400), ("250ms", 0.25), ("0s", 0), ("86400s", 86400)]
)
def test_durations_are_read_as_go_reads_them(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "10", "10 minutes", "-5m", "1d", "PT30S", "5m\n", "9999999h", "1s" * 11, 5, None])
def test_what_is_no_duration_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="write for example"):
        parse_duration(text)


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=3650)))
def test_a_written_duration_fits_the_schema_and_reads_back(value: timedelta) -> None:
    text = format_duration(value)
    assert re.fullmatch(DURATION_PATTERN, text)
    assert len(text) <= DURATION_LENGTH
    assert abs(parse_duration(text) - value) <= timedelta(microseconds=500)


@given(st.floats(min_value=-999_999_999, max_value=999_999_999))
def test_a_computed_figure_is_written_as_the_schema_wants_it_and_reads_back(value: float) -> None:
    number = DECIMALS.validate_python(value)
    text = DECIMALS.dump_python(number)
    assert re.fullmatch(DECIMAL_PATTERN, text)
    assert len(text) <= 24
    assert DECIMALS.validate_python(text) == number
    assert abs(number - Decimal(repr(value))) <= Decimal("1e-9")


@pytest.mark.parametrize("value", ["", "1,05", "high", "1e3", "NaN", "1.", " 1", float("nan"), float("inf"), 1e9])
def test_what_is_no_decimal_number_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="number"):
        parse_decimal(value)


def test_times_are_utc_and_need_a_zone() -> None:
    assert TIMES.dump_python(TIMES.validate_python("2026-01-01T13:00:00+01:00")) == "2026-01-01T12:00:00Z"
    assert TIMES.validate_python(datetime(2026, 1, 1, tzinfo=UTC)) == datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="no time zone"):
        TIMES.validate_python("2026-01-01T13:00:00")
