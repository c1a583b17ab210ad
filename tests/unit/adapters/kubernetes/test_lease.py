"""Who may write."""

import asyncio
from typing import Any

import pytest
from tests.support.fake_rest import FakeRest

from breakeven.adapters.kubernetes.lease import LeaseElector, LeaseSettings
from breakeven.control.errors import Retry


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def elector(rest: FakeRest, time: Time, identity: str = "a") -> LeaseElector:
    settings = LeaseSettings(namespace="n", name="l", identity=identity)
    return LeaseElector(rest, settings, monotonic=time)  # type: ignore[arg-type] # the part of Rest that it uses


async def test_lease_is_made_and_held() -> None:
    rest, time = FakeRest(), Time()
    first = elector(rest, time)
    assert not first.may_write()
    await first._try()
    assert first.may_write()
    assert rest.lease is not None
    assert rest.lease["spec"]["holderIdentity"] == "a"


async def test_a_lease_that_a_chart_made_is_taken_at_once_and_stays_the_charts() -> None:
    rest, time = FakeRest(), Time()
    made = {"name": "l", "namespace": "n", "resourceVersion": "1", "annotations": {"meta.helm.sh/release-name": "r"}}
    rest.lease = {"metadata": made}
    first = elector(rest, time)
    await first._try()
    await first._try()
    assert first.may_write()
    assert rest.lease["metadata"]["annotations"] == {"meta.helm.sh/release-name": "r"}


async def test_renewing_takes_one_request() -> None:
    rest, time = FakeRest(), Time()
    first = elector(rest, time)
    await first._try()
    rest.calls.clear()
    await first._try()
    assert rest.calls == ["update"]


async def test_other_waits_until_it_saw_no_renewal_for_the_duration() -> None:
    rest, time = FakeRest(), Time()
    first, second = elector(rest, time), elector(rest, time, "b")
    await first._try()
    await second._try()
    time.now += 14
    await first._try()
    await second._try()
    time.now += 14
    await second._try()
    assert not second.may_write()
    time.now += 2
    await second._try()
    assert second.may_write()
    assert rest.lease is not None
    assert rest.lease["spec"]["leaseTransitions"] == 1


async def test_holder_stops_writing_before_another_may_begin() -> None:
    rest, time = FakeRest(), Time()
    first, second = elector(rest, time), elector(rest, time, "b")
    await first._try()
    await second._try()
    rest_of_first, first._rest = first._rest, _failing()
    for _ in range(8):
        time.now += 2
        await first._try()
        await second._try()
        assert not (first.may_write() and second.may_write())
    assert second.may_write()
    first._rest = rest_of_first
    await first._try()
    assert first.lost.is_set()
    assert not first.may_write()


@pytest.mark.parametrize(
    "spec", [None, 5, {"leaseDurationSeconds": "x", "holderIdentity": "b"}, {"holderIdentity": []}]
)
async def test_what_is_no_lease_ends_nothing(spec: Any) -> None:
    rest, time = FakeRest(), Time()
    rest.lease = {"metadata": {"resourceVersion": "1", "name": "l"}, "spec": spec}
    first = elector(rest, time)
    await first._try()
    assert not first.lost.is_set()


def _failing() -> Any:
    rest = FakeRest()
    rest.failure = Retry("connection reset")
    return rest


async def test_run_ends_when_the_lease_is_lost_and_does_not_release_it() -> None:
    rest, time = FakeRest(), Time()
    first = elector(rest, time)
    await first._try()
    assert rest.lease is not None
    rest.lease["spec"]["holderIdentity"] = "b"
    rest.lease["metadata"]["resourceVersion"] = "9"
    await first.run(asyncio.Event())
    assert first.lost.is_set()
    assert rest.lease["spec"]["holderIdentity"] == "b"


async def test_lease_is_given_back_at_the_end() -> None:
    rest, time = FakeRest(), Time()
    first, second = elector(rest, time), elector(rest, time, "b")
    stop = asyncio.Event()
    running = asyncio.create_task(first.run(stop))
    await first.held.wait()
    stop.set()
    await running
    assert not first.may_write()
    await second._try()
    assert second.may_write()


def test_times_that_allow_two_writers_are_refused() -> None:
    with pytest.raises(ValueError, match="period < deadline < duration"):
        LeaseElector(
            FakeRest(),  # type: ignore[arg-type] # never called
            LeaseSettings(namespace="n", name="l", identity="a", duration_s=10, deadline_s=10),
        )
