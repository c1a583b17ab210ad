"""Arms that serve other traffic are not compared."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from breakeven.api.status import State
from breakeven.domain.counters.observation import Batch, Gauges, Totals
from breakeven.domain.measures.lengths import drift

Make = Callable[..., Any]


def arm(prompt: float, output: float, *, noise: float = 0.1) -> list[Batch]:
    found = []
    for i in range(10):
        wave = 1 + noise * ((i * 7) % 5 - 2) / 2
        totals = Totals(prompt_tokens=100 * prompt * wave, generation_tokens=100 * output * wave, first_tokens=100.0)
        found.append(Batch(start=float(i), end=i + 1.0, totals=totals, gauges=Gauges(), replicas=1))
    return found


@pytest.mark.parametrize(
    ("prompt", "output", "names"),
    [(300, 200, ""), (330, 180, ""), (900, 200, "prompts"), (300, 60, "outputs")],
)
def test_only_lengths_that_are_shown_to_differ_count(prompt: float, output: float, names: str) -> None:
    said = drift(arm(300, 200, noise=0.05), arm(prompt, output))
    assert said.startswith(names) and bool(said) == bool(names)


def test_lengths_that_differ_by_less_are_judged_and_said(world: Make) -> None:
    w = world()
    w.prompt = lambda variant: 450.0 if variant.speculates else 300.0
    w.until(State.SPECULATING)
    assert w.last.evidence is not None
    assert "prompts of the speculating or new arm are longer than those of its control" in w.last.evidence.message


def test_lengths_that_scatter_show_nothing() -> None:
    wild = arm(420, 200, noise=0.9)
    assert drift(arm(300, 200), wild) == ""


def test_absent_counters_and_arms_without_a_common_batch_show_nothing() -> None:
    empty = [Batch(start=0.0, end=1.0, totals=Totals(), gauges=Gauges(), replicas=1)]
    assert drift(empty, empty) == "" and drift([], arm(1, 1)) == ""


def test_a_trial_with_other_traffic_is_held_and_never_promoted(world: Make) -> None:
    w = world()
    w.prompt = lambda variant: 3000.0 if variant.speculates else 300.0
    w.run(timedelta(hours=2))
    assert w.memory.state == State.TRIAL
    assert w.last.hold.reason == "LengthsDiffer"


def test_speculation_is_not_switched_off_because_its_requests_became_longer(world: Make) -> None:
    w = world()
    w.until(State.SPECULATING)
    w.run(timedelta(hours=1))
    w.prompt = lambda variant: 3000.0 if variant.speculates else 300.0
    w.speedup = lambda variant: 0.7 if variant.speculates else 1.0
    w.run(timedelta(hours=2))
    assert w.memory.state == State.SPECULATING
    assert w.last.hold.reason == "LengthsDiffer"
