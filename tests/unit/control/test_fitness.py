"""What is wrong with a spec is said before an object of it is written."""

from typing import Any

import pytest

from breakeven.api.conditions import Reason
from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.control.fitness import fitness


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({"spec": {"toleration": []}}, "spec.podTemplate.spec.toleration: there is no such field; did you mean"),
        ({"spec": {"containers": [{"name": "sidecar"}]}}, "spec.podTemplate.spec.containers[0].image: write it"),
        ({"spec": {"hostNetwork": "yes"}}, "spec.podTemplate.spec.hostNetwork: write true or false"),
    ],
)
def test_a_pod_template_that_the_api_server_would_refuse_is_refused_by_the_operator(
    overrides: dict[str, Any], says: str
) -> None:
    spec = SpeculativeDeploymentSpec.model_validate(
        {
            "engine": {"image": "vllm/vllm-openai:v0.33.0"},
            "target": {"model": "meta-llama/Llama-3.1-8B-Instruct"},
            "podTemplate": overrides,
        }
    )
    found = fitness({}, spec)

    assert found.reason == Reason.INVALID_CONFIGURATION
    assert says in found.refusals[0]
