"""Names, labels and ownership of the objects made for one resource."""

from dataclasses import dataclass
from typing import Any

from breakeven.api.base import API_VERSION, KIND
from breakeven.api.names import APP_INSTANCE, APP_NAME, MANAGED_BY, RESOURCE, VARIANT
from breakeven.api.variant import Variant

Manifest = dict[str, Any]

CONTAINER = "engine"
"""Name of the container that runs vLLM."""
VOLUMES = frozenset({"cache", "shm"})
"""Volumes that every pod has."""
SERVICE_PORT_NAME = "http"
"""Name of the port of our own Service, whatever the pods call theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The resource that owns what is rendered."""

    name: str
    namespace: str
    uid: str = ""
    """Empty when rendered offline: then no owner reference is written."""

    @property
    def references(self) -> list[Manifest]:
        """Owner references: deletion of the resource takes its objects along."""
        if not self.uid:
            return []
        return [
            {
                "apiVersion": API_VERSION,
                "kind": KIND,
                "name": self.name,
                "uid": self.uid,
                # Without blockOwnerDeletion: where OwnerReferencesPermissionEnforcement is on, that takes a right to
                # update finalizers of the resource, which the operator does not have and does not need.
                "controller": True,
            }
        ]


def deployment_name(owner: Owner, variant: Variant) -> str:
    """Name of a variant's Deployment."""
    return f"{owner.name}-{variant.name}"


def labels(owner: Owner) -> dict[str, str]:
    """Labels of every object of a resource."""
    return {APP_INSTANCE: owner.name, APP_NAME: "vllm", MANAGED_BY: "breakeven", RESOURCE: owner.name}


def variant_labels(owner: Owner, variant: Variant) -> dict[str, str]:
    """Labels of a variant's Deployment and pods."""
    return labels(owner) | {VARIANT: variant.name}


def service_selector(owner: Owner) -> dict[str, str]:
    """Labels that select the pods of a resource, all variants together."""
    return {MANAGED_BY: "breakeven", RESOURCE: owner.name}


def variant_selector(owner: Owner, variant: Variant) -> dict[str, str]:
    """Labels that select the pods of one variant."""
    return service_selector(owner) | {VARIANT: variant.name}


def selector(owner: Owner) -> str:
    """The selector of `service_selector` as text, for `status.selector` and for listing."""
    return ",".join(f"{key}={value}" for key, value in sorted(service_selector(owner).items()))


def metadata(owner: Owner, name: str, labels: dict[str, str]) -> Manifest:
    """Metadata of an owned object."""
    found: Manifest = {"name": name, "namespace": owner.namespace, "labels": dict(sorted(labels.items()))}
    if owner.references:
        found["ownerReferences"] = owner.references
    return found
