"""The sequential alarm: quick on large losses, silent otherwise."""

import numpy as np
import pytest

from breakeven.domain.alarm import paired, raised, run_start, spread
from breakeven.domain.observation import Batch, Gauges, Totals


def batches(speed: list[float], *, noise: float, seed: int, requests: float = 20.0) -> list[Batch]:
    """Batches of an arm whose time per token is 20 ms over `speed`."""
    rng = np.random.default_rng(seed)
    found = []
    for i, s in enumerate(speed):
        tokens = requests * 200
        seconds = tokens * 0.02 / s * float(np.exp(rng.normal(0, noise)))
        totals = Totals(generation_tokens=tokens + requests, first_tokens=requests, step_seconds=seconds)
        found.append(Batch(start=i * 60.0, end=i * 60.0 + 60, totals=totals, gauges=Gauges(), replicas=1))
    return found


def fires_at(speed: list[float], *, noise: float = 0.05, seed: int = 1) -> int | None:
    on, off = batches(speed, noise=noise, seed=seed), batches([1.0] * len(speed), noise=noise, seed=seed + 1000)
    for end in range(1, len(speed) + 1):
        if raised(off[:end], on[:end], leave=0.98, min_requests=50) is not None:
            return end
    return None


@pytest.mark.parametrize(("after", "within"), [(0.7, 5), (0.8, 8), (0.88, 30)])
def test_a_loss_is_found_soon(after: float, within: int) -> None:
    found = [fires_at([1.3] * 60 + [after] * 60, seed=seed) for seed in range(5)]
    assert all(end is not None and 60 < end <= 60 + within for end in found)


@pytest.mark.parametrize("steady", [1.3, 1.05, 1.0])
def test_it_is_silent_while_there_is_no_loss(steady: float) -> None:
    assert [fires_at([steady] * 240, seed=seed) for seed in range(5)] == [None] * 5


def test_one_slow_minute_is_not_enough() -> None:
    assert fires_at([1.3] * 60 + [0.4] + [1.3] * 30) is None


def test_without_a_past_there_is_no_spread_and_no_alarm() -> None:
    assert fires_at([0.5] * 60) is None


def test_too_few_requests_in_the_run_raise_nothing() -> None:
    speed = [1.3] * 60 + [0.5] * 5
    on, off = batches(speed, noise=0.02, seed=1), batches([1.0] * 65, noise=0.02, seed=2)
    assert raised(off, on, leave=0.98, min_requests=50) is not None
    assert raised(off, on, leave=0.98, min_requests=1000) is None


def test_neighbours_that_hang_together_widen_the_spread() -> None:
    slow = np.repeat(np.random.default_rng(4).normal(0, 0.1, 12), 5)
    speed = list(1.3 * np.exp(slow))
    together = paired(batches([1.0] * 60, noise=0, seed=1), batches(speed, noise=0, seed=2))
    shuffled = list(np.random.default_rng(5).permutation(speed))
    apart = paired(batches([1.0] * 60, noise=0, seed=1), batches(shuffled, noise=0, seed=2))
    assert spread(together) > 2 * spread(apart)


def test_the_run_begins_where_the_loss_began() -> None:
    speed = [1.3] * 30 + [0.7] * 10
    points = paired(batches([1.0] * 40, noise=0, seed=1), batches(speed, noise=0, seed=2))
    assert run_start(points, 0.0202) == 30
