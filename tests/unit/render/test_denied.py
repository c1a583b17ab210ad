"""What the operator's settings keep out of pod templates."""

from typing import Any

import pytest

from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.api.variant import declared_variant
from breakeven.control.fitness import fitness
from breakeven.render.denied import check_denied
from breakeven.render.names import Owner
from breakeven.render.request import Request, read
from breakeven.render.workload import pod_template
from breakeven.settings import POD_TEMPLATE_DENY

BASE: dict[str, Any] = {"engine": {"image": "vllm/vllm-openai:v0.33.0"}, "target": {"model": "a/target"}}


def engine(**fields: Any) -> dict[str, Any]:
    return {"containers": [{"name": "engine", **fields}]}


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"hostNetwork": True}, "hostNetwork"),
        ({"hostPID": True}, "hostPID"),
        ({"hostIPC": True}, "hostIPC"),
        ({"nodeName": "n"}, "nodeName"),
        ({"serviceAccountName": "admin"}, "serviceAccountName"),
        ({"serviceAccount": "admin"}, "serviceAccount"),
        ({"automountServiceAccountToken": True}, "automountServiceAccountToken"),
        ({"automountServiceAccountToken": {"$patch": "delete"}}, "automountServiceAccountToken"),
        ({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}, "volumes[0].hostPath"),
        (
            {"volumes": [{"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}]},
            "volumes[0].projected.sources[0].serviceAccountToken",
        ),
        ({"securityContext": {"runAsUser": 0}}, "securityContext.runAsUser"),
        ({"securityContext": {"runAsNonRoot": False}}, "securityContext.runAsNonRoot"),
        ({"securityContext": {"$patch": "delete"}}, "securityContext"),
        ({"securityContext": {"runAsUser": {"$patch": "delete"}}}, "securityContext.runAsUser"),
        ({"securityContext": {"seccompProfile": {"type": "Unconfined"}}}, "securityContext.seccompProfile.type"),
        ({"securityContext": {"sysctls": [{"name": "a", "value": "b"}]}}, "securityContext.sysctls"),
        (engine(securityContext={"privileged": True}), "containers[0].securityContext.privileged"),
        (engine(securityContext={"runAsUser": 0}), "containers[0].securityContext.runAsUser"),
        (engine(securityContext={"$patch": "delete"}), "containers[0].securityContext"),
        (
            engine(securityContext={"capabilities": {"add": ["SYS_ADMIN"]}}),
            "containers[0].securityContext.capabilities.add",
        ),
        (
            engine(securityContext={"capabilities": {"drop": ["KILL"]}}),
            "containers[0].securityContext.capabilities.drop",
        ),
        (
            {"initContainers": [{"name": "i", "image": "x", "securityContext": {"privileged": True}}]},
            "initContainers[0].securityContext.privileged",
        ),
        (
            {"containers": [{"name": "side", "image": "x", "ports": [{"containerPort": 1, "hostPort": 1}]}]},
            "containers[0].ports[0].hostPort",
        ),
    ],
)
def test_what_gives_more_than_serving_needs_is_refused_by_name_before_a_pod_is_made(
    spec: dict[str, Any], field: str
) -> None:
    declared = SpeculativeDeploymentSpec.model_validate({**BASE, "podTemplate": {"spec": spec}})
    assert fitness({}, declared).refusals == ()
    refused = fitness({}, declared, denied=POD_TEMPLATE_DENY).refusals
    assert any(text.startswith(f"spec.podTemplate.spec.{field}: the operator does not allow") for text in refused)


@pytest.mark.parametrize(
    "spec",
    [
        {"hostNetwork": False},
        {"automountServiceAccountToken": False},
        {"nodeSelector": {"zone": "a"}},
        {"volumes": [{"name": "cache", "persistentVolumeClaim": {"claimName": "models"}}]},
        {"securityContext": {"runAsUser": 1000, "fsGroup": 1000}},
        engine(resources={"requests": {"memory": "64Gi"}}),
    ],
)
def test_what_serving_needs_is_allowed(spec: dict[str, Any]) -> None:
    assert not [*check_denied({"spec": spec}, POD_TEMPLATE_DENY)]


def test_nothing_that_is_rendered_is_denied() -> None:
    request = read(declared_variant(SpeculativeDeploymentSpec.model_validate(BASE)))
    assert isinstance(request, Request)
    harmless = {"podTemplate.spec.containers[0].securityContext.capabilities.drop"}
    rendered = pod_template(Owner(name="a", namespace="n"), request)
    assert {refusal.field for refusal in check_denied(rendered, POD_TEMPLATE_DENY)} == harmless


def test_a_list_of_ones_own_replaces_the_strict_one() -> None:
    assert not [*check_denied({"spec": {"hostPath": "/"}}, ())]
    assert [r.field for r in check_denied({"spec": {"hostPID": True}}, ("hostPID",))] == ["podTemplate.spec.hostPID"]
