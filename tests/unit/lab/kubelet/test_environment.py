"""A container's variables and its command line."""

import base64
from typing import Any

import pytest

from breakeven.lab.controlplane.client import ApiError
from breakeven.lab.kubelet.environment import ConfigError, Variables, command_line, expand_references

POD: dict[str, Any] = {
    "metadata": {"name": "p", "namespace": "n", "uid": "u", "labels": {"a/b": "c"}, "annotations": {}},
    "spec": {"nodeName": "h100", "serviceAccountName": "sa"},
}
OBJECTS = {
    ("secrets", "n", "s"): {"data": {"k": base64.b64encode(b"hidden").decode()}},
    ("configmaps", "n", "c"): {"data": {"x": "1", "y": "2"}},
}


async def fetch(kind: str, namespace: str, name: str) -> dict[str, Any]:
    if (kind, namespace, name) not in OBJECTS:
        raise ApiError(404, "not found")
    return OBJECTS[(kind, namespace, name)]


async def resolve(**container: Any) -> dict[str, str]:
    return await Variables(POD, ip="127.64.1.1", host="127.64.0.1", fetch=fetch).resolve(container)


def field(path: str) -> dict[str, Any]:
    return {"name": "V", "valueFrom": {"fieldRef": {"fieldPath": path}}}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "p"),
        ("metadata.labels['a/b']", "c"),
        ("metadata.annotations['none']", ""),
        ("spec.serviceAccountName", "sa"),
        ("status.podIP", "127.64.1.1"),
        ("status.hostIP", "127.64.0.1"),
    ],
)
async def test_the_downward_api(path: str, value: str) -> None:
    assert await resolve(env=[field(path)]) == {"V": value}


async def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"status\.phase"):
        await resolve(env=[field("status.phase")])


async def test_secrets_config_maps_and_resources() -> None:
    found = await resolve(
        envFrom=[{"configMapRef": {"name": "c"}, "prefix": "C_"}],
        env=[
            {"name": "S", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
            {"name": "G", "valueFrom": {"resourceFieldRef": {"resource": "limits.nvidia.com/gpu"}}},
            {"name": "O", "valueFrom": {"secretKeyRef": {"name": "no", "key": "k", "optional": True}}},
        ],
        resources={"limits": {"nvidia.com/gpu": "2"}},
    )
    assert found == {"C_x": "1", "C_y": "2", "S": "hidden", "G": "2"}


@pytest.mark.parametrize("reference", [{"name": "none", "key": "k"}, {"name": "s", "key": "none"}])
async def test_a_missing_secret_or_key_is_named(reference: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="none"):
        await resolve(env=[{"name": "S", "valueFrom": {"secretKeyRef": reference}}])


async def test_later_variables_may_refer_to_earlier_ones() -> None:
    found = await resolve(env=[{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)-$(C)-$$(A)"}])
    assert found["B"] == "1-$(C)-$(A)"


def test_references_in_the_command_line() -> None:
    assert expand_references("$(A) $(NO) $$(A) $A 5$", {"A": "x"}) == "x $(NO) $(A) $A 5$"
    assert command_line({"command": ["vllm"], "args": ["$(A)"]}, {"A": "x"}) == ["vllm", "x"]
