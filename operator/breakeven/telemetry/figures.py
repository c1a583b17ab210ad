"""Figures about the operator itself and about each resource, for Prometheus."""

import platform
import time
from collections.abc import Callable, Iterator
from decimal import Decimal

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from breakeven import __version__
from breakeven.api.price import Price
from breakeven.api.status import Condition, State, Status
from breakeven.control.ports import Key
from breakeven.domain.decision import Decision
from breakeven.telemetry.resource_figures import ResourceFigures, label

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
_MONEY = {
    "replica_hours": ("value_money", "The same hours in money, where a GPU-hour has a price."),
    "replica_hours_lower": ("value_money_lower", "The same with the lower bound of S."),
    "cost_replica_hours": ("control_cost_money", "The hours of the live control in money."),
}
"""Of the sums, what has a price; labels `over` and `currency`."""
_FAMILIES = {
    "state": "1 for the state that a resource is in.",
    "speculation_active": "1 while the stable variant speculates.",
    "hold": "1 while the evidence allows no verdict.",
    "condition": "1 for each condition of the resource, with its status and its reason.",
    "replicas": "Replicas by role.",
    "ready_replicas": "Replicas that serve, by role.",
    **dict(_FROM_EVIDENCE.values()),
    **dict(_FROM_VALUE.values()),
    **dict(_MONEY.values()),
}


class _Total(Collector):
    """A counter that somebody else keeps, read when it is asked for."""

    def __init__(self, name: str, text: str, read: Callable[[], float]) -> None:
        self._name, self._text, self._read = name, text, read

    def collect(self) -> Iterator[Metric]:
        """The one sample."""
        yield CounterMetricFamily(self._name, self._text, value=self._read())


class Figures:
    """`control.ports.Recorder` on a registry of its own."""

    def __init__(self, registry: CollectorRegistry, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._registry = registry
        self.last_good_pass: float | None = None
        """Unix seconds of the end of the last pass without an error; None before the first."""
        self.last_good_turn: float | None = None
        """The same on the monotonic clock, which nobody can set."""

        disable_created_metrics()  # type: ignore[no-untyped-call] # a `_created` for each counter tells nobody anything
        ProcessCollector(registry=registry)
        build = Info("breakeven_build", "Release of the operator, and the Python it runs on.", registry=registry)
        build.info({"version": __version__, "python": platform.python_version()})
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

    def total(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Export what only grows, as `breakeven_<name>_total`, read when it is asked for."""
        self._registry.register(_Total(f"breakeven_{name}", text, read))

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
        put(key, "condition", [(_condition(c), 1.0) for c in status.conditions])
        put(key, "replicas", [(f',role="{v.role.value}"', float(v.wanted)) for v in details.variants])
        put(key, "ready_replicas", [(f',role="{v.role.value}"', float(v.ready)) for v in details.variants])
        evidence = (decision.evidence if decision else None) or details.evidence
        for field, (name, _) in _FROM_EVIDENCE.items():
            value: Decimal | None = getattr(evidence, field) if evidence else None
            put(key, name, [("", float(value))] if value is not None else [])
        sums = {"verdict": details.value.since_verdict, "day": details.value.day} if details.value else {}
        for field, (name, _) in _FROM_VALUE.items():
            put(key, name, [(f',over="{over}"', float(getattr(each, field))) for over, each in sums.items()])
        price = details.price
        for field, (name, _) in _MONEY.items():
            hours = {over: getattr(each, field) for over, each in sums.items()} if price else {}
            put(key, name, [(_money(over, price), float(price.of(h))) for over, h in hours.items() if price])

    def forgot(self, key: Key) -> None:
        """The resource is gone, and so are its series."""
        self._resources.forget(key)
        self._decisions.remove_by_labels({"namespace": key.namespace, "name": key.name})


def _money(over: str, price: Price) -> str:
    return label("over", over) + label("currency", price.currency)


def _condition(condition: Condition) -> str:
    return label("type", condition.type) + label("status", condition.status) + label("reason", condition.reason)
