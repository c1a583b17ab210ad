"""Figures about the operator itself and about each resource, for Prometheus."""

import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from breakeven.api.status import EvidenceStatus, State, Status, ValueReport
from breakeven.control.ports import Key
from breakeven.domain.decision import Decision

_WHO = ("namespace", "name")
_FROM_EVIDENCE = {
    "speedup": ("speedup_ratio", "Measured speed-up S: time per output token without speculation / with it."),
    "speedup_lower": ("speedup_lower_ratio", "Lower bound of S."),
    "speedup_upper": ("speedup_upper_ratio", "Upper bound of S."),
    "tokens_per_step": ("tokens_per_step", "Tokens emitted per request and step with speculation (E)."),
    "inflation": ("step_inflation_ratio", "Step time with speculation / without (R)."),
    "acceptance": ("acceptance_ratio", "Accepted / drafted tokens."),
    "break_even_acceptance": ("break_even_acceptance_ratio", "Accepted / drafted at which S would be 1."),
}
_FROM_VALUE = {
    "tokens": ("value_tokens", "Tokens that speculation brought."),
    "tokens_lower": ("value_tokens_lower", "The same with the lower bound of S."),
    "replica_hours": ("value_replica_hours", "Hours of plain replicas that speculation saved."),
    "replica_hours_lower": ("value_replica_hours_lower", "The same with the lower bound of S."),
    "cost_tokens": ("control_cost_tokens", "Tokens that the live control cost."),
    "cost_replica_hours": ("control_cost_replica_hours", "Hours of plain replicas that the live control cost."),
}
"""Sums by the label `over`: "verdict" (since the last one that changed something) and "day"."""


class Figures:
    """`control.ports.Recorder` on a registry of its own."""

    def __init__(self, registry: CollectorRegistry, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._registry = registry
        self.last_good_pass: float | None = None
        """Unix seconds of the end of the last pass without an error; None before the first."""
        self.last_good_turn: float | None = None
        """The same on the monotonic clock, which nobody can set."""

        def gauge(name: str, text: str, labels: tuple[str, ...] = _WHO) -> Gauge:
            return Gauge(f"breakeven_{name}", text, labels, registry=registry)

        self._seconds = Histogram("breakeven_pass_seconds", "Duration of one pass.", registry=registry)
        self._passes = Counter("breakeven_passes", "Passes by outcome.", ("outcome",), registry=registry)
        self._decisions = Counter(
            "breakeven_decisions", "Decisions taken.", ("action", "reason", *_WHO), registry=registry
        )
        self._writes = Counter("breakeven_api_writes", "Writes to the API server.", ("kind", "verb"), registry=registry)
        self._good = gauge("last_good_pass_timestamp_seconds", "When a pass last ended without an error.", ())
        self._state = gauge("state", "1 for the state that a resource is in.", (*_WHO, "state"))
        self._on = gauge("speculation_active", "1 while the stable variant speculates.")
        self._hold = gauge("hold", "1 while the evidence allows no verdict.")
        self._replicas = gauge("replicas", "Replicas by role.", (*_WHO, "role"))
        self._ready = gauge("ready_replicas", "Replicas that serve, by role.", (*_WHO, "role"))
        self._evidence = {field: gauge(name, text) for field, (name, text) in _FROM_EVIDENCE.items()}
        self._value = {field: gauge(name, text, (*_WHO, "over")) for field, (name, text) in _FROM_VALUE.items()}
        self._labels: dict[Key, set[tuple[Gauge, tuple[str, ...]]]] = {}

    def watch(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Export a level that is read when it is asked for."""
        Gauge(f"breakeven_{name}", text, registry=self._registry).set_function(read)

    def passed(self, key: Key, *, seconds: float, error: str) -> None:  # noqa: ARG002 - a label for each resource would be costly
        """One pass ended."""
        self._seconds.observe(seconds)
        self._passes.labels(error or "ok").inc()
        if not error:
            self.last_good_pass, self.last_good_turn = self._clock(), time.monotonic()
            self._good.set(self.last_good_pass)

    def decided(self, key: Key, *, action: str, reason: str) -> None:
        """One decision was taken and recorded."""
        self._decisions.labels(action, reason, key.namespace, key.name).inc()

    def wrote(self, kind: str, *, verb: str) -> None:
        """One write went to the API server."""
        self._writes.labels(kind, verb).inc()

    def reports(self, key: Key, status: Status, decision: Decision | None) -> None:
        """What the resource says now; a figure that is absent is not exported at all, never as zero."""
        for state in State:
            self._set(key, self._state, float(status.state is state), state.value)
        self._set(key, self._on, float(bool(status.memory.stable and status.memory.stable.speculates)))
        self._set(key, self._hold, float(bool(status.hold)))
        for variant in status.variants:
            self._set(key, self._replicas, variant.wanted, variant.role.value)
            self._set(key, self._ready, variant.ready, variant.role.value)
        present = {v.role.value for v in status.variants}
        for gauge, labels in list(self._labels.get(key, ())):
            if gauge in (self._replicas, self._ready) and labels[2] not in present:
                self._drop(key, gauge, labels)
        self._report_value(key, status.value)
        self._report_evidence(key, (decision.evidence if decision else None) or status.evidence)

    def forgot(self, key: Key) -> None:
        """The resource is gone, and so are its series."""
        for gauge, labels in list(self._labels.get(key, ())):
            self._drop(key, gauge, labels)
        self._labels.pop(key, None)

    def _report_evidence(self, key: Key, evidence: EvidenceStatus | None) -> None:
        for field, gauge in self._evidence.items():
            value: Decimal | None = getattr(evidence, field) if evidence else None
            if value is not None:
                self._set(key, gauge, float(value))
            else:
                self._drop(key, gauge, (key.namespace, key.name))

    def _report_value(self, key: Key, value: ValueReport | None) -> None:
        if value is None:
            return
        for over, sums in (("verdict", value.since_verdict), ("day", value.day)):
            for field, gauge in self._value.items():
                self._set(key, gauge, float(getattr(sums, field)), over)

    def _set(self, key: Key, gauge: Gauge, value: float, *more: str) -> None:
        labels = (key.namespace, key.name, *more)
        gauge.labels(*labels).set(value)
        self._labels.setdefault(key, set()).add((gauge, labels))

    def _drop(self, key: Key, gauge: Gauge, labels: tuple[Any, ...]) -> None:
        known = self._labels.get(key, set())
        if (gauge, labels) in known:
            gauge.remove(*labels)
            known.discard((gauge, labels))
