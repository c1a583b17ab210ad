"""One engine configuration: everything that shapes an engine's pods, named by a hash of itself."""

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Self

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

from breakeven.api.base import SpecModel
from breakeven.api.free_form import PodTemplate, not_too_deep
from breakeven.api.objective import HistogramBounds, histogram_bounds
from breakeven.api.spec import DraftSpec, EngineSpec, HardwareSpec, SpeculativeDeploymentSpec, TargetSpec


class Variant(SpecModel):
    """One engine configuration. The variant whose `draft` is absent is the baseline: no speculation at all."""

    engine: EngineSpec
    """Image and command line."""
    target: TargetSpec
    """The model that serves."""
    draft: DraftSpec | None = None
    """How tokens are drafted. Absent: no speculation."""
    hardware: HardwareSpec = HardwareSpec()
    """Where its pods run."""
    pod_template: PodTemplate | None = None
    """Overrides of the rendered pod template."""
    bounds: HistogramBounds | None = None
    """Bounds of `spec.objective` at which requests are counted. Absent: only the usual ones."""
    restarts: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """Times its replicas were replaced on demand without any other change. Default 0."""

    @model_validator(mode="before")
    @classmethod
    def _bounded(cls, value: Any) -> Any:
        return not_too_deep(value)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        # In `status` only, where an older resource must stay writable whatever later rules say.
        text = "One engine configuration: engine, target, draft, hardware and podTemplate, as in spec."
        return {"type": "object", "description": text, "x-kubernetes-preserve-unknown-fields": True}

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Copy without the name, which is worked out once for each value."""
        copied = super().model_copy(update=update, deep=deep)
        copied.__dict__.pop("name", None)
        return copied

    @cached_property
    def name(self) -> str:
        """Ten hexadecimal digits of a SHA-256 over what was declared: the same in every process and release."""
        declared = self.model_dump(mode="json", exclude_defaults=True)
        text = json.dumps(declared, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:10]

    @property
    def speculates(self) -> bool:
        """Whether this variant drafts."""
        return self.draft is not None

    @property
    def baseline(self) -> "Variant":
        """The same engine without speculation."""
        return self.model_copy(update={"draft": None, "restarts": 0})

    def restarted(self) -> "Variant":
        """The same variant under another name, so that its replicas are replaced."""
        return self.model_copy(update={"restarts": self.restarts + 1})

    def with_draft(self, draft: DraftSpec | None) -> "Variant":
        """The same engine with another draft."""
        return self.model_copy(update={"draft": draft})


def declared_variant(spec: SpeculativeDeploymentSpec) -> Variant:
    """The variant a spec asks for, its draft included."""
    return Variant(
        engine=spec.engine,
        target=spec.target,
        draft=spec.draft,
        hardware=spec.hardware,
        pod_template=spec.pod_template,
        bounds=histogram_bounds(spec.objective),
    )
