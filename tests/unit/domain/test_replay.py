"""Deciding over recorded history: silence is no missing replica."""

from datetime import UTC, datetime, timedelta

from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.api.status import State
from breakeven.api.variant import declared_variant
from breakeven.domain.counters.observation import Arm
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
