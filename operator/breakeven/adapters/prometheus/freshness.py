"""Whether the samples of a resource are current enough to judge it by, and if not, what is wrong."""

from collections.abc import Sequence

from breakeven.adapters.clock import JUMP_S
from breakeven.adapters.evidence_store.replica_history import ReplicaHistory
from breakeven.adapters.pod_pages.pages_feed import PodPagesFeed
from breakeven.adapters.prometheus.endpoint_feed import EndpointFeed
from breakeven.adapters.prometheus.naming import name_of
from breakeven.api.vocabulary import Reason
from breakeven.control.ports import Pod
from breakeven.domain.counters.batches import COVERAGE, STALE
from breakeven.domain.counters.observation import Outage

LATE_S = 2.0
"""Seconds that a sample may be late beyond its scrape interval and ours."""


class Freshness:
    """The samples of one endpoint at one moment (Unix seconds). The intervals are in seconds."""

    def __init__(
        self, endpoint: EndpointFeed | PodPagesFeed, now: float, *, default_interval: float, period: float
    ) -> None:
        self._pages = endpoint if isinstance(endpoint, PodPagesFeed) else None
        self._histories = endpoint.histories
        self._prefixes = endpoint.prefixes if isinstance(endpoint, EndpointFeed) else frozenset()
        self._now = now
        self._default_interval = default_interval
        self._period = period

    def fresh(self, pod: Pod) -> bool:
        """Whether the newest sample of this pod is current."""
        history = self._histories.get(name_of(pod))
        return history is not None and history.newest is not None and self._now - history.newest <= self._limit(pod)

    def outage(self, pods: Sequence[Pod]) -> Outage | None:
        """Why the metrics of these pods cannot be used: too few that should be scraped are, or time went back."""
        ahead = max((h.newest - self._now for h in self._known(pods) if h.newest is not None), default=0.0)
        if ahead > JUMP_S:
            return Outage(
                reason=Reason.CLOCK_CHANGED,
                message=f"samples were read that are {ahead:.0f} s newer than the present: the clock was set back",
            )
        due = [
            p for p in pods if p.ready_since is not None and self._now - p.ready_since.timestamp() > 2 * self._limit(p)
        ]
        fresh = [p for p in due if self.fresh(p)]
        if len(fresh) >= COVERAGE * len(due):
            return None
        if self._pages is not None:
            return self._pages.missing(((p.namespace, p.name) for p in due if p not in fresh), fresh=len(fresh))
        missing = ", ".join(sorted({p.name for p in due if p not in fresh})[:3])
        if fresh:
            return Outage(
                reason=Reason.PODS_UNSCRAPED,
                message=f"{len(fresh)} of {len(due)} ready pods have fresh samples; missing {missing}: "
                "see the targets page of Prometheus",
            )
        newest = max((h.newest for h in self._known(due) if h.newest is not None), default=None)
        return self._stale(newest) if newest is not None else self._unknown(missing)

    def _known(self, pods: Sequence[Pod]) -> Sequence[ReplicaHistory]:
        return [h for p in pods if (h := self._histories.get(name_of(p))) is not None]

    def _limit(self, pod: Pod) -> float:
        history = self._histories.get(name_of(pod))
        interval = history.interval if history is not None else None
        return STALE * (interval or self._default_interval) + self._period + LATE_S

    def _stale(self, newest: float) -> Outage:
        return Outage(
            reason=Reason.STALE,
            message=f"the newest sample is {self._now - newest:.0f} s old; Prometheus stopped scraping, or the "
            "clocks of the operator and of Prometheus differ",
        )

    def _unknown(self, missing: str) -> Outage:
        if self._prefixes:
            return Outage(
                reason=Reason.NAMES_UNKNOWN,
                message=f"Prometheus has series {', '.join(sorted(self._prefixes)[:5])}* but none carries {missing} "
                "in a known pair of labels that no other label contradicts; set spec.metrics.names.namespace and .pod",
            )
        return Outage(
            reason=Reason.NO_DATA,
            message=f"Prometheus has no vLLM series for {missing}; does a PodMonitor or a scrape job select the pods?",
        )
