"""A resource as a pass reads it: spec and status, and what engine knowledge says about the spec."""

from dataclasses import dataclass, field

from pydantic import ValidationError

from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.api.status import Status
from breakeven.control.core import Check, Fitness
from breakeven.control.ports import Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A resource, read once per version of it."""

    version: str
    generation: str
    """The spec changes only with it: what checking the spec said is kept as long."""
    spec: SpeculativeDeploymentSpec | None
    status: Status
    error: str = ""
    """Why the spec could not be read, with the field named."""
    unreadable: str = ""
    """Why the status could not be read: then nothing is done, for starting over would forget what runs and what was
    proven."""
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


def read(body: Manifest, check: Check, known: Parsed | None) -> Parsed:
    """Read a resource; `known` is what an earlier version of it gave, and is used as far as it still holds."""
    meta = body["metadata"]
    version = f"{meta.get('uid')}/{meta.get('resourceVersion')}"
    if known and known.version == version:
        return known
    generation = f"{meta.get('uid')}/{meta['generation']}"
    try:
        status = Status.model_validate(body.get("status") or {})
    except ValidationError as error:
        words = (
            "the status was written by another release of the operator or by hand, so nothing is done: "
            f"{_words(error, 'status')}"
        )
        return Parsed(version=version, generation=generation, spec=None, status=Status(), unreadable=words)
    try:
        spec = SpeculativeDeploymentSpec.model_validate(body.get("spec") or {})
    except ValidationError as error:
        said = _words(error, "spec")
        return Parsed(version=version, generation=generation, spec=None, status=status, error=said)
    fits = known.fitness if known and known.generation == generation and known.checked else check(body, spec)
    return Parsed(version=version, generation=generation, spec=spec, status=status, fitness=fits, checked=True)


def _words(error: ValidationError, root: str) -> str:
    return "; ".join(f"{'.'.join([root, *map(str, e['loc'])])}: {e['msg']}" for e in error.errors())
