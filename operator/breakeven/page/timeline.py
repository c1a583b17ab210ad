"""The past of a resource as one picture: speed-up, acceptance, load and replicas, on one axis of time."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise

from breakeven.api.status import DecisionRecord
from breakeven.measure.report.svg import Axis, linear
from breakeven.page.history import Sample
from breakeven.page.text import Html, said

WIDTH, LEFT, RIGHT = 960, 58, 18
PANELS = (
    ("Speed-up S, with its bounds", 150),
    ("Acceptance, and its break-even (dashed)", 120),
    ("Output tokens per second and replica with speculation", 80),
    ("Replicas that serve: with speculation (colour), without (grey)", 70),
)
"""Name and height of each."""
TOP, HEAD, FOOT = 18, 32, 24
"""Pixels for the numbers of decisions, above each panel for its name, and below all of them for the marks of time."""
LEAST = timedelta(minutes=10)
"""A shorter past is drawn as if it were as long as this."""
RECENT = timedelta(hours=6)
"""Decisions as old as this are in the picture even if nothing else is: they are from before this process."""
_STEPS = tuple(
    timedelta(minutes=m) for m in (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880)
)  # fmt: skip
_MARKS = 8

Point = tuple[datetime, float]


def timeline(samples: Sequence[Sample], decisions: Sequence[DecisionRecord], now: datetime) -> Html:
    """The picture; nothing where there is nothing to draw. Decisions, newest first, have the numbers of the table."""
    samples = sorted(samples)
    times = [s.at for s in samples] + [d.at for d in decisions if d.at >= now - RECENT]
    if not times:
        return Html("")
    begin = min(*times, now - LEAST)
    picture = _Picture(begin, now)
    picture.panel(0, *_speedup(picture, samples))
    picture.panel(1, *_acceptance(picture, samples))
    picture.panel(2, *_load(picture, samples))
    picture.panel(3, *_replicas(picture, samples, now))
    picture.decisions([(place, d.at) for place, d in enumerate(decisions, 1) if d.at >= begin])
    return picture.html(_words(samples, begin))


class _Picture:
    """Where times and values lie, and what is drawn so far."""

    def __init__(self, begin: datetime, end: datetime) -> None:
        self._begin, self._end = begin, end
        self._parts: list[str] = []
        self.height = TOP + sum(HEAD + height for _, height in PANELS) + FOOT

    def across(self, at: datetime) -> float:
        """The place of a time; what is outside stays at the edge."""
        share = (at - self._begin) / (self._end - self._begin)
        return LEFT + min(1.0, max(0.0, share)) * (WIDTH - LEFT - RIGHT)

    def up(self, panel: int, axis: Axis, value: float) -> float:
        """The place of a value in a panel; what is outside stays at the edge."""
        top, height = self._top(panel), PANELS[panel][1]
        return top + height * (1 - min(1.0, max(0.0, axis.share(value))))

    def line(self, panel: int, axis: Axis, points: Sequence[Point]) -> str:
        """Points of a line."""
        return " ".join(f"{self.across(at):.1f},{self.up(panel, axis, value):.1f}" for at, value in points)

    def panel(self, panel: int, axis: Axis | None, inside: str) -> None:
        """One panel with its marks; one without figures says so."""
        top, (name, height) = self._top(panel), PANELS[panel]
        self._parts.append(f'<text class="title" x="{LEFT}" y="{top - 8}">{said(name)}</text>')
        if axis is None:
            self._parts.append(f'<text x="{LEFT + 6}" y="{top + height / 2:.1f}">not measured in this time</text>')
            return
        for mark in axis.marks:
            up = self.up(panel, axis, mark)
            self._parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{up:.1f}" y2="{up:.1f}"/>')
            self._parts.append(f'<text x="{LEFT - 7}" y="{up + 4:.1f}" text-anchor="end">{mark:g}</text>')
        self._parts.append(inside)

    def decisions(self, marks: Sequence[tuple[int, datetime]]) -> None:
        """A line through all panels for each decision; numbers that would touch are left out, but for the newest."""
        bottom, free = self.height - FOOT, float("inf")
        for number, at in marks:
            x = self.across(at)
            self._parts.append(f'<line class="decision" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 2}" y2="{bottom}"/>')
            if x <= free - 16:
                self._parts.append(f'<text class="decision" x="{x:.1f}" y="12" text-anchor="middle">{number}</text>')
                free = x

    def html(self, words: str) -> Html:
        """The whole picture."""
        marks = "".join(
            f'<text x="{self.across(at):.1f}" y="{self.height - 6}" text-anchor="middle">{label}</text>'
            for at, label in _marks(self._begin, self._end)
        )
        return Html(
            f'<svg role="img" viewBox="0 0 {WIDTH} {self.height}" aria-label="Timeline"><title>Timeline</title>'
            f"<desc>{said(words)}</desc>{''.join(self._parts)}{marks}</svg>"
        )

    @staticmethod
    def _top(panel: int) -> int:
        return TOP + sum(HEAD + height for _, height in PANELS[:panel]) + HEAD


def _speedup(picture: _Picture, samples: Sequence[Sample]) -> tuple[Axis | None, str]:
    measured = [s for s in samples if s.speedup is not None]
    if not measured:
        return None, ""
    bounds = [v for s in measured for v in (s.lower, s.upper, s.speedup) if v is not None]
    axis, parts = linear([1.0, *bounds], marks=4), []
    even = picture.up(0, axis, 1.0)
    parts.append(f'<line class="even" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{even:.1f}" y2="{even:.1f}"/>')
    for run in _runs(samples):
        upper = [(s.at, s.upper) for s in run if s.upper is not None]
        lower = [(s.at, s.lower) for s in run if s.lower is not None]
        if len(upper) > 1 and len(lower) > 1:
            parts.append(f'<polygon class="band" points="{picture.line(0, axis, [*upper, *reversed(lower)])}"/>')
        parts.append(_drawn(picture, 0, axis, [(s.at, s.speedup) for s in run if s.speedup is not None], "on"))
    return axis, "".join(parts)


def _acceptance(picture: _Picture, samples: Sequence[Sample]) -> tuple[Axis | None, str]:
    found = [v for s in samples for v in (s.acceptance, s.break_even) if v is not None]
    if not found:
        return None, ""
    axis = linear([0.0, *found], marks=4)
    parts = []
    for run in _runs(samples):
        needed = [(s.at, s.break_even) for s in run if s.break_even is not None]
        parts.append(_drawn(picture, 1, axis, needed, "needed"))
        parts.append(_drawn(picture, 1, axis, [(s.at, s.acceptance) for s in run if s.acceptance is not None], "on"))
    return axis, "".join(parts)


def _load(picture: _Picture, samples: Sequence[Sample]) -> tuple[Axis | None, str]:
    found = [s.load for s in samples if s.load is not None]
    if not found:
        return None, ""
    axis = linear([0.0, *found], marks=3)
    runs = [[(s.at, s.load) for s in run if s.load is not None] for run in _runs(samples)]
    return axis, "".join(_drawn(picture, 2, axis, run, "on") for run in runs)


def _replicas(picture: _Picture, samples: Sequence[Sample], now: datetime) -> tuple[Axis | None, str]:
    """What speculates below, what does not above it; each sample holds until one that differs."""
    if not any(s.speculating + s.plain for s in samples):
        return None, ""
    most = max(s.speculating + s.plain for s in samples)
    axis = linear([0.0, float(max(most, 1))], marks=min(max(most, 1), 3))
    first = [next(same) for _, same in groupby(samples, key=lambda s: (s.speculating, s.plain))]
    ends = [*[s.at for s in first[1:]], now]
    parts = []
    for sample, end in zip(first, ends, strict=True):
        left, right = picture.across(sample.at), picture.across(end)
        low = 0
        for kind, count in (("on", sample.speculating), ("off", sample.plain)):
            top, bottom = picture.up(3, axis, low + count), picture.up(3, axis, low)
            if count:
                parts.append(
                    f'<rect class="area {kind}" x="{left:.1f}" y="{top:.1f}" width="{max(0.5, right - left):.1f}" '
                    f'height="{bottom - top:.1f}"/>'
                )
            low += count
    return axis, "".join(parts)


def _drawn(picture: _Picture, panel: int, axis: Axis, points: Sequence[Point], kind: str) -> str:
    """A line; a single point is a dot."""
    if len(points) == 1:
        (at, value), *_ = points
        x, y = picture.across(at), picture.up(panel, axis, value)
        return f'<circle class="dot {kind}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>'
    return f'<polyline class="line {kind}" points="{picture.line(panel, axis, points)}"/>' if points else ""


def _runs(samples: Sequence[Sample]) -> Iterator[list[Sample]]:
    """Samples with figures, apart where nothing speculated in between."""
    run: list[Sample] = []
    for sample in samples:
        if sample.window_end is not None:
            run.append(sample)
        elif not sample.speculating and run:
            yield run
            run = []
    if run:
        yield run


def _marks(begin: datetime, end: datetime) -> list[tuple[datetime, str]]:
    """Round times in a range, in UTC, at most eight; days have their date."""
    step = next((s for s in _STEPS if (end - begin) / s <= _MARKS), _STEPS[-1])
    seconds = step.total_seconds()
    first = -(-begin.timestamp() // seconds) * seconds
    times = [datetime.fromtimestamp(first + place * seconds, UTC) for place in range(_MARKS + 1)]
    shown = [t for t in times if t <= end]
    dated = [i == 0 or b.date() != a.date() for i, (a, b) in enumerate(pairwise([begin.astimezone(UTC), *shown]))]
    days = any(t.date() != end.date() for t in shown)
    return [
        (t, f"{t:%m-%d %H:%M}" if days and with_date else f"{t:%H:%M}")
        for t, with_date in zip(shown, dated, strict=True)
    ]


def _words(samples: Sequence[Sample], begin: datetime) -> str:
    """The picture in words, for those who do not see it."""
    measured = [s for s in samples if s.speedup is not None]
    text = f"Since {begin.astimezone(UTC):%Y-%m-%d %H:%M} UTC."
    if measured:
        first, last = measured[0], measured[-1]
        text += f" S was {first.speedup:.3g} at {first.at:%H:%M} and {last.speedup:.3g} at {last.at:%H:%M}."
    return f"{text} The tables below have the figures."
