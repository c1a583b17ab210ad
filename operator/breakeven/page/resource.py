"""The page of one resource: what it does, why, on which figures, since when, and what came of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from breakeven.api.conditions import ConditionType, find_condition
from breakeven.api.price import Price
from breakeven.api.status import DecisionRecord, EvidenceStatus, LoadBand, Status
from breakeven.api.text import first_sentence
from breakeven.api.value import ValueSums
from breakeven.page.fleet import speculates, state_tag
from breakeven.page.history import Sample
from breakeven.page.text import NONE, Html, Table, element, facts, joined, listed, said, section, table
from breakeven.page.timeline import timeline
from breakeven.plugin.card import Card, card
from breakeven.plugin.moments import since
from breakeven.plugin.resources import Found, read

_ROWS = 30
"""Samples in the table beside the timeline, the newest."""


def resource(body: Mapping[str, Any], samples: Sequence[Sample], now: datetime) -> Html:
    """The page of a resource from its body and its past; whatever is missing in them is left out."""
    found = read(dict(body))
    shown, status = card(found, now), found.status
    return joined(
        [
            _head(found, shown),
            section("Look at", listed(shown.attention), "warn"),
            _now(found, shown, now),
            _past(status, samples, now),
            section("Decisions", _decisions(status.memory.decisions, now)),
            section("The figures of the last verdict", _figures(status.details.evidence)),
            section("Replicas by variant", _variants(status)),
            section("Gained, and what knowing cost", _gained(status)),
            section("Measured by load", _profile(status.memory.profile, now)),
            section("Remarks", listed(status.remarks.split("; ") if status.remarks else ())),
            section("Conditions", _conditions(status, now)),
        ]
    )


def _head(found: Found, shown: Card) -> Html:
    kind = "bad" if shown.needs_person else "good" if speculates(found.status) else ""
    active = find_condition(found.status.conditions, ConditionType.SPECULATION_ACTIVE)
    said_of_it = found.status.message or (active.message if active else "")
    headline = first_sentence(said_of_it) or "The operator has not looked at it yet."
    return joined(
        [
            Html(f"<p class='kicker'>{said(found.namespace)}/{said(found.name)}</p>"),
            element("h1", said(headline), kind),
        ]
    )


def _now(found: Found, shown: Card, now: datetime) -> Html:
    status = found.status
    entered = f" since {said(since(status.since, now))}" if status.since else ""
    return facts(
        [
            ("State", Html(f"{state_tag(found, wrong=shown.needs_person)}{entered}")),
            ("Ready", said(status.ready)),
            ("Mode", said(shown.mode)),
            ("vLLM", said(status.engine_version)),
            ("Why", said(shown.why)),
            ("Not judged", said(status.hold)),
            ("Waits", said(status.waiting)),
            ("Next", said(shown.next)),
            ("Changes it", said(shown.changes)),
            ("Command", said(status.command)),
        ]
    )


def _past(status: Status, samples: Sequence[Sample], now: datetime) -> Html:
    picture = timeline(_with_evidence(samples, status.details.evidence), status.memory.decisions, now)
    if not picture:
        return Html("")
    note = (
        "Speed-up with its bounds; below the dashed 1 speculation loses. Acceptance (whole line) pays above its "
        "break-even (dashed). Replicas with speculation in colour, those without in grey. Numbers are the decisions "
        "below. What is drawn begins with this process of the operator, at most seven days ago."
    )
    caption = element("figcaption", said(note))
    rows = [_sample(s) for s in reversed(samples[-_ROWS:])]
    columns = ("At", "S", "Lower", "Upper", "Acceptance", "Break-even", "Tokens/s per replica", "Speculating", "Plain")
    inside = table(Table("What the timeline shows", columns, rows)) if rows else Html("")
    unfolded = Html(f"<details><summary>As a table</summary>{inside}</details>") if rows else Html("")
    return section("Timeline", joined([element("figure", joined([picture, caption])), unfolded]))


def _with_evidence(samples: Sequence[Sample], evidence: EvidenceStatus | None) -> list[Sample]:
    """The samples, and the figures of the status where they are from before the first of them."""
    if evidence is None or evidence.window_end is None or (samples and evidence.window_end >= samples[0].at):
        return list(samples)
    figures = (
        evidence.speedup, evidence.speedup_lower, evidence.speedup_upper,
        evidence.acceptance, evidence.break_even_acceptance, evidence.load,
    )  # fmt: skip
    first = samples[0] if samples else None
    running = (first.speculating, first.plain) if first else (0, 0)
    floats = (float(f) if f is not None else None for f in figures)
    return [Sample(evidence.window_end, *running, evidence.window_end, *floats), *samples]


def _sample(sample: Sample) -> list[Html]:
    figures = (
        sample.speedup, sample.lower, sample.upper, sample.acceptance, sample.break_even, sample.load,
    )  # fmt: skip
    shown = [NONE if f is None else said(f"{f:.3g}") for f in figures]
    return [said(f"{sample.at:%m-%d %H:%M:%S}"), *shown, said(sample.speculating), said(sample.plain)]


def _decisions(decisions: Sequence[DecisionRecord], now: datetime) -> Html:
    rows = [
        [said(place), said(since(d.at, now)), said(d.action), said(d.reason), said(d.message)]
        for place, d in enumerate(decisions, 1)
    ]
    columns = ("No.", "When", "What", "Why", "Reason and figures")
    return table(Table("Decisions, newest first", columns, rows)) if rows else Html("")


def _figures(evidence: EvidenceStatus | None) -> Html:
    if evidence is None:
        return Html("")
    bounds = f"[{_number(evidence.speedup_lower)}, {_number(evidence.speedup_upper)}]"
    rows: list[tuple[str, Any, str]] = [
        ("S", evidence.speedup, f"speed-up: TPOT without / with, bounds {bounds}"),
        ("E", evidence.tokens_per_step, "tokens a request gets in a step with speculation"),
        ("R", evidence.inflation, "step time with / without"),
        ("Acceptance", evidence.acceptance, "accepted / drafted tokens"),
        ("Break-even acceptance", evidence.break_even_acceptance, "acceptance at which S would be 1"),
        ("TPOT without", evidence.tpot_off_ms, "ms, mean"),
        ("TPOT with", evidence.tpot_on_ms, "ms, mean"),
        ("TTFT P95 without", evidence.ttft_p95_off_ms, "ms"),
        ("TTFT P95 with", evidence.ttft_p95_on_ms, "ms"),
        ("Load", evidence.load, "output tokens per second and replica with speculation"),
        ("Requests", evidence.requests, "finished in the window, the smaller arm"),
    ]
    source = f"{evidence.source or 'Not measured'}{f': {evidence.verdict}' if evidence.verdict else ''}"
    until = f", window until {evidence.window_end:%Y-%m-%d %H:%M:%S} UTC" if evidence.window_end else ""
    measured = [[said(name), said(value), said(meaning)] for name, value, meaning in rows if value is not None]
    shown = table(Table("Figures", ("Figure", "Value", "Meaning"), measured)) if measured else Html("")
    return joined([element("p", said(f"{source}{until}. {evidence.message}".strip()), "caption"), shown])


def _variants(status: Status) -> Html:
    rows = [
        [said(v.name), said(v.role), said(v.speculation), said(f"{v.ready}/{v.wanted}"), _or_none(v.awake)]
        for v in status.details.variants
    ]
    columns = ("Variant", "Role", "Drafts with", "Ready", "Awake in")
    return table(Table("Replicas by variant", columns, rows)) if rows else Html("")


def _gained(status: Status) -> Html:
    value, price = status.details.value, status.details.price
    if value is None:
        return Html("")
    since_verdict = f"Since {value.since:%Y-%m-%d %H:%M} UTC"
    rows = [_sums("24 h", value.day, price), _sums(since_verdict, value.since_verdict, price)]
    money = ("Worth", "At least", "Control cost") if price else ()
    columns = (
        "Over", "Tokens gained", "At least", "Replica-hours saved", "At least", "Control cost, tokens",
        "Control cost, replica-hours", *money,
    )  # fmt: skip
    note = (
        "Against serving the same without speculation, in judged windows only; at least: with the lower bound of S. "
        "The live control costs what its replicas would have decoded more with speculation."
    )
    return joined([table(Table("What speculation gained", columns, rows)), element("p", said(note), "caption")])


def _sums(over: str, sums: ValueSums, price: Price | None) -> list[Html]:
    hours = (sums.replica_hours, sums.replica_hours_lower, sums.cost_replica_hours)
    cells = [
        f"{sums.tokens:,}", f"{sums.tokens_lower:,}", f"{hours[0]:.2f}", f"{hours[1]:.2f}",
        f"{sums.cost_tokens:,}", f"{hours[2]:.2f}",
    ]  # fmt: skip
    money = [price.shown(price.of(each)) for each in hours] if price else []
    return [said(each) for each in (over, *cells, *money)]


def _profile(profile: Sequence[LoadBand], now: datetime) -> Html:
    rows = [
        [
            said(band.load),
            _or_none(band.running),
            said(band.off_tpot_ms),
            _or_none(band.inflation),
            _or_none(band.speedup),
            said(band.variant),
            said(since(band.measured_at, now)),
        ]
        for band in sorted(profile, key=lambda band: band.load)
    ]
    columns = (
        "Tokens/s per replica", "Running requests", "TPOT without, ms", "R", "S", "Variant", "Measured",
    )  # fmt: skip
    return table(Table("What was measured in each band of load", columns, rows)) if rows else Html("")


def _conditions(status: Status, now: datetime) -> Html:
    rows = [
        [said(c.type), said(c.status), said(c.reason), said(since(c.last_transition_time, now)), said(c.message)]
        for c in status.conditions
    ]
    return table(Table("Conditions", ("Type", "Status", "Reason", "Since", "Message"), rows)) if rows else Html("")


def _or_none(value: object) -> Html:
    return NONE if value is None else said(value)


def _number(value: Decimal | None) -> str:
    return "–" if value is None else str(value)
