"""Times as people read them: the hour in UTC, and how long ago or until then."""

from datetime import UTC, datetime, timedelta


def ago(seconds: float) -> str:
    """A length of time in its two largest units: `2h13m`, `45s`."""
    parts: list[str] = []
    left = max(0, round(seconds))
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count}{unit}")
    return "".join(parts[:2])


def clock(moment: datetime, now: datetime) -> str:
    """`02:23:59 UTC`, with the date where that is another day."""
    utc = moment.astimezone(UTC)
    shown = f"{utc:%H:%M:%S} UTC"
    return shown if utc.date() == now.astimezone(UTC).date() else f"{utc:%Y-%m-%d} {shown}"


def since(moment: datetime, now: datetime) -> str:
    """`02:23:59 UTC, 2h13m ago`."""
    return f"{clock(moment, now)}, {ago((now - moment).total_seconds())} ago"


def until(moment: datetime, now: datetime) -> str:
    """`02:23:59 UTC, in 12m`; a time that is over is now."""
    left = moment - now
    return f"{clock(moment, now)}, in {ago(left.total_seconds())}" if left > timedelta(0) else "now"
