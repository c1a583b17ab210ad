"""What a span says by `spec.objective`, beside the speed-up of decoding.

`Latency` asks for the time from request to last token, `Throughput` for tokens per second of a replica on which
requests wait, `Goodput` for the share of requests within bounds of latency. What cannot be measured is said, and the
next best decides: the time to the last token where no bound can be read, and decoding alone where the first token is
not counted or there is no live control.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import Enum
from math import hypot

from breakeven.api.evidence import AttainedStatus, JudgedBy, ObjectiveStatus, RatioStatus
from breakeven.api.spec import LatencyBound, ObjectiveKind, ObjectiveSpec
from breakeven.api.vocabulary import Reason
from breakeven.domain.counters.observation import Batch
from breakeven.domain.evidence.judgement import Judged
from breakeven.domain.evidence.tails import TPOT, TTFT
from breakeven.domain.measures.attainment import Attained, Estimate, Unread, attained, share
from breakeven.domain.measures.figures import rounded
from breakeven.domain.measures.statistics import LogRatio
from breakeven.domain.measures.throughput import queued, throughput
from breakeven.domain.measures.verdict import Bounds, Verdict

ONLY_DECODING_IS_STORED = "decoding alone was judged, because no more is stored of the control"
NO_FIRST_TOKEN = "decoding alone was judged: the time to the first token is not counted in both arms"
_HISTOGRAMS = {"ttft": TTFT[0].buckets, "tpot": TPOT[0].buckets}


@dataclass(frozen=True, slots=True, kw_only=True)
class Says:
    """A verdict by the objective."""

    verdict: Verdict
    words: str
    """The figures that it rests on, beside those of S."""
    status: ObjectiveStatus
    decisive: LogRatio | None = None
    """Above 1 is better: what a switch gains. None: S."""
    kept: bool = False
    """Requests stay within the bounds of the objective: a loss of decoding speed alone is none."""
    unread: str | None = None
    """What the objective asks for and the histograms do not have, in words without moving figures. None: not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Both arms over one span, the speed-up of decoding that they show, and the bounds that apply."""

    off: Sequence[Batch]
    on: Sequence[Batch]
    speedup: LogRatio
    to_last: LogRatio | None
    """The time to the last token without speculation over that with it. None: it cannot be measured."""
    bounds: Bounds
    widened: float = 1.0
    """Factor on errors, because neighbouring batches hang together."""
    nodes: float = 0.0
    """Relative error of the correction for the speed of the nodes."""


def says(objective: ObjectiveSpec, compared: Compared) -> Says:
    """The verdict over the live control."""
    to_last = compared.to_last
    if to_last is not None:
        to_last = replace(to_last, error=hypot(to_last.error, compared.nodes))
    if objective.kind is ObjectiveKind.THROUGHPUT:
        return _by_throughput(compared, to_last)
    latency = _by_latency(compared, to_last)
    return _by_goodput(objective, compared, latency) if objective.kind is ObjectiveKind.GOODPUT else latency


_LOSSES = {JudgedBy.GOODPUT: Reason.OBJECTIVE_MISSED, JudgedBy.THROUGHPUT: Reason.THROUGHPUT_LOST}


def loss_reason(judgement: Judged) -> Reason:
    """Why speculation leaves, in one word."""
    said = judgement.report.objective
    if said is not None and said.judged_by is JudgedBy.END_TO_END:
        waits = queued(judgement.on_batches) and not queued(judgement.off_batches)
        return Reason.QUEUE_GROWTH if waits else Reason.BELOW_BREAK_EVEN
    return _LOSSES.get(said.judged_by, Reason.BELOW_BREAK_EVEN) if said is not None else Reason.BELOW_BREAK_EVEN


def says_alone(objective: ObjectiveSpec, on: Sequence[Batch], verdict: Verdict, widened: float) -> Says:
    """What one arm says that is measured against the stored control, of which only the time per token is stored.

    With `Goodput` a loss of decoding speed alone is none where the bounds are kept, and bounds that are missed ask for
    the live control, whatever S says: only that can tell whether it would keep them.
    """
    status = ObjectiveStatus(judged_by=JudgedBy.DECODING)
    found = {name: share(on, float(b.seconds), _HISTOGRAMS[name]) for name, b in _asked(objective)}
    unread = _unread(objective, found, on)
    known = {name: each.widened(widened) for name, each in found.items() if isinstance(each, Estimate)}
    if not known:
        words = "" if objective.kind is ObjectiveKind.THROUGHPUT else ONLY_DECODING_IS_STORED
        return Says(verdict=verdict, words=words, status=status, unread=unread)
    wanted = {name: float(bound.quantile) for name, bound in _asked(objective)}
    shown = {name: _attained(bound, None, known[name]) for name, bound in _asked(objective) if name in known}
    status = ObjectiveStatus(judged_by=JudgedBy.GOODPUT, **shown)
    words = _shares(objective, known, {})
    if any(each.upper < wanted[name] for name, each in known.items()):
        return Says(verdict=Verdict.MARGINAL, words=words, status=status, unread=unread)
    kept = all(each.value >= wanted[name] for name, each in known.items())
    against = (Verdict.HURTS, Verdict.MARGINAL) if kept else (Verdict.PAYS,)
    says = Verdict.UNDECIDED if verdict in against else verdict  # the share says otherwise, or may do so
    return Says(verdict=says, words=words, status=status, kept=kept, unread=unread)


def _by_latency(compared: Compared, to_last: LogRatio | None) -> Says:
    if to_last is None:
        status = ObjectiveStatus(judged_by=JudgedBy.DECODING)
        return Says(verdict=compared.bounds.judge(compared.speedup), words=NO_FIRST_TOKEN, status=status)
    return Says(
        verdict=compared.bounds.judge(to_last),
        words=f"{_bounded(to_last)} to the last token",
        status=ObjectiveStatus(judged_by=JudgedBy.END_TO_END, end_to_end=_ratio(to_last)),
        decisive=to_last,
    )


def _by_throughput(compared: Compared, to_last: LogRatio | None) -> Says:
    rate = throughput(compared.off, compared.on)
    told = _ratio(to_last) if to_last is not None else None
    if rate is None:
        status = ObjectiveStatus(judged_by=JudgedBy.DECODING, end_to_end=told)
        return Says(verdict=compared.bounds.judge(compared.speedup), words="", status=status, unread="")
    rate = rate.widened(compared.widened)
    return Says(
        verdict=compared.bounds.judge(rate),
        words=f"{_bounded(rate)} in tokens per second of a replica, while requests wait",
        status=ObjectiveStatus(judged_by=JudgedBy.THROUGHPUT, end_to_end=told, throughput=_ratio(rate)),
        decisive=rate,
        unread="",
    )


def _by_goodput(objective: ObjectiveSpec, compared: Compared, latency: Says) -> Says:
    """Bounds that are missed decide; where both arms keep them, or miss them alike, the time to the last token does."""
    found = {n: attained(compared.off, compared.on, float(b.seconds), _HISTOGRAMS[n]) for n, b in _asked(objective)}
    unread = _unread(objective, found, compared.on)
    known = {n: each.widened(compared.widened) for n, each in found.items() if isinstance(each, Attained)}
    if not known:
        missing = "no bound of spec.objective can be read"
        return replace(latency, words=f"{latency.words}; {missing}" if latency.words else missing, unread=unread)
    shown = {n: _attained(b, known[n].off, known[n].on) for n, b in _asked(objective) if n in known}
    shares = _shares(objective, {n: a.on for n, a in known.items()}, {n: a.off for n, a in known.items()})
    words = "; ".join(part for part in (latency.words, shares) if part)
    rated = {name: _rated(known[name], float(bound.quantile)) for name, bound in _asked(objective) if name in known}
    kept = all(each is not _Rated.MISSED and each is not _Rated.MAYBE_MISSED for each in rated.values())
    decided = _decided(set(rated.values()))
    if decided is None:
        status = latency.status.model_copy(update=shown)
        return replace(latency, words=words, status=status, unread=unread)
    gain = min((each.gain for each in known.values()), key=lambda g: g.value)
    if decided is Verdict.PAYS:
        gain = max((each.gain for each in known.values()), key=lambda g: g.value)
    status = ObjectiveStatus(judged_by=JudgedBy.GOODPUT, end_to_end=latency.status.end_to_end, **shown)
    decisive = LogRatio(value=max(1 + gain.value, 0.01), error=gain.error, freedom=gain.freedom)
    return Says(verdict=decided, words=words, status=status, decisive=decisive, kept=kept, unread=unread)


class _Rated(Enum):
    """One bound in both arms."""

    BETTER = "kept more often with speculation, where it is missed without"
    MISSED = "missed with speculation, and less so without"
    MAYBE_MISSED = "as missed by the figures, not by their bounds"
    ALIKE = "kept by both, or missed by both alike"


def _rated(found: Attained, wanted: float) -> _Rated:
    """What lies above the share that is asked for is slack: it is neither gained nor lost."""
    if found.on.upper < wanted and found.gain.upper < 0:
        return _Rated.MISSED
    if found.off.upper < wanted and found.gain.lower > 0:
        return _Rated.BETTER
    return _Rated.MAYBE_MISSED if found.on.value < wanted and found.gain.value < 0 else _Rated.ALIKE


def _decided(rated: set[_Rated]) -> Verdict | None:
    """None: the bounds do not tell the arms apart."""
    if _Rated.MISSED in rated:
        return Verdict.HURTS
    if _Rated.MAYBE_MISSED in rated:
        return Verdict.UNDECIDED
    return Verdict.PAYS if _Rated.BETTER in rated else None


def _asked(objective: ObjectiveSpec) -> list[tuple[str, LatencyBound]]:
    return [(n, b) for n, b in (("ttft", objective.ttft), ("tpot", objective.tpot)) if b is not None]


def _unread(objective: ObjectiveSpec, found: Mapping[str, object], on: Sequence[Batch]) -> str | None:
    """Which bounds the histograms do not have, and what to write instead; None where no histogram was read."""
    if objective.kind is ObjectiveKind.THROUGHPUT:
        return ""
    if not found or not any(batch.totals.ttft_buckets or batch.totals.tpot_buckets for batch in on):
        return None
    parts = []
    for name, bound in _asked(objective):
        each = found[name]
        if name == "tpot" and not any(batch.totals.tpot_buckets for batch in on):
            parts.append("spec.objective.tpot cannot be read: vLLM counts that of each request from 0.11.0 on")
        if isinstance(each, Unread):
            near = " or ".join(f"{at:g}" for at in (each.below, each.above) if at is not None)
            parts.append(
                f"spec.objective.{name}.seconds {bound.seconds} is no bound of the engine's histogram: write {near}, or"
                " run vLLM 0.32.0 or newer (spec.engine.image); it is not judged meanwhile"
            )
    return "; ".join(parts)


def _shares(objective: ObjectiveSpec, on: Mapping[str, Estimate], off: Mapping[str, Estimate]) -> str:
    parts = []
    for name, bound in _asked(objective):
        if name not in on:
            continue
        against = f" against {off[name].value:.2%}" if name in off else ""
        within = f"within {bound.seconds} s ({float(bound.quantile):.4g} wanted)"
        parts.append(f"{on[name].value:.2%}{against} of {name.upper()} {within}")
    return ", ".join(parts)


def _bounded(ratio: LogRatio) -> str:
    return f"{ratio.value:.3f} [{ratio.lower():.3f}, {min(ratio.upper(), 999):.3f}]"


def _ratio(ratio: LogRatio) -> RatioStatus | None:
    value, lower, upper = (rounded(each) for each in (ratio.value, ratio.lower(), ratio.upper()))
    if value is None or lower is None or upper is None:
        return None
    return RatioStatus(value=value, lower=lower, upper=upper)


def _attained(bound: LatencyBound, off: Estimate | None, on: Estimate) -> AttainedStatus:
    without = rounded(off.value) if off is not None else None
    ours = rounded(on.value) or Decimal(0)
    return AttainedStatus(seconds=bound.seconds, quantile=bound.quantile, off=without, on=ours)
