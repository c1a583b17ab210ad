"""A clock that somebody sets is noticed, and time goes on as before."""

import pytest

from breakeven.adapters.clock import ADOPTED_AFTER_S, SystemClock


class Machine:
    """A system clock that can be set, and a monotonic one that cannot."""

    def __init__(self) -> None:
        self.monotonic = 500.0
        self.wall = 1_800_000_000.0

    def sleep(self, seconds: float) -> None:
        self.monotonic += seconds
        self.wall += seconds

    def clock(self) -> SystemClock:
        return SystemClock(lambda: self.wall, lambda: self.monotonic)


@pytest.mark.parametrize("jump", [-86_400.0, -300.0, -61.0, 61.0, 86_400.0])
def test_after_a_jump_time_goes_on_as_before(jump: float) -> None:
    machine = Machine()
    clock = machine.clock()
    machine.wall += jump
    machine.sleep(30)
    assert clock.jump == pytest.approx(jump)
    assert clock.unix() == pytest.approx(1_800_000_030)
    assert clock.adopted == 0


@pytest.mark.parametrize("step", [-59.0, 0.001, 59.0])
def test_small_corrections_are_followed(step: float) -> None:
    machine = Machine()
    clock = machine.clock()
    machine.wall += step
    assert clock.jump == 0
    assert clock.unix() == machine.wall


def test_a_clock_that_is_set_back_to_where_it_was_is_the_clock_again() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.wall += 7200
    assert clock.jump
    machine.wall -= 7199
    assert clock.jump == 0
    assert clock.adopted == 0


def test_a_clock_that_runs_evenly_after_a_jump_and_agrees_with_another_machine_is_adopted() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.wall += 7200
    assert clock.jump
    clock.heard(machine.wall)
    machine.sleep(ADOPTED_AFTER_S - 1)
    assert clock.jump
    machine.sleep(2)
    assert clock.jump == 0
    assert clock.unix() == machine.wall
    assert clock.adopted == 1


@pytest.mark.parametrize("others", [None, -7200.0])
def test_a_clock_that_nobody_else_agrees_with_is_never_adopted(others: float | None) -> None:
    machine = Machine()
    clock = machine.clock()
    clock.heard(machine.wall)  # before the jump: no witness of it
    machine.wall += 7200
    for _ in range(100):
        assert clock.jump == pytest.approx(7200)
        machine.sleep(3600)
        if others is not None:
            clock.heard(machine.wall + others)
    assert clock.unix() == pytest.approx(machine.wall - 7200)


def test_a_second_jump_begins_the_waiting_anew() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.wall += 7200
    assert clock.jump
    machine.sleep(ADOPTED_AFTER_S - 1)
    machine.wall += 3600
    clock.heard(machine.wall)
    assert clock.jump == pytest.approx(10_800)
    machine.sleep(ADOPTED_AFTER_S - 1)
    assert clock.jump


def test_times_have_whole_milliseconds() -> None:
    machine = Machine()
    machine.wall += 0.123456
    assert machine.clock().now().microsecond % 1000 == 0
