"""How many replicas a drain may take at once: the disruption budget of `spec`."""

from typing import Annotated

from pydantic import Field

from breakeven.api.base import SpecModel


class DisruptionBudgetSpec(SpecModel):
    """A PodDisruptionBudget over the replicas of all variants together."""

    max_unavailable: Annotated[int, Field(ge=1, le=1000)] = 1
    """Replicas that may be away at once, those counted that still load a model. Default 1."""
