"""Resources as kubectl has them, read once: spec and status as far as they can be read."""

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from breakeven.api.base import GROUP, PLURAL
from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.api.status import Status
from breakeven.plugin.errors import NotFound, PluginError
from breakeven.plugin.kubectl import Kubectl

KIND_NAME = f"{PLURAL}.{GROUP}"
"""As kubectl is asked, so that no other kind with the same short name can be meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One resource."""

    namespace: str
    name: str
    body: dict[str, Any]
    spec: SpeculativeDeploymentSpec | None
    """None: this release cannot read it."""
    status: Status
    """Empty before the operator has looked at it, and where this release cannot read it."""
    unread: str = ""
    """Why spec or status cannot be read."""

    @property
    def reported(self) -> bool:
        """Whether the operator has said anything."""
        return bool(self.status.conditions)

    @property
    def outdated(self) -> bool:
        """Whether the report is about an older spec."""
        return self.status.observed_generation < int(self.body["metadata"].get("generation") or 0)


def read(body: dict[str, Any]) -> Found:
    """A resource from what kubectl printed; what this release cannot read is said in `unread`."""
    metadata, unread = body.get("metadata") or {}, []
    spec, status = None, Status()
    try:
        spec = SpeculativeDeploymentSpec.model_validate(body.get("spec") or {})
    except (ValidationError, ValueError) as error:
        unread.append(f"spec: {_first(error)}")
    try:
        status = Status.model_validate(body.get("status") or {})
    except (ValidationError, ValueError) as error:
        unread.append(f"status: {_first(error)}")
    return Found(
        namespace=str(metadata.get("namespace", "")),
        name=str(metadata.get("name", "")),
        body={**body, "metadata": metadata},
        spec=spec,
        status=status,
        unread="; ".join(unread) and f"{'; '.join(unread)} (another release of the operator?)",
    )


def get(kubectl: Kubectl, name: str) -> Found:
    """One resource by name.

    Raises
    ------
    NotFound
        If it is not there; the text has those that are.
    PluginError
        If the cluster does not answer.
    """
    name = name.rpartition("/")[2]  # spd/NAME, as kubectl writes it
    if kubectl.where.everywhere:
        found = [f for f in all_of(kubectl) if f.name == name]
        if len(found) == 1:
            return found[0]
        if found:
            raise PluginError(f"{name} is there in {', '.join(f.namespace for f in found)}: say which with -n")
        raise NotFound(f"no SpeculativeDeployment {name} in any namespace")
    try:
        return read(kubectl.json("get", KIND_NAME, name, *kubectl.where.scope()))
    except NotFound as error:
        raise NotFound(f"{error}{_instead(kubectl, name)}") from None


def all_of(kubectl: Kubectl) -> list[Found]:
    """All resources of the namespace, or of all; by namespace and name. Raises PluginError."""
    found = [read(item) for item in kubectl.items(KIND_NAME, kubectl.where.scope())]
    return sorted(found, key=lambda f: (f.namespace, f.name))


def _instead(kubectl: Kubectl, name: str) -> str:
    """Where it is, or what is there; nothing when that cannot be asked."""
    try:
        others = [read(item) for item in kubectl.items(KIND_NAME, ["--all-namespaces"])]
    except PluginError:
        return ""
    elsewhere = [f.namespace for f in others if f.name == name]
    if elsewhere:
        return f"; it is in {', '.join(elsewhere[:3])}: say -n {elsewhere[0]}"
    there = [f"{f.namespace}/{f.name}" for f in others]
    return f"; there are {', '.join(there[:5])}" if there else "; there is none in this cluster"


def _first(error: ValueError) -> str:
    if isinstance(error, ValidationError):
        found = error.errors(include_url=False)[0]
        return f"{'.'.join(map(str, found['loc']))}: {found['msg']}"
    return str(error)
