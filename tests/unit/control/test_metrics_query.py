"""What is asked of Prometheus: histograms in trials, beside a live control, and where a share of requests decides."""

from typing import Any

import pytest

from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.api.status import Memory, State
from breakeven.api.variant import declared_variant
from breakeven.control.observe import metrics_query

BASE: dict[str, Any] = {"engine": {"image": "vllm/vllm-openai:v0.33.0"}, "target": {"model": "org/target"}}
DRAFT = {"draft": {"model": "org/draft"}}
GOODPUT = {"objective": {"kind": "Goodput", "tpot": {"quantile": "0.99", "seconds": "0.05"}}}


@pytest.mark.parametrize(
    ("changes", "state", "speculates", "needed", "welcome"),
    [
        (DRAFT, State.TRIAL, False, True, False),
        (DRAFT, State.SPECULATING, True, False, True),
        (DRAFT | GOODPUT, State.SPECULATING, True, True, True),
        (DRAFT | GOODPUT, State.COOLDOWN, False, False, False),
    ],
)
def test_histograms_are_read_where_they_decide(
    changes: dict[str, Any], state: State, speculates: bool, needed: bool, welcome: bool
) -> None:
    spec = SpeculativeDeploymentSpec.model_validate(BASE | changes)
    variant = declared_variant(spec)
    memory = Memory(state=state, stable=variant if speculates else variant.baseline, holdback=speculates)
    query = metrics_query(spec, memory, [], {})
    assert (query.buckets, query.buckets_if_room) == (needed, welcome)
