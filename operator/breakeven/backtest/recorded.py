"""Recorded history of two arms, read from any Prometheus step by step, through the code that reads the present."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from breakeven.adapters.evidence_store.arm_batches import ArmBatches, BatchStore
from breakeven.adapters.evidence_store.arms import arm_of, replica_of
from breakeven.adapters.evidence_store.packed_pieces import Shapes
from breakeven.adapters.evidence_store.replica_history import ReplicaHistory
from breakeven.adapters.prometheus.answers import RawSeries
from breakeven.adapters.prometheus.endpoint_feed import DEFAULT_INTERVAL_S, STEP_SAMPLES
from breakeven.adapters.prometheus.errors import MetricsError
from breakeven.adapters.prometheus.naming import LABEL_PAIRS
from breakeven.adapters.prometheus.promql import Gathering, Target, chosen, engine_series, scrapes
from breakeven.adapters.prometheus.questions import Asks, Questions
from breakeven.adapters.prometheus.selectors import KNOWN_PREFIXES, Selector
from breakeven.domain.counters import vllm_metrics
from breakeven.domain.counters.batches import STALE, interval_of, number
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
    node_label: str = "node"
    """Label of the series that names the node."""
    prefix: str | None = None
    """What the names of its series begin with; None: it has none."""
    nodes: dict[str, str] = field(default_factory=dict)
    """By replica, the node that its series name."""
    changed_at: float | None = None
    """When replicas last came or went."""
    replicas: dict[str, _Replica] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    """All replicas there ever were."""
    samples: int = 0
    _made: ArmBatches = field(default_factory=lambda: ArmBatches(BatchStore()))
    _shapes: Shapes = field(default_factory=Shapes)
    _present: frozenset[str] = frozenset()

    def take(self, result: Iterable[RawSeries], begins: float) -> None:
        """Add what a step has read. What is there from the beginning of the record on counts as warm.

        Raises MetricsError when a replica shows several models, which must not be added up.
        """
        gathering: Gathering[str] = Gathering()
        models: dict[str, set[str]] = {}
        gathering.take_all(result, lambda labels: self._place(labels, models))
        self._check_models(models)
        self.samples += gathering.samples
        for name, targets in gathering.by_owner.items():
            held = self.replicas.get(name)
            patience = STALE * ((held.history.interval if held else None) or DEFAULT_INTERVAL_S)
            target = chosen(targets, held.history.target if held else None, patience=patience)
            read = scrapes(targets[target])
            if not read:
                continue
            if held is None:
                first = read[0].at
                warm = first - begins <= 2 * DEFAULT_INTERVAL_S + STALE * _gap(read)
                ready = first - self.warmup - self.length if warm else first
                history = ReplicaHistory(length=self.length, since=first - self.length, shapes=self._shapes)
                held = _Replica(history, ready)
                self.replicas[name] = held
                self.seen.add(name)
            held.history.target = target
            last = held.ahead[-1].at if held.ahead else held.history.newest
            held.ahead.extend(s for s in read if last is None or s.at > last)

    def _place(
        self, labels: Mapping[str, str], models: dict[str, set[str]]
    ) -> tuple[str, Target, vllm_metrics.Series] | None:
        if self.prefix is None:
            return None
        place = engine_series(labels, self.prefix)
        if place is None:
            return None
        name = _replica_name(labels, place[0])
        models.setdefault(name, set()).add(labels.get("model_name", ""))
        if node := labels.get(self.node_label):
            self.nodes[name] = node
        return name, *place

    def _check_models(self, models: Mapping[str, set[str]]) -> None:
        for name, served in sorted(models.items()):
            if len(served) > 1:
                raise MetricsError(
                    f"replica {name} has series of {len(served)} models, {', '.join(sorted(served))}, which must not "
                    f'be added up; choose one in the selector: model_name="{max(served)}"'
                )

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
        known = [(n, r) for n, r in self.replicas.items() if r.history.newest is not None]
        arm = arm_of(
            variant,
            [(replica_of(n, r.ready_since if n in present else None, r.history), r.history) for n, r in known],
            self._made,
            now=now,
            first=number(now - self.keep, self.length),
            length=self.length,
            warmup=self.warmup,
            fresh=present,
        )
        for replica in self.replicas.values():
            replica.history.prune(now - self.keep - 2 * self.length)
        return arm

    def present_nodes(self) -> dict[str, str]:
        """The nodes of the replicas that were there at the last look."""
        return {name: self.nodes[name] for name in sorted(self._present & self.nodes.keys())}

    def _ended(self, name: str, now: float) -> float:
        held = self.replicas.get(name)
        return (held.history.newest if held is not None else None) or now

    def _fresh(self, replica: _Replica, now: float) -> bool:
        newest, interval = replica.history.newest, replica.history.interval or DEFAULT_INTERVAL_S
        return newest is not None and now - newest <= STALE * interval


class Record:
    """Reads both arms up to a time, in steps that keep each answer small."""

    def __init__(self, client: Asks, arms: Sequence[RecordedArm], *, begins: float, ends: float, buckets: bool) -> None:
        self._questions = Questions(lambda: client)
        self._arms = arms
        self._buckets = buckets
        self.begins, self._read = begins, begins
        self._ends = ends
        self._step = FIRST_STEP_S

    @property
    def queries(self) -> int:
        """Queries sent."""
        return self._questions.sent

    def find_names(self, prefix: str | None) -> None:
        """See which metric prefix each arm has, the most complete of several; an arm without any stays empty."""
        for arm in self._arms:
            if prefix is not None:
                arm.prefix = prefix
                continue
            names = tuple(vllm_metrics.exported(buckets=False))
            selector = Selector(
                names=tuple(f"{known}{name}" for known in KNOWN_PREFIXES for name in names),
                pattern=f".*({'|'.join(names)})",
                matchers=arm.matchers,
                milliseconds=max(1000, round(1000 * (self._ends - self.begins))),
                within="group by (__name__) (last_over_time({}))",
            )
            series = self._questions.series(selector, self._ends)
            arm.prefix = vllm_metrics.best_prefix(labels.get("__name__", "") for labels, _ in series)

    def read_to(self, at: float) -> None:
        """Have everything up to this time. Raises MetricsError."""
        while self._read < at:
            until = min(self._read + self._step, max(at, self._ends))
            samples = sum(self._read_arm(arm, until) for arm in self._arms)
            span, self._read = until - self._read, until
            wanted = span * STEP_SAMPLES / max(1, samples)
            self._step = min(LONGEST_STEP_S, max(60.0, min(wanted, 2 * self._step)))

    def _read_arm(self, arm: RecordedArm, until: float) -> int:
        before = arm.samples
        result: list[RawSeries] = []
        for buckets in (False, True) if self._buckets else (False,):
            if arm.prefix is not None:
                names = tuple(f"{arm.prefix}{n}" for n in vllm_metrics.exported(buckets=buckets))
                span = round((until - self._read) * 1000)
                selector = Selector(names=names, matchers=arm.matchers, milliseconds=span)
                result += self._questions.series(selector, until)
        arm.take(result, self.begins)
        return arm.samples - before


def _replica_name(labels: Mapping[str, str], target: Target) -> str:
    for namespace, pod in LABEL_PAIRS:
        if labels.get(pod):
            return f"{labels.get(namespace, '')}/{labels[pod]}"
    return ",".join(f"{k}={v}" for k, v in target)


def _gap(scraped: Sequence[Scrape]) -> float:
    return interval_of([s.at for s in scraped]) or DEFAULT_INTERVAL_S
