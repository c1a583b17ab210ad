"""What is tried next, and what it rests on."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from breakeven.api.spec import DraftSpec
from breakeven.api.status import State
from breakeven.domain.counters.observation import Batch, Gauges, Totals
from breakeven.domain.measures.figures import sums
from breakeven.domain.rules.ladder import longer_length, rungs, tuned_length
from breakeven.domain.situation import situation_at

Make = Callable[..., Any]


def methods(world: Any) -> list[str]:
    declared = world.spec
    here = situation_at(_declared(world), world.memory, world.observation(), world.now)
    assert here.spec is declared
    return [str(v.draft.acceptance.method) for v in rungs(here) if v.draft is not None]


def _declared(world: Any) -> Any:
    from breakeven.domain.decision import Declared

    return Declared(spec=world.spec, generation=1)


def test_lossless_methods_of_the_engine_come_first_and_lossy_ones_need_consent(world: Make) -> None:
    assert methods(world()) == ["Rejection", "Probabilistic", "Block"]
    consent = world(draft={"model": "a/draft", "acceptance": {"allowLossy": True}})
    assert methods(consent)[-1] == "Fly"


def test_an_engine_without_them_offers_none(world: Make) -> None:
    assert methods(world(engine={"image": "vllm/vllm-openai:v0.9.0"})) == ["Rejection"]


def test_the_users_list_selects_the_rungs(world: Make) -> None:
    w = world(policy={"onBelowBreakEven": ["Disable"]})
    assert methods(w) == ["Rejection"]
    other = {"method": "NGram", "numSpeculativeTokens": 3}
    w = world(policy={"onBelowBreakEven": ["ChangeMethod", "Disable"]}, alternatives=[other])
    assert len(methods(w)) == 2


def test_after_a_failed_trial_the_next_rung_is_tried(world: Make) -> None:
    w = world()
    w.speedup = lambda v: (1.3 if v.draft.acceptance.method == "Block" else 0.8) if v.speculates else 1.0
    w.until(State.SPECULATING, timedelta(hours=12))
    assert w.memory.stable.draft.acceptance.method == "Block"
    w.run(timedelta(hours=8))
    assert w.memory.stable.draft.acceptance.method == "Block"


def arm(*, step: float, accepted_at: tuple[float, ...]) -> list[Batch]:
    drafts = 1000.0
    accepted = sum(accepted_at)
    totals = Totals(
        generation_tokens=drafts + accepted,
        first_tokens=0.0,
        steps=drafts,
        step_seconds=drafts * step,
        finished=10.0,
        drafts=drafts if accepted_at else None,
        drafted=drafts * len(accepted_at) if accepted_at else None,
        accepted=accepted if accepted_at else None,
        accepted_at=accepted_at,
    )
    return [Batch(start=i, end=i + 1.0, totals=totals, gauges=Gauges(), replicas=1) for i in range(10)]


@pytest.mark.parametrize(
    ("survival", "inflation", "best"),
    [
        ((800.0, 100.0, 20.0, 5.0), 1.9, 1),
        ((800.0, 640.0, 512.0, 410.0), 1.4, None),
        ((300.0, 50.0, 10.0, 1.0), 3.0, None),
    ],
)
def test_a_shorter_draft_is_proposed_when_it_is_predicted_to_pay(
    survival: tuple[float, ...], inflation: float, best: int | None
) -> None:
    on, off = arm(step=0.02 * inflation, accepted_at=survival), arm(step=0.02, accepted_at=())
    assert tuned_length(on, sums(off), sums(on)) == best


@pytest.mark.parametrize(
    ("survival", "inflation", "longer"),
    [
        ((850.0, 720.0, 610.0), 1.2, 5),
        ((850.0, 720.0, 610.0), 2.5, None),
        ((850.0, 300.0, 60.0), 1.2, None),
        ((850.0, 720.0, 0.0), 1.2, None),
        ((), 1.2, None),
    ],
    ids=["cheap and high", "dear", "falling", "never", "not reported"],
)
def test_a_longer_draft_is_proposed_when_the_last_position_survives(
    survival: tuple[float, ...], inflation: float, longer: int | None
) -> None:
    on, off = arm(step=0.02 * inflation, accepted_at=survival), arm(step=0.02, accepted_at=())
    draft = DraftSpec(model="a/draft", num_speculative_tokens=3)
    assert longer_length(draft, on, sums(off), sums(on)) == longer


@pytest.mark.parametrize(
    ("method", "k", "longer"),
    [("MTP", 3, 6), ("Eagle3", 3, 5), ("Medusa", 3, None), ("Suffix", 3, None), ("DFlash", 3, None)],
)
def test_how_long_a_draft_may_get_depends_on_the_method(method: str, k: int, longer: int | None) -> None:
    model = None if method in ("MTP", "Suffix") else "a/draft"
    draft = DraftSpec.model_validate({"method": method, "model": model, "numSpeculativeTokens": k})
    on, off = arm(step=0.022, accepted_at=(900.0, 850.0, 810.0)), arm(step=0.02, accepted_at=())
    assert longer_length(draft, on, sums(off), sums(on)) == longer


def test_a_limit_by_batch_size_makes_survival_unreadable() -> None:
    draft = DraftSpec(model="a/draft", num_speculative_tokens=3, disable_above_batch_size=32)
    on, off = arm(step=0.022, accepted_at=(900.0, 850.0, 810.0)), arm(step=0.02, accepted_at=())
    assert longer_length(draft, on, sums(off), sums(on)) is None
