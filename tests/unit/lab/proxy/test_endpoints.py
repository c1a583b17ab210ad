"""Which pods a Service sends to."""

from typing import Any

import pytest

from breakeven.lab.proxy.endpoints import backends


def pod(name: str, ip: str = "127.64.1.1", ready: str = "True", **metadata: Any) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "n", "name": name, "labels": {"app": "a", "more": "x"}} | metadata,
        "spec": {"containers": [{"ports": [{"name": "http", "containerPort": 8000}]}]},
        "status": {"podIP": ip, "conditions": [{"type": "Ready", "status": ready}]},
    }


def service(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"namespace": "n", "name": "s"}, "spec": {"selector": {"app": "a"}} | spec}


PORT = {"port": 80, "targetPort": "http"}


def test_ready_pods_in_a_stable_order() -> None:
    pods = [pod("b", "127.64.1.2"), pod("a", "127.64.1.1"), pod("c", "127.64.1.3", ready="False")]
    assert backends(service(), PORT, pods) == (("127.64.1.1", 8000), ("127.64.1.2", 8000))


@pytest.mark.parametrize(
    "other", [{"deletionTimestamp": "2026-01-01T00:00:00Z"}, {"labels": {"app": "b"}}, {"namespace": "m"}]
)
def test_pods_that_end_or_are_not_selected_are_left_out(other: dict[str, Any]) -> None:
    assert backends(service(), PORT, [pod("a", **other)]) == ()


def test_an_empty_selector_selects_nothing() -> None:
    assert backends(service(selector={}), PORT, [pod("a")]) == ()


def test_addresses_that_are_not_ready_can_be_published() -> None:
    assert backends(service(publishNotReadyAddresses=True), PORT, [pod("a", ready="False")]) == (("127.64.1.1", 8000),)


@pytest.mark.parametrize(("port", "number"), [({"port": 80}, 80), ({"port": 80, "targetPort": 9}, 9)])
def test_a_target_port_may_be_a_number_or_left_out(port: dict[str, Any], number: int) -> None:
    assert backends(service(), port, [pod("a")]) == (("127.64.1.1", number),)


def test_a_port_name_that_no_container_has_leads_nowhere() -> None:
    assert backends(service(), {"port": 80, "targetPort": "none"}, [pod("a")]) == ()
