"""The sequential alarm: quick on large losses, silent otherwise."""

from dataclasses import replace

import numpy as np
import pytest

from breakeven.domain.counters.increments import spliced
from breakeven.domain.counters.observation import Batch, Gauges, Totals
from breakeven.domain.measures.alarm import raised, raised_alone, run_start
from breakeven.domain.measures.points import paired


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


def test_a_jump_of_many_spreads_needs_few_requests_and_a_slight_loss_all_of_them() -> None:
    for speed, few in (([1.3] * 60 + [0.5] * 2, True), ([0.97] * 60 + [0.9] * 6, False)):
        on, off = (batches(of, noise=0.02, seed=1) for of in (speed, [1.0] * len(speed)))
        assert raised(off, on, leave=0.98, min_requests=10) is not None
        assert (raised(off, on, leave=0.98, min_requests=1000) is not None) == few


def test_a_handful_of_requests_raise_nothing_however_slow() -> None:
    speed = [1.3] * 60 + [0.3] * 2
    on, off = (batches(of, noise=0.02, seed=1, requests=2) for of in (speed, [1.0] * len(speed)))
    assert raised(off, on, leave=0.98, min_requests=0) is None


def test_no_single_point_carries_a_run() -> None:
    on, off = batches([1.3] * 60 + [0.97, 0.3], noise=0, seed=1), batches([1.0] * 62, noise=0, seed=2)
    assert raised(off, on, leave=0.98, min_requests=0) is None


def quarters(speed: list[float], *, begin: float, seed: int) -> list[Batch]:
    return [
        replace(b, start=begin + 15 * i, end=begin + 15 * (i + 1))
        for i, b in enumerate(batches(speed, noise=0.04, seed=seed, requests=5))
    ]


def test_increments_find_a_loss_within_two_scrapes() -> None:
    on, off = batches([1.3] * 60, noise=0.02, seed=1), batches([1.0] * 60, noise=0.02, seed=2)
    since = 60.0 * 57
    newest_off = quarters([1.0] * 14, begin=since, seed=4)
    calm = quarters([1.3] * 12, begin=since, seed=3)
    slow = quarters([1.3] * 12 + [0.75] * 2, begin=since, seed=3)
    assert raised(*spliced(off, on, newest_off, calm), leave=0.98, min_requests=100) is None
    assert raised(*spliced(off, on, newest_off[:13], slow[:13]), leave=0.98, min_requests=100) is None
    found = raised(*spliced(off, on, newest_off, slow), leave=0.98, min_requests=100)
    assert found is not None
    assert (found.start, found.end, found.points) == (3600.0, 3630.0, 2)


def test_increments_replace_the_batches_that_they_cover() -> None:
    on, off = batches([1.3] * 10, noise=0, seed=1), batches([1.0] * 10, noise=0, seed=2)
    late = quarters([1.3] * 6, begin=465.0, seed=3)
    _, joined = spliced(off, on, quarters([1.0] * 10, begin=420.0, seed=4), late)
    assert [b.start for b in joined] == [*range(0, 480, 60), 480.0, 495.0, 510.0, 525.0, 540.0]


def test_little_traffic_is_taken_together_until_both_arms_served_something() -> None:
    on, off = batches([1.0] * 4, noise=0, seed=1), batches([1.0] * 4, noise=0, seed=2)
    nothing = Totals(generation_tokens=0.0, first_tokens=0.0, step_seconds=0.0)
    off[0], off[1] = replace(off[0], totals=nothing), replace(off[1], totals=nothing)
    found = paired(off, on)
    assert [(p.start, p.end, p.requests) for p in found] == [(0.0, 180.0, 60.0), (180.0, 240.0, 20.0)]


def drafting(per_step: list[float]) -> list[Batch]:
    found = []
    for i, e in enumerate(per_step):
        totals = Totals(
            generation_tokens=4020.0,
            first_tokens=20.0,
            steps=4000 / e,
            step_seconds=80.0,
            drafts=4000 / e,
            drafted=12000 / e,
            accepted=4000 - 4000 / e,
        )
        found.append(Batch(start=i * 60.0, end=i * 60.0 + 60, totals=totals, gauges=Gauges(), replicas=1))
    return found


def test_without_a_control_a_fall_of_tokens_per_step_raises_it() -> None:
    steady, fallen = drafting([2.35, 2.3, 2.4] * 10), drafting([2.35, 2.3, 2.4] * 10 + [1.3, 1.3])
    assert raised_alone(steady, inflation=1.74, leave=0.92, min_requests=100) is None
    found = raised_alone(fallen, inflation=1.74, leave=0.92, min_requests=100)
    assert found is not None
    assert found.speedup.value == pytest.approx(1.3 / 1.74, rel=0.01)
    assert raised_alone(fallen, inflation=1.2, leave=0.92, min_requests=100) is None


def test_the_run_begins_where_the_loss_began() -> None:
    speed = [1.3] * 30 + [0.7] * 10
    points = paired(batches([1.0] * 40, noise=0, seed=1), batches(speed, noise=0, seed=2))
    assert run_start(points, 0.0202) == 30
