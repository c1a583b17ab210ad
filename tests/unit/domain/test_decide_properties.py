"""What holds for every input, not only for the stories."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.support import statuses

from breakeven.api.choices import SwitchingMode
from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.api.status import DiagnosisStatus, LastGood, LoadBand, Memory, Remedy, State
from breakeven.api.variant import Variant, declared_variant
from breakeven.domain.counters.batches import share_of
from breakeven.domain.counters.observation import Arm, Batch, Fleet, Gauges, Observation, Outage, Smoke, Totals
from breakeven.domain.decide import decide
from breakeven.domain.decision import Decision, Declared
from breakeven.domain.rules.cooldown import WARM, recent

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
counts = st.one_of(st.none(), st.floats(min_value=0, max_value=1e9), st.sampled_from([0.0, 1.0, 1e-300, 1e300]))
causes = st.sampled_from(["Load", "DegradedUntilRestart", "DraftMismatch", "TemperatureShift", "Idle", "Unheard"])
figures = st.sampled_from([None, Decimal("0.5"), Decimal("1.4"), Decimal("16")])
moments = st.integers(-200_000, 2_000).map(lambda seconds: NOW + timedelta(seconds=seconds))


@st.composite
def specs(draw: st.DrawFn) -> SpeculativeDeploymentSpec:
    policy: dict[str, Any] = {
        "mode": draw(st.sampled_from(["Auto", "Auto", "Auto", "Advise", "AlwaysOn", "AlwaysOff"])),
        "paused": draw(st.integers(0, 9)) == 0,
        "holdback": {"mode": draw(st.sampled_from(["Auto", "Always", "Never"])), "replicas": draw(st.integers(1, 3))},
        "switching": {
            "mode": draw(st.sampled_from(["Reload", "Warm"])),
            "surge": draw(st.integers(0, 1)),
            "allowDowntime": draw(st.booleans()),
        },
        "maxTransitionsPerDay": draw(st.integers(0, 4)),
    }
    document: dict[str, Any] = {
        "replicas": draw(st.integers(0, 6)),
        "engine": {"image": draw(st.sampled_from(["vllm/vllm-openai:v0.33.0", "vllm/vllm-openai:v0.32.0"]))},
        "target": {"model": draw(st.sampled_from(["a/target", "b/target"]))},
        "evidence": {"window": draw(st.sampled_from(["20s", "10m"])), "minRequests": draw(st.sampled_from([0, 10]))},
        "thresholds": {"acceptance": draw(st.sampled_from([{}, {"floor": "0.5", "healthy": "0.7"}]))},
        "policy": policy,
    }
    if policy["mode"] == "AlwaysOn" or draw(st.integers(0, 4)):
        document["draft"] = {"model": "a/draft", "numSpeculativeTokens": draw(st.integers(1, 4))}
    if document["replicas"] < 4 and policy["holdback"]["mode"] == "Always":
        document["replicas"] = 4
    return SpeculativeDeploymentSpec.model_validate(document)


@st.composite
def memories(draw: st.DrawFn, spec: SpeculativeDeploymentSpec) -> Memory:
    wished = declared_variant(spec)
    older = wished.model_copy(update={"engine": wished.engine.model_copy(update={"image": "vllm/vllm-openai:v0.31.0"})})
    some = st.sampled_from([None, wished, wished.baseline, older, older.baseline])
    last = draw(some)
    bands = [
        LoadBand(
            load=draw(st.sampled_from([Decimal("40"), Decimal("100")])),
            off_tpot_ms=Decimal("20"),
            spread=Decimal("0.01"),
            measured_at=when,
            variant=draw(st.sampled_from(["x", wished.name])),
            inflation=draw(figures),
            speedup=draw(figures),
            running=draw(figures),
        )
        for when in draw(st.lists(moments, max_size=2))
    ]
    return Memory(
        generation=draw(st.integers(0, 2)),
        state=draw(st.sampled_from(list(State))),
        since=draw(st.none() | moments),
        stable=draw(some),
        canary=draw(some),
        holdback=draw(st.booleans()),
        last_good=LastGood(variant=last, verified_at=NOW, reason="x") if last else None,
        hours=draw(st.sampled_from(["", "PL." * 8])),
        bursts=draw(st.lists(moments, max_size=3)),
        alarmed_at=draw(st.none() | moments),
        attempts=draw(st.integers(0, 100)),
        cooldown_until=draw(st.none() | moments),
        transitions=draw(st.lists(moments, max_size=4)),
        tried=draw(st.lists(st.sampled_from([wished.name, older.name]), max_size=2)),
        profile=bands,
        mode=draw(st.sampled_from(["", "Auto", "AlwaysOn"])),
        blind_since=draw(st.none() | moments),
        evidence_after=draw(st.none() | moments),
        unverified_since=draw(st.none() | moments),
        remedies=[
            Remedy(action=draw(st.sampled_from(["Schedule", "Longer", "Restart"])), variant=of, at=when)
            for of, when in draw(st.lists(st.tuples(st.sampled_from([wished.name, older.name]), moments), max_size=3))
        ],
        diagnosis=draw(st.none() | st.builds(DiagnosisStatus, reason=causes, message=st.just("x"), since=moments)),
        tuned_length=draw(st.none() | st.integers(1, 4)),
        failed_at_load=draw(st.none() | st.sampled_from([Decimal("0.001"), Decimal("80"), Decimal("1000000")])),
    )


@st.composite
def batches(draw: st.DrawFn, length: float, counted: tuple[int, ...] = (0, 3, 10, 60)) -> tuple[Batch, ...]:
    count = draw(st.sampled_from(counted))
    shape = [draw(counts) for _ in range(9)]
    first = NOW.timestamp() - count * length - draw(st.sampled_from([0.0, length, 100 * length]))
    gauges = Gauges(running=shape[8], waiting=shape[7], kv_usage=draw(st.sampled_from([None, 0.5, 1.0])))
    totals = Totals(
        generation_tokens=shape[0],
        first_tokens=shape[1],
        steps=shape[2],
        step_seconds=shape[3],
        finished=shape[1],
        failed=shape[4],
        preemptions=shape[4],
        drafts=shape[5],
        drafted=shape[6],
        accepted=shape[7],
        tpot_buckets=draw(st.sampled_from([(), ((0.02, 3.0), (float("inf"), 5.0)), ((float("inf"), 0.0),)])),
    )
    shares = draw(st.sampled_from([(), (share_of("pod-0", totals),)]))
    return tuple(
        Batch(
            start=first + i * length,
            end=first + (i + 1) * length,
            totals=totals,
            gauges=gauges,
            replicas=draw(st.sampled_from([0.5, 1])) if i == 0 else 1,
            shares=shares,
        )
        for i in range(count)
    )


@st.composite
def observations(draw: st.DrawFn, memory: Memory, spec: SpeculativeDeploymentSpec) -> Observation:
    wished = declared_variant(spec)
    known: dict[str, Variant] = {v.name: v for v in (wished, wished.baseline, memory.stable, memory.canary) if v}
    length = spec.evidence.window.total_seconds() / 10
    arms, fleet = {}, {}
    for name in known:
        ready = draw(st.integers(0, 3))
        if draw(st.integers(0, 5)):
            whole, newest = draw(batches(length)), draw(batches(length / 4, (0, 0, 2, 12)))
            arms[name] = Arm(variant=name, batches=whole, ready=ready, scraped=draw(st.integers(0, 3)), newest=newest)
        if draw(st.integers(0, 5)):
            fleet[name] = Fleet(
                variant=name,
                wanted=draw(st.integers(0, 3)),
                existing=ready,
                ready=ready,
                settled_since=draw(st.none() | moments),
                restarts=draw(st.integers(0, 4)),
                failing=draw(st.sampled_from(["", "", "CrashLoopBackOff"])),
                unschedulable=draw(st.sampled_from(["", "", "no node"])),
                smoke=draw(st.sampled_from(list(Smoke))),
            )
    outage = draw(st.sampled_from([None, None, Outage(reason="NoData", message="nothing")]))
    switch = draw(st.sampled_from([None, 0.0, 0.8, 30.0, float("nan"), float("inf"), -1.0]))
    return Observation(arms=arms, fleet=fleet, outage=outage, switch_seconds=switch)


@st.composite
def inputs(draw: st.DrawFn) -> tuple[Declared, Memory, Observation]:
    spec = draw(specs())
    memory = draw(memories(spec))
    command = draw(st.sampled_from(["", "", "promote", "abort", "retry", "restart", "dance"]))
    declared = Declared(spec=spec, generation=draw(st.integers(1, 3)), command=command, command_id=f"{command}@1")
    return declared, memory, draw(observations(memory, spec))


@settings(max_examples=150, deadline=None)
@given(inputs())
def test_no_input_makes_it_raise_and_memory_survives_json(given_: tuple[Declared, Memory, Observation]) -> None:
    decision = decide(*given_, NOW)
    text = decision.memory.model_dump_json()
    again = Memory.model_validate_json(text)
    assert again == decision.memory
    assert again.model_dump_json() == text
    assert Memory.model_validate(decision.memory.model_dump(mode="json")) == decision.memory


@st.composite
def written_by_hand(draw: st.DrawFn) -> tuple[Declared, Memory, Observation]:
    """A memory like those that the operator writes, some fields of which somebody has changed to anything."""
    spec = draw(specs())
    memory, other = draw(memories(spec)), draw(statuses.memories(spec))
    changed = draw(st.sets(st.sampled_from(sorted(Memory.model_fields)), min_size=1))
    memory = memory.model_copy(update={name: getattr(other, name) for name in changed})
    return Declared(spec=spec, generation=memory.generation), memory, draw(observations(memory, spec))


@settings(max_examples=200, deadline=None)
@given(written_by_hand())
def test_any_status_that_the_schema_admits_is_decided_on(given_: tuple[Declared, Memory, Observation]) -> None:
    decision = decide(*given_, NOW)
    assert Memory.model_validate_json(decision.memory.model_dump_json()) == decision.memory


@settings(max_examples=100, deadline=None)
@given(inputs())
def test_placements_add_up(given_: tuple[Declared, Memory, Observation]) -> None:
    spec = given_[0].spec
    placed = decide(*given_, NOW).placements
    total = sum(p.replicas for p in placed)
    assert spec.replicas <= total <= spec.replicas + spec.policy.switching.surge
    assert len({p.variant.name for p in placed}) == len(placed)


def acts(before: Memory, after: Decision) -> bool:
    memory = after.memory
    return (before.stable, before.canary, before.holdback) != (memory.stable, memory.canary, memory.holdback)


@settings(max_examples=150, deadline=None)
@given(inputs(), st.booleans())
def test_missing_data_never_toggles(given_: tuple[Declared, Memory, Observation], everything: bool) -> None:
    declared, memory, seen = given_
    spec = declared.spec.model_copy(
        update={"policy": declared.spec.policy.model_copy(update={"mode": "Auto", "paused": False})}
    )
    # Orders of people and faults of pods may act without data; a trial may run out of time. Nothing else may.
    memory = memory.model_copy(
        update={
            "generation": declared.generation,
            "mode": "Auto",
            "stable": memory.stable or declared_variant(spec),
            "since": NOW - timedelta(seconds=10),
            "canary": memory.canary if memory.state in (State.TRIAL, State.TUNING) else None,
        }
    )
    calm: Mapping[str, Fleet] = {
        name: Fleet(
            variant=name,
            wanted=f.wanted,
            existing=f.existing,
            ready=f.ready,
            settled_since=f.settled_since,
            smoke=Smoke.PASSED,
        )
        for name, f in seen.fleet.items()
    }
    spec = spec.model_copy(update={"replicas": 4, "draft": spec.draft})
    if everything:
        dark = Observation(arms=seen.arms, fleet=calm, outage=Outage(reason="NoData", message="nothing"))
    else:
        dark = Observation(arms={}, fleet=calm, outage=Outage(reason="Stale", message="old"))
    quiet = Declared(spec=spec, generation=declared.generation)
    trying = memory.state in (State.TRIAL, State.TUNING)
    assume(not trying or (memory.canary is not None and memory.canary != memory.stable))
    assert not acts(memory, decide(quiet, memory, dark, NOW))


@settings(max_examples=100, deadline=None)
@given(inputs())
def test_measurement_never_exceeds_the_days_budget(given_: tuple[Declared, Memory, Observation]) -> None:
    declared, memory, seen = given_
    quiet = Declared(spec=declared.spec, generation=memory.generation)
    memory = memory.model_copy(update={"mode": declared.spec.policy.mode})
    before = len(recent(memory, NOW))
    after = len(recent(decide(quiet, memory, seen, NOW).memory, NOW))
    each = WARM if declared.spec.policy.switching.mode == SwitchingMode.WARM else 1
    assert after <= max(before, each * declared.spec.policy.max_transitions_per_day)


@settings(max_examples=80, deadline=None)
@given(inputs(), st.integers(-11, 11))
def test_order_of_maps_and_time_zone_do_not_matter(given_: tuple[Declared, Memory, Observation], hours: int) -> None:
    declared, memory, seen = given_
    turned = Observation(
        arms=dict(reversed(seen.arms.items())), fleet=dict(reversed(seen.fleet.items())), outage=seen.outage
    )
    elsewhere = NOW.astimezone(timezone(timedelta(hours=hours)))
    ours, theirs = decide(declared, memory, seen, NOW), decide(declared, memory, turned, elsewhere)
    assert ours.memory.model_dump_json() == theirs.memory.model_dump_json()
    assert ours.placements == theirs.placements
