"""When switches may happen."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from breakeven.api.spec import SwitchingWindow

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def window_open(windows: Sequence[SwitchingWindow], now: datetime) -> bool:
    """Whether a switch may happen now; always, when no window is given. An end before the start is on the next day."""
    if not windows:
        return True
    utc = now.astimezone(UTC)
    return any(_contains(w, utc) for w in windows)


def _contains(window: SwitchingWindow, now: datetime) -> bool:
    minute = f"{now:%H:%M}"
    if window.start <= window.end:
        return _on(window, now) and window.start <= minute < window.end
    if minute >= window.start:
        return _on(window, now)
    return minute < window.end and _on(window, now - timedelta(days=1))


def _on(window: SwitchingWindow, day: datetime) -> bool:
    return not window.days or _DAYS[day.weekday()] in window.days
