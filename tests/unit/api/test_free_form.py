"""What is free in form is bounded in depth and size."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from breakeven.api.crd import definition
from breakeven.api.free_form import DEEPEST, LARGEST
from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.api.status import MEMORY_LENGTH, LastGood, Memory, Status
from breakeven.api.variant import Variant

BASE: dict[str, Any] = {"engine": {"image": "vllm/vllm-openai:v0.33.0"}, "target": {"model": "a/target"}}


def nested(levels: int, kind: type = dict) -> Any:
    value: Any = "end"
    for _ in range(levels):
        value = {"a": value} if kind is dict else [value]
    return value


@pytest.mark.parametrize("model", [SpeculativeDeploymentSpec, Variant])
@pytest.mark.parametrize("levels", [DEEPEST, 700, 9_000])
@pytest.mark.parametrize("kind", [dict, list])
def test_pod_template_nested_too_deep_is_refused_by_name(model: Any, levels: int, kind: type) -> None:
    with pytest.raises(ValidationError) as refused:
        model.model_validate({**BASE, "podTemplate": {"spec": nested(levels, kind)}})
    assert "podTemplate.spec" in refused.value.errors()[0]["msg"]
    assert f"nested deeper than {DEEPEST} levels" in refused.value.errors()[0]["msg"]


def test_environment_nested_too_deep_is_refused_by_name() -> None:
    env = [{"name": "A", "valueFrom": nested(700)}]
    with pytest.raises(ValidationError, match=r"engine\.env\.0\.valueFrom.*nested deeper"):
        SpeculativeDeploymentSpec.model_validate({**BASE, "engine": {**BASE["engine"], "env": env}})


def test_deepest_field_of_a_pod_is_taken() -> None:
    expressions = [{"key": "a", "operator": "In", "values": ["b"]}]
    claim = {"spec": {"selector": {"matchExpressions": expressions}}}
    bundle = {"sources": [{"clusterTrustBundle": {"path": "ca", "labelSelector": {"matchExpressions": expressions}}}]}
    volumes = [{"name": "v", "ephemeral": {"volumeClaimTemplate": claim}}, {"name": "w", "projected": bundle}]
    SpeculativeDeploymentSpec.model_validate({**BASE, "podTemplate": {"spec": {"volumes": volumes}}})


def test_pod_template_larger_than_the_status_can_hold_is_refused() -> None:
    template = {"metadata": {"annotations": {"a": "x" * LARGEST}}}
    with pytest.raises(ValidationError, match=f"podTemplate\n.*at most {LARGEST} are allowed"):
        SpeculativeDeploymentSpec.model_validate({**BASE, "podTemplate": template})


def test_environment_larger_than_the_status_can_hold_is_refused_here_and_by_the_api_server() -> None:
    env = [{"name": f"A{n}", "value": "x" * 20_000} for n in range(4)]
    with pytest.raises(ValidationError, match=r"env: write at most 32768 characters"):
        SpeculativeDeploymentSpec.model_validate({**BASE, "engine": {**BASE["engine"], "env": env}})
    spec = definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    assert any(str(LARGEST) in rule["rule"] for rule in spec["properties"]["engine"]["x-kubernetes-validations"])


def test_memory_of_three_variants_at_every_limit_fits_into_the_status() -> None:
    engine = {
        "image": "vllm/vllm-openai:v0.33.0",
        "extraArgs": ["x" * 1024] * 64,
        "env": [{"name": "A", "value": "x" * LARGEST}],
    }
    template = {"metadata": {"annotations": {"a": "x" * (LARGEST - 64)}}}
    variant = Variant.model_validate({**BASE, "engine": engine, "podTemplate": template})
    good = LastGood(variant=variant, verified_at=datetime(2026, 3, 2, tzinfo=UTC), reason="measured")
    memory = Memory(stable=variant, canary=variant.restarted(), last_good=good)
    assert len(Status(memory=memory).model_dump(mode="json")["memory"]) < MEMORY_LENGTH * 3 / 4


@pytest.mark.parametrize("part", [None, [], "text", 1])
@pytest.mark.parametrize("field", ["metadata", "metadata.labels", "metadata.annotations", "spec"])
def test_parts_of_a_pod_template_are_objects(field: str, part: Any) -> None:
    outer, _, inner = field.partition(".")
    template = {outer: {inner: part} if inner else part}
    with pytest.raises(ValidationError, match=f"{field}: write an object, or leave it out"):
        SpeculativeDeploymentSpec.model_validate({**BASE, "podTemplate": template})


def test_one_annotation_can_be_removed_here_and_by_the_schema() -> None:
    template = {"metadata": {"annotations": {"prometheus.io/scrape": {"$patch": "delete"}}}}
    assert SpeculativeDeploymentSpec.model_validate({**BASE, "podTemplate": template}).pod_template == template
    spec = definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    metadata = spec["properties"]["podTemplate"]["properties"]["metadata"]["properties"]
    assert "additionalProperties" not in metadata["annotations"]
