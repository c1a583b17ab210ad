"""Whose an object is. Labels only say which resource an object is about: anybody can copy them. Pure.

An object is ours when its controller is the resource itself, by uid; a Deployment has to carry its own name besides,
for a copy of one brings the owner reference along. A pod is ours when its controller is the ReplicaSet of such a
Deployment: the Deployment controller names it `<deployment>-<pod-template-hash>`.
"""

from collections.abc import Mapping, Sequence, Set

from breakeven.api.base import KIND
from breakeven.api.names import RESOURCE
from breakeven.control.fleet import pool_of
from breakeven.control.ports import Manifest, ObjectId, object_id
from breakeven.render.names import Owner

_TEMPLATE_HASH = "pod-template-hash"
_NAMED = 3
"""Foreign objects that a message names."""


def controller_of(obj: Manifest) -> Mapping[str, str] | None:
    """The owner reference of the controller; None when there is none."""
    return next((r for r in obj["metadata"].get("ownerReferences") or [] if r.get("controller")), None)


def split(
    owner: Owner, labelled: Mapping[str, Sequence[Manifest]]
) -> tuple[Mapping[str, Sequence[Manifest]], Sequence[Manifest]]:
    """Objects that carry the labels of a resource, by kind: those that are ours by kind, and all that are not."""
    ours: dict[str, list[Manifest]] = {kind: [] for kind in labelled}
    foreign: list[Manifest] = []
    for kind, objects in labelled.items():
        if kind != "Pod":
            for obj in objects:
                (ours[kind] if _is_ours(owner, obj) else foreign).append(obj)
    not_ours = {o["metadata"]["name"] for o in foreign if o["kind"] == "Deployment"}
    for pod in labelled["Pod"]:
        (ours["Pod"] if _pod_is_ours(owner, pod, not_ours) else foreign).append(pod)
    return ours, foreign


def of_a_predecessor(owner: Owner, obj: Manifest) -> bool:
    """Whether it belonged to a deleted resource of the same name and is not collected yet."""
    controller = controller_of(obj)
    return (
        controller is not None
        and (controller["kind"], controller["name"]) == (KIND, owner.name)
        and controller["uid"] != owner.uid
    )


def foreign_message(owner: Owner, foreign: Sequence[Manifest], but_not: Set[ObjectId] = frozenset()) -> str:
    """Which objects carry our labels and are not ours, and what to do; empty when there are none.

    Pods go with their Deployment: to name that is enough. What a deleted resource of this name left goes by itself.
    """
    deployments = tuple(f"{o['metadata']['name']}-" for o in foreign if o["kind"] == "Deployment")
    named = [
        o
        for o in foreign
        if object_id(o) not in but_not and not of_a_predecessor(owner, o) and not _goes_with(deployments, o)
    ]
    if not named:
        return ""
    names = ", ".join(f"{o['kind']} {o['metadata']['name']}" for o in named[:_NAMED])
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    return (
        f"not made by the operator, but labelled {RESOURCE}={owner.name}: {names}{more}. It is left alone, not counted "
        f"and not measured, yet its pods answer requests of Service {owner.name}: "
        "remove that label from it and from its pod template; what should join is adopted, docs/adopting.md"
    )


def _is_ours(owner: Owner, obj: Manifest) -> bool:
    controller = controller_of(obj)
    if controller is None or controller["uid"] != owner.uid:
        return False
    return obj["kind"] != "Deployment" or str(obj["metadata"]["name"]) == _deployment_name(owner, obj)


def _pod_is_ours(owner: Owner, pod: Manifest, foreign_deployments: Set[str]) -> bool:
    controller, deployment = controller_of(pod), _deployment_name(owner, pod)
    template = (pod["metadata"].get("labels") or {}).get(_TEMPLATE_HASH, "")
    return (
        controller is not None
        and (controller["kind"], controller["name"]) == ("ReplicaSet", f"{deployment}-{template}")
        and deployment not in foreign_deployments
    )


def _goes_with(deployments: tuple[str, ...], obj: Manifest) -> bool:
    controller = controller_of(obj)
    return obj["kind"] == "Pod" and controller is not None and controller["name"].startswith(deployments)


def _deployment_name(owner: Owner, obj: Manifest) -> str:
    """Name of the Deployment of the pool that an object is labelled with."""
    return f"{owner.name}-{pool_of(obj)}"
