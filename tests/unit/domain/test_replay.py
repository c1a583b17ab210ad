"""Deciding over recorded history: silence is no missing replica, and a fast node is no speed-up."""

from datetime import UTC, datetime, timedelta
from statistics import geometric_mean

from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.api.status import State
from breakeven.api.variant import declared_variant
from breakeven.domain.counters.batches import share_of
from breakeven.domain.counters.observation import Arm, Batch, Gauges, Totals
from breakeven.domain.counters.scrapes import total
from breakeven.domain.replay import Replay, Seen

T0 = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SPEC = SpeculativeDeploymentSpec.model_validate(
    {
        "replicas": 2,
        "engine": {"image": "vllm/vllm-openai:v0.33.0"},
        "target": {"model": "m"},
        "draft": {"method": "DraftModel", "model": "d"},
    }
)


def look(replay: Replay, minute: int, *, off: int, on: int) -> None:
    """One look at arms with so many replicas that have samples."""
    declared = declared_variant(SPEC)

    def seen(name: str, ready: int) -> Seen:
        return Seen(arm=Arm(variant=name, batches=(), ready=ready, scraped=ready), changed=T0)

    replay.look(seen(declared.baseline.name, off), seen(declared.name, on), T0 + timedelta(minutes=minute))


def test_an_arm_that_falls_silent_ends_no_trial() -> None:
    replay = Replay(SPEC)
    for minute in range(60):
        look(replay, minute, off=1, on=1)
    for minute in range(60, 120):
        look(replay, minute, off=1, on=0)
    for minute in range(120, 180):
        look(replay, minute, off=0, on=0)
    assert [d.record.action for d in replay.decided] == ["Begin", "StartTrial"]
    assert replay.memory.state == State.TRIAL
    assert replay.held[-1].until == T0 + timedelta(minutes=179)


def test_nothing_is_decided_before_both_arms_were_recorded() -> None:
    replay = Replay(SPEC)
    for minute in range(600):
        look(replay, minute, off=1, on=0)
    assert replay.decided == []
    assert [str(held.why) for held in replay.held] == ["NoData: nothing recorded yet of: on"]
    look(replay, 600, off=1, on=1)
    assert [d.record.action for d in replay.decided] == ["Begin", "StartTrial"]


STEP_S = {"slow-1": 0.022, "slow-2": 0.022, "usual": 0.02, "fast": 0.0185}
"""By replica, which is named as its node here."""


def minute_of(replicas: tuple[str, ...], begin: float, *, drafts: float = 0.0) -> Batch:
    """A minute in which S is 1 on every node."""
    each = {
        name: Totals(
            generation_tokens=3000.0 * (1 + drafts),
            first_tokens=0.0,
            steps=3000.0,
            step_seconds=3000.0 * STEP_S[name] * (1 + drafts),
            finished=30.0,
            drafts=3000.0 * bool(drafts) or None,
            drafted=9000.0 * bool(drafts) or None,
            accepted=3000.0 * drafts or None,
        )
        for name in replicas
    }
    shares = tuple(share_of(name, totals) for name, totals in each.items())
    return Batch(
        start=begin,
        end=begin + 60,
        totals=total(each.values()),
        gauges=Gauges(running=8.0, waiting=0.0, kv_usage=0.2),
        replicas=len(replicas),
        shares=shares,
    )


def test_a_canary_on_a_fast_node_is_corrected_where_the_record_names_nodes() -> None:
    declared = declared_variant(SPEC)
    plain, canary = ("fast", "slow-1", "slow-2", "usual"), ("fast",)
    for known in (True, False):
        replay = Replay(SPEC)
        for minute in range(240):
            now = T0 + timedelta(minutes=minute)
            begins = [(T0 + timedelta(minutes=n)).timestamp() for n in range(max(0, minute - 130), minute)]
            arms = {
                declared.baseline.name: (plain, [minute_of(plain, at) for at in begins]),
                declared.name: (canary, [minute_of(canary, at, drafts=0.5) for at in begins]),
            }
            replay.look(
                *(
                    Seen(
                        arm=Arm(variant=name, batches=tuple(batches), ready=len(names), scraped=len(names)),
                        changed=T0,
                        nodes={n: n for n in names} if known else {},
                    )
                    for name, (names, batches) in arms.items()
                ),
                now,
            )
        by = replay.evidence.nodes if replay.evidence is not None else None
        assert (by is not None) is known
        if by is not None:
            usual = geometric_mean(STEP_S.values())
            assert abs(float(by.correction) - 0.0185 / usual) < 0.002
            assert not any(d.record.action == "Promote" for d in replay.decided)
