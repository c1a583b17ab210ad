"""Figures about the operator itself and about each resource, for Prometheus."""

import time
from collections.abc import Callable
from decimal import Decimal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from breakeven.api.status import State, Status
from breakeven.control.ports import Key
from breakeven.domain.decision import Decision
from breakeven.telemetry.resource_figures import ResourceFigures

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
_FAMILIES = {
    "state": "1 for the state that a resource is in.",
    "speculation_active": "1 while the stable variant speculates.",
    "hold": "1 while the evidence allows no verdict.",
    "replicas": "Replicas by role.",
    "ready_replicas": "Replicas that serve, by role.",
    **dict(_FROM_EVIDENCE.values()),
    **dict(_FROM_VALUE.values()),
}


class Figures:
    """`control.ports.Recorder` on a registry of its own."""

    def __init__(self, registry: CollectorRegistry, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._registry = registry
        self.last_good_pass: float | None = None
        """Unix seconds of the end of the last pass without an error; None before the first."""
        self.last_good_turn: float | None = None
        """The same on the monotonic clock, which nobody can set."""

        self._seconds = Histogram("breakeven_pass_seconds", "Duration of one pass.", registry=registry)
        self._passes = Counter("breakeven_passes", "Passes by outcome.", ("outcome",), registry=registry)
        self._decisions = Counter(
            "breakeven_decisions", "Decisions taken.", ("action", "reason", *_WHO), registry=registry
        )
        self._writes = Counter("breakeven_api_writes", "Writes to the API server.", ("kind", "verb"), registry=registry)
        self._good = Gauge(
            "breakeven_last_good_pass_timestamp_seconds", "When a pass last ended without an error.", registry=registry
        )
        self._resources = ResourceFigures(_FAMILIES)

    def page(self) -> bytes:
        """The page for Prometheus."""
        return generate_latest(self._registry) + self._resources.page()

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
        put, stable, details = self._resources.put, status.memory.stable, status.details
        put(key, "state", [(f',state="{state.value}"', float(status.state is state)) for state in State])
        put(key, "speculation_active", [("", float(bool(stable and stable.speculates)))])
        put(key, "hold", [("", float(bool(status.hold)))])
        put(key, "replicas", [(f',role="{v.role.value}"', float(v.wanted)) for v in details.variants])
        put(key, "ready_replicas", [(f',role="{v.role.value}"', float(v.ready)) for v in details.variants])
        evidence = (decision.evidence if decision else None) or details.evidence
        for field, (name, _) in _FROM_EVIDENCE.items():
            value: Decimal | None = getattr(evidence, field) if evidence else None
            put(key, name, [("", float(value))] if value is not None else [])
        sums = {"verdict": details.value.since_verdict, "day": details.value.day} if details.value else {}
        for field, (name, _) in _FROM_VALUE.items():
            put(key, name, [(f',over="{over}"', float(getattr(each, field))) for over, each in sums.items()])

    def forgot(self, key: Key) -> None:
        """The resource is gone, and so are its series."""
        self._resources.forget(key)
