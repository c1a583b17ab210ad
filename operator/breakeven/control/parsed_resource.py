"""A resource as a pass reads it: spec and status, and what engine knowledge says about the spec."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from breakeven.adopt import NotAdoptable, referred, resolved, template_of
from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.api.status import Status
from breakeven.control.core import Check, Fitness
from breakeven.control.ports import Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A resource, read once per version of it."""

    version: str
    generation: str
    """The spec, with the pod template that it refers to, changes only with it: what checking said is kept as long."""
    spec: SpeculativeDeploymentSpec | None
    status: Status
    error: str = ""
    """Why the spec could not be read, with the field named."""
    unreadable: str = ""
    """Why the status could not be read: then nothing is done, for starting over would forget what runs and what was
    proven."""
    template: str = ""
    """Checksum of the pod template that it refers to; empty: none."""
    fitness: Fitness = field(default_factory=Fitness)
    checked: bool = False
    """Whether `fitness` says what checking the spec said."""

    def without_models(self) -> "Parsed":
        """What is worth keeping between passes: a resource at rest is read again more cheaply than it is kept."""
        return Parsed(
            version="",
            generation=self.generation,
            spec=None,
            status=Status(),
            fitness=self.fitness,
            checked=self.checked,
        )


def read(
    body: Manifest, check: Check, known: Parsed | None, *, workload: Manifest | None = None, missing: str = ""
) -> Parsed:
    """Read a resource.

    Parameters
    ----------
    known
        What an earlier version of it gave: used as far as it still holds.
    workload
        The Deployment that `spec.workloadRef` names; `missing` says why there is none.
    """
    meta = body["metadata"]
    template = "" if workload is None else template_of(workload)
    version = f"{meta.get('uid')}/{meta.get('resourceVersion')}/{template}/{missing}"
    if known and known.version == version:
        return known
    generation = f"{meta.get('uid')}/{meta['generation']}/{template}"
    try:
        status = Status.model_validate(body.get("status") or {})
    except ValidationError as error:
        words = (
            "the status was written by another release of the operator or by hand, so nothing is done: "
            f"{_words(error, 'status')}"
        )
        return Parsed(version=version, generation=generation, spec=None, status=Status(), unreadable=words)
    try:
        written, remarks = _with_workload(body, workload, missing)
        spec = SpeculativeDeploymentSpec.model_validate(written)
    except (ValidationError, NotAdoptable) as error:
        said = _words(error, "spec") if isinstance(error, ValidationError) else str(error)
        return Parsed(version=version, generation=generation, spec=None, status=status, error=said)
    same = known is not None and known.generation == generation and known.checked
    fits = known.fitness if known is not None and same else check(body, spec, remarks)
    return Parsed(
        version=version,
        generation=generation,
        template=template,
        spec=spec,
        status=status,
        fitness=fits,
        checked=True,
    )


def _with_workload(body: Manifest, workload: Manifest | None, missing: str) -> tuple[Any, Sequence[str]]:
    """The spec with what its Deployment says, and what of that could not be kept. Raises NotAdoptable."""
    spec = body.get("spec") or {}
    name = referred(spec)
    if name is None:
        return spec, ()
    if workload is None:
        raise NotAdoptable(missing or f"spec.workloadRef: Deployment {name} was not read yet")
    if beside := [part for part in ("engine", "target", "podTemplate") if part in spec]:
        raise NotAdoptable(f"spec.workloadRef: leave {', '.join(beside)} out beside it: Deployment {name} says it")
    try:
        found, notes = resolved(spec, workload, body["metadata"]["name"])
    except NotAdoptable as error:
        raise NotAdoptable(f"spec.workloadRef: Deployment {name}: {error}") from None
    return found, [f"Deployment {name}: {note}" for note in notes]


def _words(error: ValidationError, root: str) -> str:
    return "; ".join(f"{'.'.join([root, *map(str, e['loc'])])}: {e['msg']}" for e in error.errors())
