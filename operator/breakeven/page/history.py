"""The short past of each resource, for its timeline: what passes reported, thinned out so that it stays small.

It is this process's own and ends with it; the decisions before it are in the ledger of the status.
"""

from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from breakeven.api.status import EvidenceStatus, Status
from breakeven.control.ports import Key, Recorder
from breakeven.domain.decision import Decision

MOST = 240
"""Samples of one resource: a thousand resources take some 60 MiB at the most, and a picture has no more columns."""
CLOSEST = timedelta(seconds=10)
"""Least distance of two samples at the start; it doubles whenever the past is thinned out."""
LONGEST = timedelta(days=7)
"""What is older is dropped."""


class Sample(NamedTuple):
    """What one pass reported. Figures are None where the pass had no window that the sample before did not have."""

    at: datetime
    speculating: int
    """Replicas that serve with speculation."""
    plain: int
    """Replicas that serve without."""
    window_end: datetime | None = None
    speedup: float | None = None
    lower: float | None = None
    upper: float | None = None
    acceptance: float | None = None
    break_even: float | None = None
    load: float | None = None
    """Output tokens per second and replica with speculation."""


class Past:
    """The samples of one resource."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque()
        self._apart = CLOSEST
        self._judged: datetime | None = None
        """End of the last window that is in a sample."""

    def add(self, sample: Sample) -> None:
        """Take a sample in, unless it is too close to the last one and says nothing about replicas that is new."""
        last = self._samples[-1] if self._samples else None
        if last is not None and sample.at - last.at < self._apart and sample[1:3] == last[1:3]:
            return
        if sample.window_end is not None and sample.window_end == self._judged:
            sample = Sample(sample.at, sample.speculating, sample.plain)
        self._judged = sample.window_end or self._judged
        while self._samples and self._samples[0].at < sample.at - LONGEST:
            self._samples.popleft()
        if len(self._samples) == MOST:
            self._samples = deque(list(self._samples)[1::2])
            self._apart *= 2
        self._samples.append(sample)

    def samples(self) -> tuple[Sample, ...]:
        """Oldest first."""
        return tuple(self._samples)


class Remembering:
    """`control.ports.Recorder` that keeps the past beside what another recorder does with it."""

    def __init__(self, inner: Recorder, now: Callable[[], datetime]) -> None:
        self._inner = inner
        self._now = now
        self._pasts: dict[Key, Past] = {}

    def samples(self, key: Key) -> Sequence[Sample]:
        """The past of a resource, oldest first; empty for one that no pass has reported."""
        past = self._pasts.get(key)
        return past.samples() if past else ()

    def passed(self, key: Key, *, seconds: float, error: str) -> None:
        """One pass ended."""
        self._inner.passed(key, seconds=seconds, error=error)

    def decided(self, key: Key, *, action: str, reason: str) -> None:
        """One decision was taken and recorded."""
        self._inner.decided(key, action=action, reason=reason)

    def wrote(self, kind: str, *, verb: str) -> None:
        """One write went to the API server."""
        self._inner.wrote(kind, verb=verb)

    def reports(self, key: Key, status: Status, decision: Decision | None) -> None:
        """What the resource says now."""
        self._inner.reports(key, status, decision)
        self._pasts.setdefault(key, Past()).add(sample_of(status, decision, self._now()))

    def forgot(self, key: Key) -> None:
        """The resource is gone, and so is its past."""
        self._inner.forgot(key)
        self._pasts.pop(key, None)


def sample_of(status: Status, decision: Decision | None, now: datetime) -> Sample:
    """What a pass reported, with the figures of this pass only: those of the status may be of any age."""
    variants = status.details.variants
    evidence = (decision.evidence if decision else None) or EvidenceStatus()
    figures = (
        evidence.speedup, evidence.speedup_lower, evidence.speedup_upper,
        evidence.acceptance, evidence.break_even_acceptance, evidence.load,
    )  # fmt: skip
    return Sample(
        now,
        sum(v.ready for v in variants if v.speculates),
        sum(v.ready for v in variants if not v.speculates),
        evidence.window_end,
        *(float(f) if f is not None else None for f in figures),
    )
