"""Values of the right type that the API server refuses all the same are refused by name before a pod is made."""

from typing import Any

import pytest

from breakeven.api.variant import Variant
from breakeven.render import refusals

BASE: dict[str, Any] = {
    "engine": {"image": "vllm/vllm-openai:v0.33.0"},
    "target": {"model": "meta-llama/Llama-3.1-8B-Instruct"},
}


def fields(**parts: Any) -> set[str]:
    return {r.field for r in refusals(Variant.model_validate({**BASE, **parts}))}


def of_pod(**spec: Any) -> set[str]:
    return {f.removeprefix("podTemplate.spec.") for f in fields(podTemplate={"spec": spec})}


@pytest.mark.parametrize(
    ("variable", "field"),
    [
        ({"name": "A B"}, "name"),
        ({"name": "1A"}, "name"),
        ({"name": "é"}, "name"),
        ({"name": "A=B"}, "name"),
        ({"name": "..A"}, "name"),
        ({"name": "A", "valueFrom": {}}, "valueFrom"),
        ({"name": "A", "valueFrom": {"secretKeyRef": {"name": "a_b", "key": "c"}}}, "valueFrom.secretKeyRef.name"),
        ({"name": "A", "valueFrom": {"configMapKeyRef": {"name": "a", "key": "b/c"}}}, "valueFrom.configMapKeyRef.key"),
        ({"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.x"}}}, "valueFrom.fieldRef.fieldPath"),
        ({"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "x"}}}, "valueFrom.resourceFieldRef.resource"),
    ],
)
def test_variables(variable: dict[str, Any], field: str) -> None:
    assert fields(engine={**BASE["engine"], "env": [variable]}) == {f"engine.env[0].{field}"}
    assert of_pod(containers=[{"name": "engine", "env": [variable]}]) == {f"containers[0].env[0].{field}"}


def test_a_variable_has_a_value_or_a_source() -> None:
    both = {"name": "A", "value": "x", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}
    assert fields(engine={**BASE["engine"], "env": [both]}) == {"engine.env[0]"}
    for fine in ({"name": "my.var-1_x", "value": "$(X) é"}, {**both, "value": ""}):
        assert fields(engine={**BASE["engine"], "env": [fine]}) == set()


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"nodeSelector": {"a b": "x"}}, "nodeSelector.a b"),
        ({"nodeSelector": {"a": "-x"}}, "nodeSelector.a"),
        ({"priorityClassName": "High"}, "priorityClassName"),
        ({"dnsPolicy": "default"}, "dnsPolicy"),
        ({"dnsPolicy": "None"}, "dnsConfig"),
        ({"terminationGracePeriodSeconds": 0}, "terminationGracePeriodSeconds"),
        ({"tolerations": [{"key": "a", "operator": "In"}]}, "tolerations[0].operator"),
        ({"tolerations": [{"key": "a", "operator": "Exists", "value": "x"}]}, "tolerations[0].value"),
        ({"tolerations": [{"key": "a", "tolerationSeconds": 5}]}, "tolerations[0].effect"),
        ({"volumes": [{"name": "v"}]}, "volumes[0]"),
        ({"volumes": [{"name": "V", "emptyDir": {}}]}, "volumes[0].name"),
        ({"volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1 Gi"}}]}, "volumes[0].emptyDir.sizeLimit"),
        (
            {"volumes": [{"name": "v", "secret": {"secretName": "s", "defaultMode": 4096}}]},
            "volumes[0].secret.defaultMode",
        ),
        ({"containers": [{"name": "Side", "image": "a"}]}, "containers[0].name"),
        ({"containers": [{"name": "side", "image": " a"}]}, "containers[0].image"),
        ({"containers": [{"name": "engine", "imagePullPolicy": "always"}]}, "containers[0].imagePullPolicy"),
        (
            {"containers": [{"name": "engine", "resources": {"limits": {"cpus": "1"}}}]},
            "containers[0].resources.limits.cpus",
        ),
        (
            {"containers": [{"name": "engine", "resources": {"limits": {"cpu": "-1"}}}]},
            "containers[0].resources.limits.cpu",
        ),
        (
            {"containers": [{"name": "engine", "resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "1500m"}}}]},
            "containers[0].resources.requests.cpu",
        ),
        (
            {"containers": [{"name": "engine", "volumeMounts": [{"name": "none", "mountPath": "/x"}]}]},
            "containers[0].volumeMounts[0].name",
        ),
        (
            {"containers": [{"name": "engine", "volumeMounts": [{"name": "cache", "mountPath": "/a:b"}]}]},
            "containers[0].volumeMounts[0].mountPath",
        ),
        ({"initContainers": [{"name": "engine", "image": "a"}]}, "initContainers[0].name"),
        ({"initContainers": [{"name": "i", "image": "a", "livenessProbe": {}}]}, "initContainers[0].livenessProbe"),
    ],
)
def test_values_of_the_pod(spec: dict[str, Any], field: str) -> None:
    assert of_pod(**spec) == {field}


def test_labels_and_annotations_of_the_pod_and_the_node_selector_of_the_hardware() -> None:
    metadata = {"labels": {"a/b/c": "x", "team": "a b"}, "annotations": {"/a": "any text é", "team": "any text é"}}
    assert fields(podTemplate={"metadata": metadata}) == {
        "podTemplate.metadata.labels.a/b/c",
        "podTemplate.metadata.labels.team",
        "podTemplate.metadata.annotations./a",
    }
    assert fields(hardware={"nodeSelector": {"pool": "gpu pool"}}) == {"hardware.nodeSelector.pool"}


def test_removals_are_no_values() -> None:
    removed = {"$patch": "delete"}
    spec = {
        "nodeSelector": removed,
        "priorityClassName": removed,
        "volumes": [{"name": "cache", **removed}],
        "containers": [{"name": "engine", "resources": {"limits": {"cpu": removed}}}],
    }
    assert of_pod(**spec) == set()
