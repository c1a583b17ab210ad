"""Answers as scrapes and pieces of pods: what the thread of one Prometheus does between a query and the event loop."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from breakeven.adapters.evidence_store.past import Past, past_of
from breakeven.adapters.prometheus.naming import Naming, PodName
from breakeven.adapters.prometheus.promql import Column, Gathering, Places, Target, chosen, gather, scrapes, series_at
from breakeven.adapters.prometheus.questions import Questions
from breakeven.adapters.prometheus.selectors import Selector
from breakeven.domain.counters.observation import Scrape

ByPod = Mapping[PodName, Mapping[Target, Sequence[Column]]]


class OfPod(NamedTuple):
    """What a reading has of one pod, or what was read of it before."""

    target: Target | None
    """The target that speaks for it."""
    scrapes: list[Scrape]
    """Those that were not read before."""
    series: Mapping[float, int]
    """How many series its newest scrapes have: a scrape with as many is not taken apart a second time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastSpan:
    """Batches that are read by their ends."""

    length: float
    """Seconds of a batch."""
    since: Mapping[PodName, int]
    """Number of the first batch that a pod has no piece of."""
    until: int
    """Number of the batch after the last."""


class Answers:
    """Asks and puts together. One thread at a time.

    All of what is asked at once or, when one query fails, nothing: half a scrape is no scrape.
    """

    def __init__(self, questions: Questions) -> None:
        self._questions = questions
        self._places = Places()

    def gone(self, pods: int, left: int) -> None:
        """Say how many pods went and how many are left."""
        self._places.gone(pods, left)

    def scrapes(
        self,
        asked: Sequence[Selector],
        at: float,
        naming: Mapping[PodName, Naming],
        held: Mapping[PodName, OfPod],
        *,
        patience: float,
    ) -> dict[PodName, OfPod]:
        """The scrapes of each pod that were not read before. Raises MetricsError."""
        by_pod = {}
        for pod, targets in self._gathered(asked, at, naming).items():
            target = chosen(targets, held[pod].target, patience=patience)
            before = held[pod].series if target == held[pod].target else {}
            by_pod[pod] = OfPod(target, scrapes(targets[target], before), series_at(targets[target]))
        return by_pod

    def past(
        self,
        asked: Sequence[Selector],
        naming: Mapping[PodName, Naming],
        held: Mapping[PodName, OfPod],
        span: PastSpan,
    ) -> dict[PodName, Past]:
        """Pieces of each pod from what its counters were at the ends of batches. Raises MetricsError."""
        found = {}
        for pod, targets in self._gathered(asked, (span.until + 1) * span.length, naming).items():
            since = span.since[pod]
            if since < span.until:
                target = chosen(targets, held[pod].target, patience=span.length)
                found[pod] = past_of(targets[target], length=span.length, since=since, until=span.until)
        return found

    def _gathered(self, asked: Sequence[Selector], at: float, naming: Mapping[PodName, Naming]) -> ByPod:
        gathering: Gathering[PodName] = Gathering()
        for selector in asked:
            for result in self._questions.results(selector, at):
                gather(gathering, result, naming, self._places)
        return gathering.by_owner
