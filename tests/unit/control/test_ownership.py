"""Whose an object is."""

from typing import Any

import pytest

from breakeven.api.base import KIND
from breakeven.control.ownership import foreign_message, split
from breakeven.render.names import Owner

OWNER = Owner(name="llama", namespace="n", uid="u-1")
OURS = {"kind": KIND, "name": "llama", "uid": "u-1", "controller": True}
PREDECESSOR = {**OURS, "uid": "u-0"}


def obj(kind: str, name: str, *owners: dict[str, Any], **labels: str) -> dict[str, Any]:
    carried = {"breakeven.dev/resource": "llama", "breakeven.dev/variant": "v1"} | labels
    return {"kind": kind, "metadata": {"name": name, "labels": carried, "ownerReferences": list(owners)}}


def pod(name: str, replica_set: str = "", **labels: str) -> dict[str, Any]:
    owners = [{"kind": "ReplicaSet", "name": replica_set, "uid": "x", "controller": True}] if replica_set else []
    return obj("Pod", name, *owners, **{"pod-template-hash": "5d4f", **labels})


def ours(*objects: dict[str, Any]) -> list[str]:
    by_kind: dict[str, list[dict[str, Any]]] = {kind: [] for kind in ("Deployment", "Service", "Pod")}
    for each in objects:
        by_kind[each["kind"]].append(each)
    mine, foreign = split(OWNER, by_kind)
    names = [o["metadata"]["name"] for each in mine.values() for o in each]
    assert len(names) + len(foreign) == len(objects)
    return names


@pytest.mark.parametrize(
    "owners",
    [(), (PREDECESSOR,), ({**OURS, "controller": False},), ({**OURS, "uid": "x", "kind": "Rollout"},)],
    ids=["nobody", "a deleted resource of this name", "ours, but not as controller", "another controller"],
)
@pytest.mark.parametrize("kind", ["Deployment", "Service"])
def test_object_is_ours_only_with_our_uid_as_its_controller(kind: str, owners: tuple[dict[str, Any], ...]) -> None:
    assert ours(obj(kind, "llama-v1", OURS)) == ["llama-v1"]
    assert ours(obj(kind, "llama-v1", *owners)) == []


def test_deployment_that_brought_our_owner_reference_along_is_not_ours_under_another_name() -> None:
    assert ours(obj("Deployment", "llama-v1", OURS), obj("Deployment", "llama-v1-copy", OURS)) == ["llama-v1"]


def test_pod_is_ours_through_the_replica_set_of_our_deployment_even_after_that_is_gone() -> None:
    made = pod("llama-v1-5d4f-abc", "llama-v1-5d4f")
    assert ours(obj("Deployment", "llama-v1", OURS), made) == ["llama-v1", "llama-v1-5d4f-abc"]
    assert ours(made) == ["llama-v1-5d4f-abc"]


@pytest.mark.parametrize("replica_set", ["", "llama-v1-copy-5d4f", "search-5d4f", "llama-v2-5d4f"])
def test_pod_of_anybody_else_is_not_ours(replica_set: str) -> None:
    assert ours(pod("p", replica_set)) == []


def test_pod_of_a_foreign_deployment_with_our_name_is_not_ours() -> None:
    assert ours(obj("Deployment", "llama-v1"), pod("llama-v1-5d4f-abc", "llama-v1-5d4f")) == []


def test_message_names_deployments_instead_of_their_pods_and_few_of_many() -> None:
    copies = [obj("Deployment", f"copy-{n}") for n in range(5)]
    said = foreign_message(OWNER, [*copies, pod("copy-0-5d4f-abc", "copy-0-5d4f"), pod("lonely")])
    assert "Deployment copy-0, Deployment copy-1, Deployment copy-2 and 3 more" in said
    assert "breakeven.dev/resource=llama" in said
    assert "copy-0-5d4f-abc" not in said


def test_what_a_deleted_resource_of_this_name_left_is_not_named() -> None:
    assert foreign_message(OWNER, [obj("Deployment", "llama-v1", PREDECESSOR)]) == ""
