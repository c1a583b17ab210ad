"""Deadlines stretch with the machine, up to a limit."""

import itertools
from collections.abc import Callable

from breakeven.lab.pace import MOST, SLICE_S, Pace, Patience, slice_seconds


def slow(factor: float, clock: Callable[[], float] = float) -> Pace:
    pace = Pace(lambda: factor, clock)
    for _ in range(60):
        pace.take()
    return pace


def test_a_thread_that_gets_half_of_a_core_takes_two_seconds_for_one() -> None:
    cpu = itertools.count(0.0, SLICE_S)
    wall = itertools.count(0.0, 2 * SLICE_S)
    assert slice_seconds(lambda: next(cpu), lambda: next(wall)) == 2


def test_an_idle_machine_stretches_nothing() -> None:
    assert round(slow(1.0).stretched(60), 3) == 60


def test_a_busy_machine_stretches_a_limit_as_much_as_it_is_slow_and_no_more_than_thirty_times() -> None:
    assert round(slow(10.0).stretched(60)) == 600
    assert slow(500.0).stretched(60) == 60 * MOST


def test_one_late_sample_counts_little_and_many_count_in_full() -> None:
    samples = iter([10.0] + [1.0] * 40)
    pace = Pace(lambda: next(samples))
    pace.take()
    assert 1 < pace.slowness < 3
    for _ in range(40):
        pace.take()
    assert pace.slowness < 1.01


def test_time_counts_for_less_while_the_machine_is_slow() -> None:
    time = [0.0]
    patience = Patience(10, slow(4.0, lambda: time[0]))
    time[0] = 39.0
    assert not patience.over()
    time[0] = 41.0
    assert patience.over()
    assert (round(patience.waited), round(patience.slowness)) == (41, 4)
