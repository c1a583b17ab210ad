"""A draft that woke up without its weights is noticed, and nothing else is taken for one."""

from datetime import UTC, datetime

import pytest

from breakeven.control.warm.book import Replica
from breakeven.control.warm.fleet import SlotsFile, WarmPool
from breakeven.control.warm.garbage import note_lost_drafts
from breakeven.control.warm.orders import WarmPod
from breakeven.control.warm.state import LastSwitch, Phase, Slot, WarmState
from breakeven.domain.counters.observation import Arm, Batch, Fleet, Gauges, Totals

WOKEN = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
AT = WOKEN.timestamp()


def batch(start: float, drafted: float, accepted: float) -> Batch:
    totals = Totals(drafted=drafted, accepted=accepted)
    return Batch(start=start, end=start + 15, totals=totals, gauges=Gauges(), replicas=1)


def lost(*, before: tuple[float, float], since: tuple[float, float], error: str = "") -> dict[str, str]:
    state = WarmState(
        revision="r",
        awake="on",
        slots={"a": Slot(variant="on", phase=Phase.AWAKE, since=WOKEN)},
        last=LastSwitch(id="1", to="on", seconds=1, at=WOKEN, error=error),
    )
    pod = WarmPod(uid="u", name="p", address="10.0.0.1", ready=True, known=Replica(state=state))
    fleet = Fleet(variant="x-warm", wanted=1, existing=1, ready=1)
    pool = WarmPool(fleet=fleet, file=SlotsFile(revision="r", variants=("on",)), pods=[pod])
    arm = Arm(variant="on", batches=[batch(AT - 60, *before)], newest=[batch(AT + 5, *since)], ready=1, scraped=1)
    note_lost_drafts({"x-warm": pool}, {"on": arm})
    return pod.known.lost


def test_acceptance_that_vanished_with_the_waking_is_a_lost_draft() -> None:
    assert "lost the weights" in lost(before=(1000, 600), since=(800, 0))["on"]


@pytest.mark.parametrize(
    ("before", "since", "error"),
    [
        ((1000, 600), (800, 300), ""),
        ((1000, 600), (800, 40), ""),
        ((1000, 600), (100, 0), ""),
        ((1000, 20), (800, 0), ""),
        ((100, 60), (800, 0), ""),
        ((1000, 600), (800, 0), "the former engine serves again"),
    ],
    ids=["as before", "low but not nothing", "too few drafts", "never much", "hardly known", "not switched"],
)
def test_nothing_else_is(before: tuple[float, float], since: tuple[float, float], error: str) -> None:
    assert lost(before=before, since=since, error=error) == {}
