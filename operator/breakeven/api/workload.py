"""The team's own workload that a resource renders its variants from."""

from typing import Annotated

from pydantic import Field

from breakeven.api.base import SpecModel
from breakeven.api.rules import Pattern
from breakeven.api.serving import ReleaseNumber


class WorkloadRefSpec(SpecModel):
    """A Deployment of this namespace whose pod template says image, arguments and everything else of the pods. It is read and never written, and its own replicas are nobody's business here: scale it to zero."""

    api_version: Annotated[str, Field(max_length=16), Pattern(r"^apps/v1$", "write apps/v1")] = "apps/v1"
    """Only apps/v1. Default apps/v1."""
    kind: Annotated[str, Field(max_length=16), Pattern(r"^Deployment$", "write Deployment")] = "Deployment"
    """Only Deployment. Default Deployment."""
    name: Annotated[str, Field(min_length=1, max_length=253)]
    """Its name."""
    engine_version: ReleaseNumber | None = None
    """vLLM version in its image, as `vllm --version` prints it. Absent: read from the tag."""
