"""The cause is named apart from the action, kept without flapping, and written only when it changes."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.api.status import DiagnosisStatus, EvidenceStatus, Memory, PlainPair, Source, State
from breakeven.api.variant import declared_variant
from breakeven.api.vocabulary import HoldReason, Reason
from breakeven.domain.counters.observation import Arm, Batch, Fleet, Gauges, Observation, Totals
from breakeven.domain.counters.windows import Span
from breakeven.domain.decision import Declared, Hold
from breakeven.domain.diagnosis.diagnosis import examined
from breakeven.domain.diagnosis.quantized_pairs import pair_of
from breakeven.domain.evidence.judgement import Held, Judged, Judgement, Nothing
from breakeven.domain.measures.figures import sums
from breakeven.domain.measures.statistics import LogRatio
from breakeven.domain.measures.verdict import Verdict
from breakeven.domain.report.conditions import findings
from breakeven.domain.situation import Situation, situation_at

from ..conftest import START, spec_of

Make = Callable[..., Any]
REFERENCE = EvidenceStatus(acceptance=Decimal("0.45"), inflation=Decimal("1.5"), load=Decimal("50"))
BOUNDS = [0.002 * 1.18**i for i in range(28)] + [float("inf")]


def batches(
    *, step: float = 0.03, acceptance: float = 0.45, load: float = 50.0, waiting: float = 0.0, count: int = 10
) -> tuple[Batch, ...]:
    found = []
    for i in range(count):
        steps = load * 60 / (1 + 3 * acceptance) * (1 + 0.01 * (i % 3 - 1))
        totals = Totals(
            generation_tokens=steps * (1 + 3 * acceptance) + 20,
            first_tokens=20.0,
            steps=steps,
            step_seconds=steps * step,
            finished=20.0,
            failed=0.0,
            drafts=steps,
            drafted=3 * steps,
            accepted=3 * steps * acceptance,
        )
        start = START.timestamp() + 60 * i
        gauges = Gauges(running=4.0, waiting=waiting)
        found.append(Batch(start=start, end=start + 60, totals=totals, gauges=gauges, replicas=1))
    return tuple(found)


def with_requests(arm: tuple[Batch, ...], seconds: dict[float, int]) -> tuple[Batch, ...]:
    """The same arm with so many requests per batch at each time per output token."""
    buckets = tuple((bound, float(sum(n for t, n in seconds.items() if t <= bound))) for bound in BOUNDS)
    return tuple(replace(batch, totals=replace(batch.totals, tpot_buckets=buckets)) for batch in arm)


PLAIN = batches(step=0.02, acceptance=0.0)


def judged(on: tuple[Batch, ...], off: tuple[Batch, ...] = PLAIN) -> Judged:
    return Judged(
        verdict=Verdict.PAYS,
        source=Source.MEASURED,
        span=Span(on[0].start, on[-1].end, 1),
        speedup=None,
        off=sums(off),
        on=sums(on),
        off_batches=off,
        on_batches=on,
        live_control=True,
        report=EvidenceStatus(),
    )


def moment(spec: SpeculativeDeploymentSpec | None = None, **memory: Any) -> Situation:
    spec = spec or spec_of()
    known = {"state": State.SPECULATING, "stable": declared_variant(spec), "reference": REFERENCE} | memory
    return situation_at(Declared(spec=spec, generation=1), Memory.model_validate(known), Observation(), START)


def reason(situation: Situation, judgement: Judgement) -> str:
    diagnosis = examined(situation, judgement).diagnosis
    return "" if diagnosis is None else diagnosis.reason


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        (batches(), ""),
        (batches(acceptance=0.41), ""),
        (batches(acceptance=0.35), "TemperatureShift"),
        (batches(acceptance=0.05), "DraftMismatch"),
        (batches(step=0.04, load=150), "Load"),
        (batches(step=0.04), "StepTimeRose"),
    ],
)
def test_the_cause_is_what_changed(on: tuple[Batch, ...], expected: str) -> None:
    assert reason(moment(), judged(on)) == expected


def test_a_sudden_loss_has_its_cause_from_a_few_points() -> None:
    on, off = batches(acceptance=0.30, count=3), PLAIN[:3]
    assert reason(moment(), judged(on, off)) == ""
    assert reason(moment(), replace(judged(on, off), sudden=True)) == "TemperatureShift"
    assert reason(moment(), replace(judged(batches(count=3), off), sudden=True)) == ""


def test_a_draft_of_which_nothing_is_accepted_is_a_mismatch() -> None:
    assert reason(moment(), judged(batches(acceptance=0.0))) == "DraftMismatch"
    silent = tuple(replace(b, totals=replace(b.totals, drafts=0.0, drafted=0.0)) for b in batches(acceptance=0.0))
    assert reason(moment(reference=None), judged(silent)) == ""


def test_a_sudden_loss_against_stored_step_times_says_nothing_about_them() -> None:
    on = batches(step=0.06, acceptance=0.30)
    stored = replace(
        judged(on, ()),
        off=None,
        live_control=False,
        source=Source.CALIBRATED,
        speedup=LogRatio(value=0.7, error=0.01, freedom=9),
    )
    now = moment(reference=REFERENCE.model_copy(update={"acceptance": Decimal("0.32")}))
    assert reason(now, stored) == "StepTimeRose"
    assert reason(now, replace(stored, sudden=True)) == ""


def test_queues_in_both_arms_are_load_and_in_one_are_not() -> None:
    both = judged(batches(waiting=20), batches(step=0.02, acceptance=0, waiting=20))
    assert reason(moment(), both) == "Load"
    assert reason(moment(), judged(batches(waiting=20))) == ""


def test_a_better_median_and_a_worse_tail_are_mixed_traffic() -> None:
    on = with_requests(batches(), {0.012: 150, 0.040: 20})
    off = with_requests(PLAIN, {0.022: 168, 0.030: 2})
    assert reason(moment(), judged(on, off)) == "MixedTraffic"
    assert reason(moment(), judged(with_requests(batches(), {0.012: 168, 0.020: 2}), off)) == ""


def test_a_quantized_pair_is_compared_with_the_recorded_one_only() -> None:
    spec = spec_of(target={"model": "meta-llama/Llama-3.1-70B-Instruct", "quantization": "FP8"})
    pair = pair_of(declared_variant(spec_of()))
    known = PlainPair(pair=pair, acceptance=Decimal("0.6"), measured_at=START)
    reference = REFERENCE.model_copy(update={"acceptance": Decimal("0.46")})
    low = judged(batches(acceptance=0.45))
    assert reason(moment(spec, unquantized=known, reference=reference), low) == "QuantizationPenalty"
    assert reason(moment(spec, reference=reference), low) == ""
    other = known.model_copy(update={"pair": "other"})
    assert reason(moment(spec, unquantized=other, reference=reference), low) == ""
    said = findings(moment(spec, evidence=REFERENCE), low)[-1]
    assert "unknown" in said.message
    assert "spec.quantizationReference" in said.message


def test_a_quantized_checkpoint_of_another_name_is_compared_with_the_one_it_was_made_from() -> None:
    made = {"model": "RedHatAI/Llama-3.1-70B-Instruct-FP8"}
    named = {"target": "meta-llama/Llama-3.1-70B-Instruct"}
    known = PlainPair(pair=pair_of(declared_variant(spec_of())), acceptance=Decimal("0.6"), measured_at=START)
    reference = REFERENCE.model_copy(update={"acceptance": Decimal("0.46")})
    low = judged(batches(acceptance=0.45))
    spec = spec_of(target=made, quantizationReference=named)
    assert reason(moment(spec, unquantized=known, reference=reference), low) == "QuantizationPenalty"
    assert reason(moment(spec_of(target=made), unquantized=known, reference=reference), low) == ""
    assert reason(moment(spec_of(quantizationReference=named), unquantized=known, reference=reference), low) == ""


def test_an_acceptance_that_was_measured_elsewhere_is_compared_with() -> None:
    quantized = {"model": "meta-llama/Llama-3.1-70B-Instruct", "quantization": "FP8"}
    reference = REFERENCE.model_copy(update={"acceptance": Decimal("0.46")})
    low = judged(batches(acceptance=0.45))
    declared = spec_of(target=quantized, quantizationReference={"acceptance": "0.6"})
    assert reason(moment(declared, reference=reference), low) == "QuantizationPenalty"
    near = spec_of(target=quantized, quantizationReference={"acceptance": "0.47"})
    assert reason(moment(near, reference=reference), low) == ""


def decaying(shape: list[float]) -> Judged:
    parts = [batches(acceptance=a, count=90 // len(shape)) for a in shape]
    flat = [batch for part in parts for batch in part]
    ours = tuple(
        replace(batch, start=START.timestamp() + 60 * i, end=START.timestamp() + 60 * i + 60)
        for i, batch in enumerate(flat)
    )
    return judged(ours, batches(step=0.02, acceptance=0.0, count=len(ours)))


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ([0.45, 0.36, 0.27], "DegradedUntilRestart"),
        ([0.45, 0.42, 0.39, 0.36, 0.33, 0.30], "DegradedUntilRestart"),
        ([0.45, 0.27, 0.27], "TemperatureShift"),
        ([0.45, 0.45, 0.45, 0.27, 0.27, 0.27], "TemperatureShift"),  # the mean of the middle third lies between
    ],
)
def test_a_decay_with_uptime_is_told_from_a_step(shape: list[float], expected: str) -> None:
    now, found = moment(), decaying(shape)
    newest = judged(found.on_batches[-10:], found.off_batches[-10:])
    on = declared_variant(now.spec)
    seen = Observation(
        arms={
            on.name: Arm(variant=on.name, batches=found.on_batches, ready=1, scraped=1),
            on.baseline.name: Arm(variant=on.baseline.name, batches=found.off_batches, ready=1, scraped=1),
        },
        fleet={on.name: Fleet(variant=on.name, wanted=1, existing=1, ready=1, settled_since=START)},
    )
    assert reason(replace(now, observation=seen), newest) == expected


def test_without_traffic_it_is_idle_until_some_comes_back() -> None:
    hold = Hold(reason=HoldReason.TOO_FEW_REQUESTS, message="")
    silent = replace(sums(batches()), finished=0.0, tokens=0.0)
    idle = examined(moment(), Held(hold=hold, on=silent))
    assert idle.diagnosis is not None and idle.diagnosis.reason == Reason.IDLE
    now = moment().with_memory(idle)
    trickle = Held(hold=hold, on=replace(silent, finished=2.0))
    assert examined(now, trickle) is idle
    assert examined(now, judged(batches())).diagnosis is None


def test_a_drafter_that_proposes_nothing_is_idle() -> None:
    silent = replace(sums(batches()), drafted=0.0)
    found = Held(hold=Hold(reason=HoldReason.TOO_FEW_DRAFTS, message=""), on=silent)
    assert reason(moment(), found) == "Idle"


def test_replicas_that_do_not_come_up_are_an_engine_fault_until_they_do() -> None:
    now = moment()
    name = declared_variant(now.spec).name
    down = Fleet(variant=name, wanted=1, existing=1, ready=0, failing="CrashLoopBackOff")
    broken = examined(replace(now, observation=Observation(fleet={name: down})), Nothing())
    assert broken.diagnosis is not None and broken.diagnosis.reason == "EngineFault"
    assert examined(now.with_memory(broken), Nothing()) is broken
    up = Fleet(variant=name, wanted=1, existing=1, ready=1, settled_since=START)
    well = replace(now, observation=Observation(fleet={name: up})).with_memory(broken)
    assert examined(well, Nothing()).diagnosis is None


def test_near_its_bound_a_cause_neither_flaps_nor_is_written_again() -> None:
    shift = DiagnosisStatus(reason="TemperatureShift", message="as found", since=START)
    held = moment(diagnosis=shift)
    nearer = judged(batches(acceptance=0.41))
    assert examined(held, nearer) is held.memory
    assert examined(moment(), nearer).diagnosis is None
    assert examined(held, judged(batches(acceptance=0.44))).diagnosis is None


def test_without_a_reference_no_change_is_claimed() -> None:
    assert reason(moment(reference=None), judged(batches(acceptance=0.35))) == ""


def test_the_cause_stands_in_the_decision_and_stays_while_speculation_is_off(world: Make) -> None:
    w = world()
    w.until(State.SPECULATING)
    w.run(timedelta(hours=1))
    assert w.memory.diagnosis is None
    w.speedup = lambda variant: 0.8 if variant.speculates else 1.0
    w.until(State.COOLDOWN)
    assert w.memory.diagnosis.reason == "StepTimeRose"
    assert "R rose" in w.memory.decisions[0].message
    w.step()
    assert w.memory.diagnosis.reason == "StepTimeRose"


@pytest.mark.parametrize(
    ("acceptance", "verdict", "expected"),
    [
        (0.16, Verdict.HURTS, "BelowBreakEven"),
        (0.16, Verdict.MARGINAL, "Healthy"),
        (0.20, Verdict.HURTS, "Healthy"),
    ],
)
def test_acceptance_below_break_even_is_unhealthy_when_the_verdict_says_so(
    acceptance: float, verdict: Verdict, expected: str
) -> None:
    report = EvidenceStatus(break_even_acceptance=Decimal("0.18"))
    found = replace(judged(batches(acceptance=acceptance)), verdict=verdict, report=report)
    said = next(f for f in findings(moment(), found) if f.type == "AcceptanceHealthy")
    assert (said.reason, said.status) == (expected, expected == "Healthy")


def test_acceptance_is_unhealthy_with_a_quantization_penalty_and_unknown_before_anything_was_judged() -> None:
    penalty = DiagnosisStatus(reason="QuantizationPenalty", message="as found", since=START)
    said = next(f for f in findings(moment(diagnosis=penalty), judged(batches())) if f.type == "AcceptanceHealthy")
    assert (said.status, said.reason, said.message) == (False, "QuantizationPenalty", "as found")
    said = next(f for f in findings(moment(), Nothing()) if f.type == "AcceptanceHealthy")
    assert (said.status, said.reason) == (None, "NoData")
    assert not [f for f in findings(moment(evidence=REFERENCE), Nothing()) if f.type == "AcceptanceHealthy"]
