"""What warm replicas are asked next, by what they said last."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from breakeven.control.warm.book import Book, Replica
from breakeven.control.warm.orders import LONGEST, REFRESH, WarmPod, Wish, next_look, next_orders
from breakeven.control.warm.state import Doing, LastSwitch, Phase, Slot, WarmState

T0 = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
SOON = T0 + timedelta(seconds=1)


def state(awake: str = "off", *, last: LastSwitch | None = None, **changes: Any) -> WarmState:
    slots = {
        slot: Slot(variant=name, phase=Phase.AWAKE if name == awake else Phase.ASLEEP, since=T0)
        for slot, name in (("a", "off"), ("b", "on"))
    }
    return WarmState(
        **{"revision": "r", "loaded_revision": "r", "awake": awake, "slots": slots, "last": last} | changes
    )


def pod(name: str, said: WarmState | None = None, *, ready: bool = True, **changes: Any) -> WarmPod:
    known = Replica(state=said, asked_at=T0 if said else None, **changes)
    if said is not None:
        known.answered(said, T0)
    return WarmPod(uid=f"uid-{name}", name=name, address="10.0.0.1", ready=ready, known=known)


def wish(**changes: Any) -> Wish:
    return Wish(
        **{"awake": dict.fromkeys("abcdefghijklmnopq", "on"), "holds": ("off", "on"), "revision": "r"} | changes
    )


def asked(pods: Sequence[WarmPod], wished: Wish, now: datetime = SOON) -> list[tuple[str, str]]:
    return [(order.uid.removeprefix("uid-"), order.doing.value) for order in next_orders(pods, wished, now)]


def test_who_was_never_asked_is_asked_before_anything_is_ordered() -> None:
    assert asked([pod("a"), pod("b", state())], wish()) == [("a", "look"), ("b", "wake")]


def test_nothing_is_ordered_where_the_wanted_variant_is_awake() -> None:
    assert asked([pod("a", state("on"))], wish()) == []


@pytest.mark.parametrize(("pods", "orders"), [(1, 1), (3, 1), (8, 1), (16, 2), (17, 2)])
def test_one_replica_in_eight_is_switched_at_a_time(pods: int, orders: int) -> None:
    many = [pod(name, state()) for name in "abcdefghijklmnopq"[:pods]]
    assert len(next_orders(many, wish(), SOON)) == orders


def test_who_is_switching_already_counts() -> None:
    assert asked([pod("a", state(switching=True)), pod("b", state())], wish()) == []


def test_the_same_order_has_the_same_identity_until_the_replica_has_carried_one_out() -> None:
    last = LastSwitch(id="x", to="off", seconds=1, at=T0)
    first, again = (next_orders([pod("a", state())], wish(), SOON)[0] for _ in range(2))
    assert first.id == again.id
    assert first.id != next_orders([pod("a", state(last=last))], wish(), SOON)[0].id


def test_a_replica_that_is_not_ready_or_has_no_address_of_its_own_is_left_alone() -> None:
    away = pod("a", state(), ready=False)
    on_host = WarmPod(uid="u", name="b", address="", ready=True, known=Replica())
    assert asked([away, on_host], wish()) == []


def test_a_replica_that_has_never_been_ready_is_not_asked_while_it_loads() -> None:
    assert asked([pod("a", ready=False)], wish()) == []
    assert asked([pod("a", state(), ready=False)], wish(), T0 + REFRESH) == [("a", "look")]


def test_an_answer_is_asked_for_again_after_a_minute_and_sooner_while_something_is_under_way() -> None:
    calm, busy = pod("a", state("on")), pod("b", state("on", switching=True))
    assert next_look([calm], wish(), SOON) == REFRESH - timedelta(seconds=1)
    assert next_look([calm, busy], wish(), SOON) <= timedelta(seconds=2)
    assert asked([calm], wish(), T0 + REFRESH) == [("a", "look")]


def test_while_a_replica_has_not_read_the_newest_slots_file_it_is_asked_every_five_seconds() -> None:
    """What it still has to load can be ordered only then, and the file comes at any moment of a minute."""
    unread, newest = pod("a", state("on", revision="q")), wish(revision="r")
    assert next_look([unread], newest, SOON) == timedelta(seconds=4)
    assert asked([unread], newest, T0 + timedelta(seconds=5)) == [("a", "look")]
    assert next_look([unread], wish(revision=""), SOON) == REFRESH - timedelta(seconds=1)


def test_a_variant_that_is_lost_is_not_woken_and_the_other_one_is() -> None:
    lost = pod("a", state("on"))
    lost.known.lost["on"] = "it accepts nothing"
    (order,) = next_orders([lost], wish(), SOON)
    assert (order.doing, order.variant) == (Doing.WAKE, "off")


def test_pauses_after_failures_double_up_to_five_minutes() -> None:
    failed = pod("a", state())
    for count in range(1, 12):
        error = LastSwitch(id=str(count), to="on", seconds=1, at=T0, error="requests were still running")
        failed.known.answered(state(last=error), T0)
        pause = min(LONGEST, timedelta(seconds=5) * 2 ** (count - 1))
        assert "wake" not in [doing for _, doing in asked([failed], wish(), T0 + pause - timedelta(seconds=1))]
        failed.known.asked_at = T0 + pause
        assert asked([failed], wish(), T0 + pause) == [("a", "wake")]


def test_what_failed_is_tried_again_when_its_pause_is_over_and_not_at_the_next_question() -> None:
    failed = pod("a", state())
    failed.known.answered(state(last=LastSwitch(id="1", to="on", seconds=1, at=T0, error="it died")), T0)
    assert next_look([failed], wish(), SOON) == timedelta(seconds=4)
    assert next_look([failed], wish(), T0 + timedelta(seconds=6)) == REFRESH - timedelta(seconds=6)


def test_one_replica_loads_at_a_time_and_never_the_last_one() -> None:
    old = {"loaded_revision": "q", "slots": {"a": Slot(variant="off", phase=Phase.AWAKE, since=T0)}}
    behind, other = pod("a", state(**old)), pod("b", state(**old))
    plain = wish(awake={"a": "off", "b": "off"})
    assert asked([behind, other], plain) == [("a", "load")]
    assert asked([behind], plain) == []
    assert asked([behind], wish(awake={"a": "off"}, allow_downtime=True)) == [("a", "load")]
    assert asked([behind, pod("c", state(), ready=False)], plain) == []
    assert asked([behind, other], wish(awake={"a": "off", "b": "off"}, may_load=False)) == []


def test_a_paused_resource_is_only_looked_at() -> None:
    assert asked([pod("a"), pod("b", state())], wish(frozen=True)) == [("a", "look")]


def test_a_book_forgets_pods_that_are_gone_and_counts_switches_once() -> None:
    book = Book()
    book.of("u")
    done = state("on", last=LastSwitch(id="1", to="on", seconds=0.8, at=T0))
    for _ in range(2):
        book.answered("u", done, SOON)
    assert (book.switches, book.changes) == (1, 1)
    book.forget_gone(set())
    book.answered("u", done, SOON)
    assert book.replicas == {}


def test_a_variant_is_loaded_since_it_was_first_seen_loaded_however_often_it_is_woken() -> None:
    replica = Replica()
    replica.answered(state("off"), T0)
    later = T0 + timedelta(hours=1)
    woken = {n: Slot(variant=v, phase=Phase.AWAKE, since=later) for n, v in (("a", "off"), ("b", "on"))}
    replica.answered(state("on", slots=woken), later)
    assert replica.loaded_since == {"off": T0, "on": T0}
    replica.answered(state("off", slots={"a": woken["a"]}), later)
    assert set(replica.loaded_since) == {"off"}
