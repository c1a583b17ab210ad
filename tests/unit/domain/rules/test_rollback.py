"""What was rolled back to is measured again: verified, or switched off as well."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from breakeven.api.status import State

from ..conftest import spec_of

Make = Callable[..., Any]
OLDER = {"image": "vllm/vllm-openai:v0.32.0"}


def rolled_back(world: Make, **changes: Any) -> Any:
    """A resource whose changed image was rolled back to the speculating variant that served before."""
    w = world(**changes)
    w.until(State.SPECULATING)
    w.run(timedelta(minutes=10))
    w.speedup = lambda v: (0.7 if v.engine.image.endswith("32.0") else 1.0) * (1.3 if v.speculates else 1.0)
    w.spec, w.generation = spec_of(engine=OLDER, **changes), 2
    w.until(State.TRIAL)
    w.until(State.SPECULATING)
    assert w.memory.decisions[0].action == "RollBack"
    assert w.memory.unverified_since == w.memory.since
    return w


def test_a_rollback_is_verified_by_a_second_measurement(world: Make) -> None:
    w = rolled_back(world)
    before = w.memory.last_good.verified_at
    w.run(timedelta(minutes=28))
    assert (w.memory.decisions[0].action, w.memory.decisions[0].reason) == ("VerifyRollback", "RollbackVerified")
    assert w.memory.unverified_since is None
    assert w.memory.last_good.verified_at > before
    assert w.memory.last_good.variant == w.memory.stable


def test_two_replicas_keep_a_control_until_the_rollback_is_verified(world: Make) -> None:
    w = rolled_back(world, replicas=2)
    assert w.memory.holdback
    w.run(timedelta(minutes=40))
    assert ("VerifyRollback", "RollbackVerified") in w.news
    assert not w.memory.holdback


def test_what_was_rolled_back_to_goes_off_when_it_is_worse_too(world: Make) -> None:
    w = rolled_back(world)
    w.speedup = lambda v: 0.85 if v.speculates else 1.0
    w.until(State.COOLDOWN)
    last = w.memory.decisions[0]
    assert (last.action, last.reason) == ("Disable", "RollbackRegressed")
    assert "as well" in last.message
    assert not w.memory.stable.speculates
    assert w.memory.unverified_since is None


def test_no_trial_begins_before_the_rollback_is_verified(world: Make) -> None:
    w = rolled_back(world)
    w.requests_per_second = 0.001
    w.run(timedelta(hours=3))
    assert w.memory.unverified_since is not None
    assert w.memory.canary is None
    w.run(timedelta(hours=4))
    assert ("VerifyRollback", "NotMeasured") in w.news


def test_the_plain_variant_has_nothing_to_be_measured_against(world: Make) -> None:
    w = world(draft=None)
    w.run(timedelta(minutes=10))
    w.speedup = lambda v: 0.7 if v.engine.image.endswith("32.0") else 1.0
    w.spec, w.generation = spec_of(engine=OLDER, draft=None), 2
    w.until(State.TRIAL)
    w.until(State.COOLDOWN)
    assert w.memory.decisions[0].action == "RollBack"
    w.step()
    assert (w.memory.decisions[0].action, w.memory.decisions[0].reason) == ("VerifyRollback", "NotMeasured")
