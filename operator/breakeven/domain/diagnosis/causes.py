"""What the counters of a judged window say about the cause of a loss, one cause a function.

Break-even is E against R: a fall of E is the traffic or the draft, a rise of R is load, the engine or its neighbours.
The figures of the promotion are the reference. Each cause is found beyond one bound and kept until it is back behind a
nearer one, so that figures near a bound do not flap (docs/decisions.md, "Diagnosis").
"""

from collections.abc import Sequence
from dataclasses import dataclass

from breakeven.api.names import spoken_model
from breakeven.api.status import Source
from breakeven.api.variant import Variant
from breakeven.api.vocabulary import Reason
from breakeven.domain.counters.observation import Batch
from breakeven.domain.counters.windows import BATCHES, Span
from breakeven.domain.diagnosis.quantized_pairs import reference_of
from breakeven.domain.evidence import tails
from breakeven.domain.evidence.judgement import Held, Judged, Judgement
from breakeven.domain.measures import queues
from breakeven.domain.measures.acceptance import acceptance_ratio
from breakeven.domain.measures.figures import Sums, sums
from breakeven.domain.measures.outliers import outliers
from breakeven.domain.measures.statistics import LogRatio
from breakeven.domain.situation import Situation

POINTS = 0.05
"""Acceptance that within-day differences between workloads explain; a larger fall is named."""
STEP = 1.10
"""Step-time inflation that differs by less is the same."""
LOAD = 1.5
"""Load that differs by less is the same."""
NEAR_ZERO = 0.10
"""Acceptance below this is what an unrelated draft reaches."""
COLLAPSE = 0.25
"""Acceptance below this share of what it was is no change of traffic."""
NEARER = 0.6
"""Share of a bound's distance at which a cause that was found is kept."""
STEPPED = 0.75
"""Share of a fall that a step has within a third of the time; a straight decay has half of it there."""
SILENT = 3
"""Windows without a request that are idle: one alone can be chance."""
DECAY_BATCHES = 6 * BATCHES
"""Batches since the replicas settled in which a decay can be told from a step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One cause, with the figures it was found on."""

    reason: Reason
    message: str
    subject: str = ""
    """The pod that it is about: another pod is another cause. Empty: all replicas alike."""


def engine_fault(situation: Situation) -> Cause | None:
    """Replicas that speculate, or are on trial, and do not come up."""
    for variant in (situation.memory.canary, situation.stable):
        fleet = situation.fleet(variant) if variant is not None else None
        if variant is not None and fleet is not None and fleet.failing and (variant.speculates or situation.on_trial):
            return Cause(reason=Reason.ENGINE_FAULT, message=f"replicas do not come up: {fleet.failing}"[:1024])
    return None


def idle(situation: Situation, judgement: Judgement, *, held: bool) -> Cause | None:
    """The newest windows without a request, or without a draft."""
    seen = _newest(situation, judgement)
    if seen is None:
        return None
    few = max(1.0, situation.evidence.min_requests / 10) if held else 1.0
    if seen.finished is not None and seen.finished < few:
        minutes = f"{seen.length / 60:.0f} min"
        message = f"{seen.finished:.0f} requests finished in {minutes}: there is no traffic to judge"
        return Cause(reason=Reason.IDLE, message=message)
    if seen.drafted == 0 and seen.tokens:
        message = f"nothing was drafted for {seen.tokens:.0f} decoded tokens: the drafter found nothing to propose"
        return Cause(reason=Reason.IDLE, message=message)
    return None


def _newest(situation: Situation, judgement: Judgement) -> Sums | None:
    """The newest three windows of what speculates; before there are so many, the longest one that was not judged.

    A verdict can rest on a day of traffic that ended hours ago, so what was judged does not tell that it ended.
    """
    on = speculating(situation)
    arm = situation.arm(on) if on is not None else None
    if judgement.windows < SILENT or judgement.next_end is None or arm is None:
        return judgement.on if isinstance(judgement, Held) else None
    window = situation.evidence.window.total_seconds()
    end = judgement.next_end - window
    batches = Span(end - SILENT * window, end, SILENT).of(arm.batches)
    return sums(batches) if len(batches) > SILENT * BATCHES / 2 else None


def draft_mismatch(situation: Situation, judgement: Judgement, *, held: bool) -> Cause | None:
    """Acceptance near zero."""
    measured = _accepted(judgement)
    on = speculating(situation)
    if measured is None or on is None or on.draft is None:
        return None
    reference = situation.memory.reference.acceptance if situation.memory.reference is not None else None
    limit = max(NEAR_ZERO, COLLAPSE * float(reference)) if reference is not None else NEAR_ZERO
    value = measured.value / (2 - NEARER) if held else measured.upper()
    if value >= limit:
        return None
    was = f", and it was {reference} at the promotion" if reference is not None else ""
    who = f"the draft {spoken_model(on.draft.model)}" if on.draft.model else f"what {on.draft.method} proposes"
    # Nothing on the metrics page tells a wrong draft from traffic that it cannot guess.
    message = f"acceptance {measured.value:.3f}{was}: {who} does not fit the target, or not this traffic (temperature)"
    return Cause(reason=Reason.DRAFT_MISMATCH, message=message)


def quantization_penalty(situation: Situation, judgement: Judgement, *, held: bool) -> Cause | None:
    """Acceptance below that of the same pair without quantization."""
    measured, on = _accepted(judgement), speculating(situation)
    known = reference_of(situation, on) if on is not None else None
    if measured is None or known is None:
        return None
    points = situation.spec.thresholds.baseline_drop_points / 100
    fall = float(known) - (measured.value if held else measured.upper())
    if fall <= (points * NEARER if held else points):
        return None
    message = (
        f"acceptance {measured.value:.3f} against {known} of the unquantized pair, more than the"
        f" {situation.spec.thresholds.baseline_drop_points} points of spec.thresholds.baselineDropPoints"
    )
    return Cause(reason=Reason.QUANTIZATION_PENALTY, message=message)


def degraded(situation: Situation, judgement: Judgement, *, held: bool) -> Cause | None:
    """Acceptance that decays since the replicas started, bit by bit, while the control stays as it is.

    A step is other traffic; a decay in every third of the uptime at an unchanged load is the engine. The bounds do not
    depend on whether it was found before: the evidence only grows until the replicas restart. That takes hours of both
    arms and none of what was judged, so it is told as well when the sequential alarm finds the loss first.
    """
    on = speculating(situation)
    compared = isinstance(judgement, Judged) and judgement.off is not None
    if not compared or on is None or _fallen(situation, judgement, held=held) is None:
        return None
    fleet, arm, control = situation.fleet(on), situation.arm(on), situation.arm(on.baseline)
    if fleet is None or fleet.settled_since is None or arm is None or control is None:
        return None
    since = fleet.settled_since.timestamp()
    ours = [batch for batch in arm.batches if batch.start >= since]
    theirs = [batch for batch in control.batches if batch.start >= since]
    if min(len(ours), len(theirs)) < DECAY_BATCHES:
        return None
    parts = [acceptance_ratio(third) for third in _thirds(ours)]
    first, middle, last = parts
    if first is None or middle is None or last is None or first.lower() <= last.upper():
        return None
    fall = first.value - last.value
    early, late = first.value - middle.value, middle.value - last.value
    if fall <= POINTS or min(early, late) < 0.25 * fall or _stepped(ours) or not _steady(theirs):
        return None
    message = (
        f"acceptance decays with uptime: {first.value:.3f}, {middle.value:.3f}, {last.value:.3f} in the thirds since"
        " the replicas settled, while the control is stable: restart them (annotation breakeven.dev/command: restart)"
    )
    return Cause(reason=Reason.DEGRADED_UNTIL_RESTART, message=message)


def lagging_replica(situation: Situation, judgement: Judgement, *, held: bool) -> Cause | None:
    """One replica that accepts less or takes longer than its siblings: it pulls the mean of its arm down."""
    return _odd_one(situation, judgement, worse=True, held=held)


def leading_replica(situation: Situation, judgement: Judgement, *, held: bool) -> Cause | None:
    """One replica that does better than its siblings: it gets other requests, or runs something else."""
    return _odd_one(situation, judgement, worse=False, held=held)


def _odd_one(situation: Situation, judgement: Judgement, *, worse: bool, held: bool) -> Cause | None:
    known = situation.memory.diagnosis.subject if held and situation.memory.diagnosis is not None else ""
    fewest = situation.evidence.min_requests / 2
    for arm, batches in (
        ("", judgement.on_batches),
        (" of the control", judgement.off_batches if _live(judgement) else ()),
    ):
        for nearer in (NEARER, 1.0) if known else (1.0,):
            for odd in outliers(batches, min_requests=fewest, nearer=nearer):
                if odd.worse == worse and (nearer == 1.0 or odd.replica == known):
                    words = f"replica {odd.replica}{arm} is far from its siblings: {odd.in_words()}"
                    words += ": look at its node, or delete the pod"
                    return Cause(reason=Reason.OUTLIER_REPLICA, message=words, subject=odd.replica)
    return None


def load(situation: Situation, judgement: Judgement, *, held: bool) -> Cause | None:
    """More load: R rose with it, or the control queues as well."""
    ours, theirs = _queue(judgement.on_batches), _queue(judgement.off_batches)
    if judgement.off_batches and min(ours[0] - ours[1], theirs[0] - theirs[1]) > (
        -0.4 * queues.AT_LEAST if held else 0
    ):
        message = f"{ours[0]:.0f} requests wait per replica, and {theirs[0]:.0f} in the control: load, not speculation"
        return Cause(reason=Reason.LOAD, message=message)
    rose, before = _inflated(situation, judgement, held=held), situation.memory.reference
    if rose is None or before is None or before.load is None or judgement.on is None or judgement.on.load is None:
        return None
    if judgement.on.load < (1 + (LOAD - 1) * (NEARER if held else 1)) * float(before.load):
        return None
    words = f"load went from {before.load} to {judgement.on.load:.3g} output tokens per second and replica"
    return Cause(reason=Reason.LOAD, message=f"{rose}: {words}")


def mixed_traffic(situation: Situation, judgement: Judgement, *, held: bool) -> Cause | None:
    """The median better and the tail worse than the user allows: some requests gain what others pay."""
    if not _live(judgement):
        return None
    limits, before = situation.spec.thresholds.latency, situation.memory.diagnosis
    pairs = (
        ("TPOT", tails.TPOT, 1 + limits.max_p99_tpot_regression_percent / 100),
        ("TTFT", tails.TTFT, 1 + limits.max_ttft_regression_percent / 100),
    )
    if held and before is not None and not any(tails.has_histograms(judgement, pair) for _, pair, _ in pairs):
        return Cause(reason=Reason.MIXED_TRAFFIC, message=before.message)  # silence does not refute
    if not any(tails.might_be_mixed(situation, judgement, pair, 1 if held else limit) for _, pair, limit in pairs):
        return None
    figures: list[str] = []
    mixed = held
    for name, pair, limit in pairs:
        middle, tail = (tails.ratio(situation, judgement, each) for each in pair)
        if isinstance(middle, str) or isinstance(tail, str):
            continue
        figures.append(f"P50 {name} {middle.in_words()}, P{pair[1].q * 100:.0f} {name} {tail.in_words()}")
        mixed |= middle.surely_shorter and tail.surely_longer and tail.value > limit
    if not mixed:
        return None
    message = f"{'; '.join(figures)}: some requests gain and others lose, by kind of request or by load"
    return Cause(reason=Reason.MIXED_TRAFFIC, message=message)


def temperature_shift(situation: Situation, judgement: Judgement, *, held: bool) -> Cause | None:
    """Acceptance fell, and that explains more of the loss than a rise of step times does."""
    fell, rose = _fallen(situation, judgement, held=held), _inflated(situation, judgement, held=held)
    if fell is None or (rose is not None and not _acceptance_outweighs(situation, judgement)):
        return None
    if rose is not None:
        message = f"{fell}, which explains more of the loss than {rose}: a higher temperature, or other traffic"
        return Cause(reason=Reason.TEMPERATURE_SHIFT, message=message)
    known = inflation(judgement) is not None
    steps = "step times did not rise" if known else "step times are not known"
    return Cause(reason=Reason.TEMPERATURE_SHIFT, message=f"{fell} and {steps}: a higher temperature, or other traffic")


def step_time(situation: Situation, judgement: Judgement, *, held: bool) -> Cause | None:
    """R rose and the load did not, and that explains more of the loss than a fall of acceptance does."""
    rose = _inflated(situation, judgement, held=held)
    if rose is None or _acceptance_outweighs(situation, judgement):
        return None
    return Cause(reason=Reason.STEP_TIME_ROSE, message=f"{rose} at the same load: the engine or its node")


def speculating(situation: Situation) -> Variant | None:
    """The speculating variant that is judged."""
    judged = situation.memory.canary if situation.on_trial else situation.stable
    return judged if judged is not None and judged.speculates else None


def inflation(judgement: Judgement) -> float | None:
    """R of the judged window; None when it cannot be determined.

    Without a live control R = E / S, where S rests on the stored time per output token at the present load.
    """
    off, on = judgement.off, judgement.on
    if on is None or not on.step_seconds:
        return None
    if off is not None:
        return on.step_seconds / off.step_seconds if off.step_seconds else None
    if not isinstance(judgement, Judged) or judgement.source is not Source.CALIBRATED:
        return None
    if judgement.speedup is None or on.tokens_per_step is None:
        return None
    if judgement.sudden:
        return None  # its S was worked out from a stored R
    return on.tokens_per_step / judgement.speedup.value


def _live(judgement: Judgement) -> bool:
    """Whether a live control was compared with."""
    return isinstance(judgement, Judged) and judgement.live_control


def _accepted(judgement: Judgement) -> LogRatio | None:
    """Accepted / drafted of what was judged, with bounds where there are batches enough; None when unknown.

    A sudden loss is shown by a few points, and its cause is gone with speculation when it is not told at once: there
    the figure stands for itself. So does nothing accepted at all, which has no relative error.
    """
    measured = acceptance_ratio(judgement.on_batches)
    value = judgement.on.acceptance if judgement.on is not None else None
    sudden = isinstance(judgement, Judged) and judgement.sudden
    if measured is not None or value is None or not (sudden or value == 0):
        return measured
    return LogRatio(value=value, error=0.0, freedom=1)


def _fallen(situation: Situation, judgement: Judgement, *, held: bool) -> str | None:
    """How far acceptance fell since the promotion, in words; None when it did not."""
    before, measured = situation.memory.reference, _accepted(judgement)
    if situation.on_trial or before is None or before.acceptance is None or measured is None:
        return None
    fall = float(before.acceptance) - (measured.value if held else measured.upper())
    if fall <= (POINTS * NEARER if held else POINTS):
        return None
    return f"acceptance fell from {before.acceptance} to {measured.value:.3f} since the promotion"


def _inflated(situation: Situation, judgement: Judgement, *, held: bool) -> str | None:
    """How far R rose since the promotion, in words; None when it did not."""
    before, present = situation.memory.reference, inflation(judgement)
    if situation.on_trial or before is None or before.inflation is None or present is None:
        return None
    if present <= (1 + (STEP - 1) * (NEARER if held else 1)) * float(before.inflation):
        return None
    return f"R rose from {before.inflation} to {present:.3f} since the promotion"


def _acceptance_outweighs(situation: Situation, judgement: Judgement) -> bool:
    """Whether E = 1 + k accepted/drafted fell by a larger factor than R rose by since the promotion; S = E / R."""
    before, present, on = situation.memory.reference, inflation(judgement), judgement.on
    if before is None or before.acceptance is None or not before.inflation or present is None:
        return False
    if on is None or on.draft_length is None or not on.tokens_per_step:
        return False
    was = 1 + on.draft_length * float(before.acceptance)
    return was / on.tokens_per_step > present / float(before.inflation)


def _queue(batches: Sequence[Batch]) -> tuple[float, float]:
    """Mean waiting requests per replica, and how many make a queue."""
    if not batches:
        return 0.0, queues.AT_LEAST
    waiting = sum(batch.gauges.waiting or 0.0 for batch in batches) / len(batches)
    running = sum(batch.gauges.running or 0.0 for batch in batches) / len(batches)
    return waiting, queues.bound(running)


def _thirds(batches: Sequence[Batch]) -> Sequence[Sequence[Batch]]:
    size = len(batches) // 3
    return batches[:size], batches[size : 2 * size], batches[2 * size :]


def _stepped(batches: Sequence[Batch]) -> bool:
    """Whether most of a fall of acceptance lies within a third of the time, wherever: then it is a step."""
    size = len(batches) // 6
    sixths = [acceptance_ratio(batches[i * size : (i + 1) * size]) for i in range(6)]
    values = [part.value for part in sixths if part is not None]
    if len(values) < len(sixths):
        return True
    within = max(values[i] - values[i + 2] for i in range(4))
    return within > STEPPED * (values[0] - values[5])


def _steady(batches: Sequence[Batch]) -> bool:
    """Whether step time and load of the control are the same in every third."""
    thirds = [sums(third) for third in _thirds(batches)]
    times = [third.step_seconds for third in thirds if third.step_seconds]
    loads = [third.load for third in thirds if third.load]
    if len(times) < len(thirds) or len(loads) < len(thirds):
        return False
    return max(times) <= STEP * min(times) and max(loads) <= LOAD * min(loads)
