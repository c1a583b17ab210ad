"""Which variant is awake where: both arms from the same pods in every cell, in both orders, by names and clock."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from breakeven.domain.rota import Rota, cell_of

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def of(taking_part: int, cell: timedelta = timedelta(minutes=1)) -> Rota:
    return Rota(major="plain", minor="draft", taking_part=taking_part, cell=cell)


def pods(many: int) -> list[str]:
    return [f"llama-{index}" for index in range(many)]


def history(rota: Rota, names: list[str], seconds: int) -> dict[str, list[str]]:
    """By pod, what is awake in it second by second."""
    seen = [rota.awake(names, START + second * SECOND) for second in range(seconds)]
    return {pod: [each[pod] for each in seen] for pod in names}


@pytest.mark.parametrize(("replicas", "taking_part"), [(1, 1), (2, 2), (3, 2), (4, 2), (7, 3), (40, 12)])
def test_every_pod_that_takes_part_serves_half_of_every_cell_with_each_variant(replicas: int, taking_part: int) -> None:
    names = pods(replicas)
    seen = history(of(taking_part), names, 1200)
    for begin in range(0, 1200, 60):
        shares = Counter(seen[pod][begin : begin + 60].count("draft") for pod in names)
        assert shares == {30: taking_part} | ({0: replicas - taking_part} if replicas > taking_part else {})


@pytest.mark.parametrize(("replicas", "taking_part"), [(2, 2), (4, 2), (40, 12)])
def test_the_minor_variant_is_awake_in_half_of_them_at_any_moment(replicas: int, taking_part: int) -> None:
    seen = history(of(taking_part), pods(replicas), 700)
    assert {sum(row[second] == "draft" for row in seen.values()) for second in range(700)} == {taking_part // 2}


def test_one_replica_alternates_in_both_orders_and_stays_a_whole_cell_with_each() -> None:
    (row,) = history(of(1), pods(1), 600).values()
    halves = "".join(row[second][0] for second in range(0, 600, 30))
    assert halves == "pddppddppddppddppddp"
    changes = [second for second, (a, b) in enumerate(pairwise(row)) if a != b]
    assert {b - a for a, b in pairwise(changes)} == {60}


def test_all_pods_take_part_equally_often() -> None:
    names, rota = pods(5), of(2)
    turns = [rota.part_of(names, START + turn * rota.turn) for turn in range(25)]
    assert set(Counter(pod for turn in turns for pod in turn).values()) == {10}


def test_the_order_of_the_names_and_a_restart_of_the_operator_change_nothing() -> None:
    names = pods(6)
    moment = START + timedelta(minutes=17, seconds=41)
    assert of(2).awake(names, moment) == of(2).awake(names[::-1], moment)


def test_the_next_change_is_when_the_answer_changes() -> None:
    rota, names, moment = of(2), pods(4), START
    while moment < START + timedelta(minutes=25):
        change = rota.next_change(moment)
        assert change is not None
        assert rota.awake(names, moment) == rota.awake(names, change - timedelta(microseconds=1))
        assert change > moment
        moment = change


def test_nothing_alternates_without_a_minor_variant() -> None:
    rota = Rota(major="plain")
    assert rota.awake(pods(2), START) == {"llama-0": "plain", "llama-1": "plain"}
    assert rota.next_change(START) is None


def test_fewer_pods_than_take_part_and_none_at_all_are_no_error() -> None:
    assert of(6).awake([], START) == {}
    assert sorted(of(6).part_of(pods(2), START)) == pods(2)


@pytest.mark.parametrize(
    ("seconds", "batches"),
    [(0.8, 1), (3.0, 1), (3.1, 2), (10.0, 5), (29.0, 10), (600.0, 10)],
)
def test_a_cell_is_as_long_as_the_switch_is_worth(seconds: float, batches: int) -> None:
    assert cell_of(timedelta(minutes=1), timedelta(seconds=seconds)) == timedelta(minutes=batches)
