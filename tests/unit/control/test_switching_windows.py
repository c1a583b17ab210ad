"""Switching windows."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from breakeven.api.spec import SwitchingWindow
from breakeven.control.switching_windows import window_open

SUNDAY = datetime(2026, 11, 22, tzinfo=UTC)


def at(day: int, clock: str) -> datetime:
    hour, minute = clock.split(":")
    return SUNDAY + timedelta(days=day, hours=int(hour), minutes=int(minute))


def test_no_window_means_always() -> None:
    assert window_open([], SUNDAY)


@pytest.mark.parametrize(
    ("day", "clock", "is_open"),
    [(0, "01:59", False), (0, "02:00", True), (0, "03:59", True), (0, "04:00", False), (1, "03:00", False)],
)
def test_window_within_a_day(day: int, clock: str, is_open: bool) -> None:
    assert window_open([SwitchingWindow(days=["Sun"], start="02:00", end="04:00")], at(day, clock)) is is_open


@pytest.mark.parametrize(
    ("day", "clock", "is_open"),
    [(0, "22:30", True), (1, "03:59", True), (1, "04:00", False), (0, "03:00", False), (1, "23:00", False)],
)
def test_window_past_midnight_belongs_to_the_day_it_begins(day: int, clock: str, is_open: bool) -> None:
    assert window_open([SwitchingWindow(days=["Sun"], start="22:00", end="04:00")], at(day, clock)) is is_open


def test_windows_are_in_utc() -> None:
    window = SwitchingWindow(start="12:00", end="13:00")
    assert window_open([window], datetime(2026, 11, 22, 14, 30, tzinfo=timezone(timedelta(hours=2))))
