"""Recorded history of two arms, read from any Prometheus step by step, through the code that reads the present."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from breakeven.adapters.evidence_store.arm_batches import ArmBatches
from breakeven.adapters.evidence_store.replica_history import ReplicaHistory, increments_of
from breakeven.adapters.prometheus.client import RawSeries, regex_of
from breakeven.adapters.prometheus.endpoint_feed import DEFAULT_INTERVAL_S, STEP_SAMPLES, Asks
from breakeven.adapters.prometheus.promql import LABEL_PAIRS, Readings, Target, chosen, scrapes
from breakeven.domain.counters import vllm_metrics
from breakeven.domain.counters.batches import STALE, Replica, interval_of, number
from breakeven.domain.counters.observation import Arm, Scrape
from breakeven.domain.counters.scrapes import restarted

LONGEST_STEP_S = 6 * 3600.0
FIRST_STEP_S = 600.0


@dataclass(slots=True)
class _Replica:
    history: ReplicaHistory
    ready_since: float
    """Its first sample since it last started; an engine shows its page when it can serve."""
    ahead: deque[Scrape] = field(default_factory=deque)
    """Read already, but later than the moment that is looked at."""
    last: Scrape | None = None

    def advance(self, now: float) -> None:
        """Let time pass up to now."""
        passed = []
        while self.ahead and self.ahead[0].at <= now:
            scrape = self.ahead.popleft()
            if self.last is not None and restarted(self.last.totals, scrape.totals):
                self.ready_since = scrape.at
            self.last = scrape
            passed.append(scrape)
        if passed:
            self.history.add(passed)


@dataclass(slots=True)
class RecordedArm:
    """One arm of the past: replicas come when their samples begin and go when they end."""

    matchers: str
    """Label matchers, checked."""
    length: float
    warmup: float
    keep: float
    prefixes: frozenset[str] = frozenset()
    changed_at: float | None = None
    """When replicas last came or went."""
    replicas: dict[str, _Replica] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    """All replicas there ever were."""
    samples: int = 0
    _made: ArmBatches = field(default_factory=ArmBatches)
    _present: frozenset[str] = frozenset()

    def take(self, result: Iterable[RawSeries], begins: float) -> None:
        """Add what a step brought. What is there from the beginning of the record on counts as warm."""
        for name, targets in self._by_replica(result).items():
            held = self.replicas.get(name)
            patience = STALE * ((held.history.interval if held else None) or DEFAULT_INTERVAL_S)
            target = chosen(targets, held.history.target if held else None, patience=patience)
            found = scrapes(targets[target])
            if not found:
                continue
            if held is None:
                first = found[0].at
                warm = first - begins <= 2 * DEFAULT_INTERVAL_S + STALE * _gap(found)
                ready = first - self.warmup - self.length if warm else first
                held = _Replica(ReplicaHistory(length=self.length, since=first - self.length), ready)
                self.replicas[name] = held
                self.seen.add(name)
            held.history.target = target
            last = held.ahead[-1].at if held.ahead else held.history.newest
            held.ahead.extend(s for s in found if last is None or s.at > last)

    def _by_replica(self, result: Iterable[RawSeries]) -> Mapping[str, dict[Target, Readings]]:
        found: dict[str, dict[Target, Readings]] = {}
        for raw in result:
            labels: Mapping[str, str] = raw["metric"]
            name = labels.get("__name__", "")
            prefix = next((p for p in self.prefixes if name.startswith(p)), None)
            series = vllm_metrics.series_of(name.removeprefix(prefix), labels) if prefix is not None else None
            if series is None:
                continue
            target = tuple(sorted((k, v) for k, v in labels.items() if k not in vllm_metrics.OWN_LABELS))
            readings = found.setdefault(_replica_name(labels, target), {}).setdefault(target, {})
            for at, text in raw["values"]:
                vllm_metrics.merge(readings.setdefault(float(at), {}), series, float(text))
                self.samples += 1
        return found

    def look(self, now: float, variant: str) -> Arm:
        """The arm as the operator would have seen it at a time that the record was read up to."""
        for name, replica in list(self.replicas.items()):
            replica.advance(now)
            if not replica.ahead and (replica.history.newest or 0.0) < now - self.keep:
                del self.replicas[name]
        present = frozenset(n for n, r in self.replicas.items() if self._fresh(r, now))
        if present != self._present:
            came = [self.replicas[n].ready_since for n in present - self._present]
            gone = [self._ended(n, now) for n in self._present - present]
            earlier = [self.changed_at] if self.changed_at is not None else []
            self._present, self.changed_at = present, max(came + gone + earlier)
        seen = [
            Replica(
                name=n,
                ready_since=r.ready_since if n in present else None,
                pieces=r.history.pieces,
                restarts=tuple(r.history.restarts),
                serial=r.history.serial,
            )
            for n, r in self.replicas.items()
            if r.history.newest is not None
        ]
        final = min((self.replicas[n].history.until for n in present), default=number(now, self.length))
        numbers = range(number(now - self.keep, self.length), min(final, number(now, self.length)))
        batches = self._made.batches(seen, length=self.length, warmup=self.warmup, numbers=numbers, firm=numbers.stop)
        newest = increments_of(
            [(r, self.replicas[r.name].history) for r in seen], batch=self.length, warmup=self.warmup
        )
        for replica in self.replicas.values():
            replica.history.prune(now - self.keep - 2 * self.length)
        return Arm(variant=variant, batches=batches, ready=len(present), scraped=len(present), newest=newest)

    def _ended(self, name: str, now: float) -> float:
        held = self.replicas.get(name)
        return (held.history.newest if held is not None else None) or now

    def _fresh(self, replica: _Replica, now: float) -> bool:
        newest, interval = replica.history.newest, replica.history.interval or DEFAULT_INTERVAL_S
        return newest is not None and now - newest <= STALE * interval


class Record:
    """Reads both arms up to a time, in steps that keep each answer small."""

    def __init__(self, client: Asks, arms: Sequence[RecordedArm], *, begins: float, ends: float, buckets: bool) -> None:
        self._client = client
        self._arms = arms
        self._buckets = buckets
        self.begins, self._read = begins, begins
        self._ends = ends
        self._step = FIRST_STEP_S
        self.queries = 0

    def find_names(self, prefix: str | None) -> None:
        """See which metric prefixes the arms have; an arm without any stays empty."""
        for arm in self._arms:
            if prefix is not None:
                arm.prefixes = frozenset({prefix})
                continue
            span = max(1, round(self._ends - self.begins))
            anchor = f'__name__=~".*{vllm_metrics.ANCHOR}(_total)?"'
            found = self._ask(f"group by (__name__) (last_over_time({{{anchor},{arm.matchers}}}[{span}s]))", self._ends)
            prefixes = (vllm_metrics.prefix_of(raw["metric"].get("__name__", "")) for raw in found)
            arm.prefixes = frozenset(p for p in prefixes if p is not None)

    def read_to(self, at: float) -> None:
        """Have everything up to this time. Raises MetricsError."""
        while self._read < at:
            until = min(self._read + self._step, max(at, self._ends))
            brought = sum(self._read_arm(arm, until) for arm in self._arms)
            span, self._read = until - self._read, until
            wanted = span * STEP_SAMPLES / max(1, brought)
            self._step = min(LONGEST_STEP_S, max(60.0, min(wanted, 2 * self._step)))

    def _read_arm(self, arm: RecordedArm, until: float) -> int:
        before = arm.samples
        result: list[RawSeries] = []
        for buckets in (False, True) if self._buckets else (False,):
            every = [f"{p}{n}" for p in sorted(arm.prefixes) for n in vllm_metrics.exported(buckets=buckets)]
            if every:
                span = round((until - self._read) * 1000)
                result += self._ask(f'{{__name__=~"{regex_of(every)}",{arm.matchers}}}[{span}ms]', until)
        arm.take(result, self.begins)
        return arm.samples - before

    def _ask(self, text: str, at: float) -> Sequence[RawSeries]:
        self.queries += 1
        return list(self._client.query(text, at=at))


def _replica_name(labels: Mapping[str, str], target: Target) -> str:
    for namespace, pod in LABEL_PAIRS:
        if labels.get(pod):
            return f"{labels.get(namespace, '')}/{labels[pod]}"
    return ",".join(f"{k}={v}" for k, v in target)


def _gap(found: Sequence[Scrape]) -> float:
    return interval_of([s.at for s in found]) or DEFAULT_INTERVAL_S
