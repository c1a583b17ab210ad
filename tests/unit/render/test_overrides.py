"""Overrides of the pod template: what they may say, and what they may not touch."""

from typing import Any

import pytest

from breakeven.render.overrides import check_overrides


@pytest.mark.parametrize(
    ("overrides", "field"),
    [
        ({"kind": "Pod"}, "podTemplate.kind"),
        ({"metadata": {"name": "x"}}, "podTemplate.metadata.name"),
        ({"metadata": {"labels": {"breakeven.dev/variant": "x"}}}, "podTemplate.metadata.labels.breakeven.dev/variant"),
        ({"metadata": {"labels": None}}, "podTemplate.metadata.labels"),
        ({"metadata": None}, "podTemplate.metadata"),
        ({"metadata": {"labels": {"a": 1}}}, "podTemplate.metadata.labels.a"),
        ({"spec": {"restartPolicy": "Never"}}, "podTemplate.spec.restartPolicy"),
        ({"spec": {"containers": None}}, "podTemplate.spec.containers"),
        ({"spec": {"containers": [{"image": "x"}]}}, "podTemplate.spec.containers[0].name"),
        ({"spec": {"volumes": {"a": 1}}}, "podTemplate.spec.volumes"),
        ({"spec": "text"}, "podTemplate.spec"),
        ({"spec": {"$patch": "replace"}}, "podTemplate.spec.$patch"),
        ({"spec": {"$patch": "delete"}}, "podTemplate.spec"),
        ({"spec": {"containers": {"$patch": "delete"}}}, "podTemplate.spec"),
        ({"spec": {"containers": [{"name": "engine", "$patch": "delete"}]}}, "podTemplate.spec.containers[engine]"),
        ({"metadata": {"$patch": "delete"}}, "podTemplate.metadata"),
        ({"metadata": {"labels": {"$patch": "delete"}}}, "podTemplate.metadata.labels"),
        ({"spec": {"containers": [{"name": "sidecar"}]}}, "podTemplate.spec.containers[0].image"),
        ({"spec": {"initContainers": [{"name": "first"}]}}, "podTemplate.spec.initContainers[0].image"),
        ({"spec": {"tolerations": [{"key": "a", "$patch": "delete"}]}}, "podTemplate.spec.tolerations[0].$patch"),
        (
            {"spec": {"topologySpreadConstraints": [{"topologyKey": {"$patch": "delete"}}]}},
            "podTemplate.spec.topologySpreadConstraints[0].topologyKey.$patch",
        ),
    ],
)
def test_overrides_that_would_break_the_pod_are_refused_by_name(overrides: dict[str, Any], field: str) -> None:
    assert field in {r.field for r in check_overrides(overrides)}


@pytest.mark.parametrize(
    ("engine", "field"),
    [
        ({"image": "other"}, "image"),
        ({"command": ["sh"]}, "command"),
        ({"args": []}, "args"),
        ({"ports": {"$patch": "delete"}}, "ports"),
        ({"env": [{"name": "VLLM_USE_V1", "value": "1"}]}, "env[VLLM_USE_V1]"),
        ({"resources": {"limits": {"nvidia.com/gpu": 8}}}, "resources"),
        ({"resources": {"$patch": "delete"}}, "resources"),
        ({"resources": {"limits": {"$patch": "delete"}}}, "resources"),
        ({"env": {"$patch": "delete"}}, "env"),
    ],
)
def test_what_is_managed_in_the_engine_container_is_refused(engine: dict[str, Any], field: str) -> None:
    overrides = {"spec": {"containers": [{"name": "engine", **engine}]}}

    assert [r.field for r in check_overrides(overrides)] == [f"podTemplate.spec.containers[engine].{field}"]


@pytest.mark.parametrize(
    ("overrides", "field", "says"),
    [
        (
            {"spec": {"toleration": []}},
            "podTemplate.spec.toleration",
            "did you mean spec.podTemplate.spec.tolerations?",
        ),
        ({"tolerations": []}, "podTemplate.tolerations", "did you mean spec.podTemplate.spec.tolerations?"),
        (
            {"spec": {"readinessProbe": {}}},
            "podTemplate.spec.readinessProbe",
            "podTemplate.spec.containers[].readinessProbe?",
        ),
        (
            {"spec": {"host_network": True}},
            "podTemplate.spec.host_network",
            "did you mean spec.podTemplate.spec.hostNetwork?",
        ),
        (
            {"spec": {"banana": 1}},
            "podTemplate.spec.banana",
            "spec.podTemplate.spec has activeDeadlineSeconds, affinity",
        ),
        (
            {"spec": {"nodeSelector": None}},
            "podTemplate.spec.nodeSelector",
            "write {$patch: delete} to remove the field",
        ),
        ({"spec": {"nodeSelector": {"a": True}}}, "podTemplate.spec.nodeSelector.a", "write text, in quotes"),
        (
            {"spec": {"terminationGracePeriodSeconds": "9"}},
            "podTemplate.spec.terminationGracePeriodSeconds",
            "whole number",
        ),
        ({"spec": {"hostNetwork": "yes"}}, "podTemplate.spec.hostNetwork", "write true or false"),
        ({"spec": {"priority": True}}, "podTemplate.spec.priority", "whole number"),
        (
            {"spec": {"containers": [{"name": "engine", "env": [{"name": "A", "value": 1}]}]}},
            "podTemplate.spec.containers[0].env[0].value",
            "in quotes",
        ),
        (
            {"spec": {"volumes": [{"name": "v", "emptyDir": {"mediun": "Memory"}}]}},
            "podTemplate.spec.volumes[0].emptyDir.mediun",
            "did you mean spec.podTemplate.spec.volumes[0].emptyDir.medium?",
        ),
    ],
)
def test_what_the_api_server_would_refuse_is_refused_first(overrides: dict[str, Any], field: str, says: str) -> None:
    (refusal,) = check_overrides(overrides)

    assert refusal.field == field
    assert says in refusal.message


@pytest.mark.parametrize("amount", [4, "4", "500m"])
def test_quantities_may_be_numbers_as_the_api_server_takes_them(amount: int | str) -> None:
    limits = {"cpu": amount, "example.com/nic.fast": 4 if amount == 4 else "4"}
    sidecar = {"name": "s", "image": "i", "resources": {"limits": limits}}
    volume = {"name": "v", "emptyDir": {"sizeLimit": amount}}
    probe = {"httpGet": {"port": 8000}}
    engine = {"name": "engine", "startupProbe": probe, "readinessProbe": {"httpGet": {"port": "http"}}}

    assert list(check_overrides({"spec": {"containers": [engine, sidecar], "volumes": [volume]}})) == []


def test_ordinary_overrides_pass() -> None:
    overrides = {
        "metadata": {"annotations": {"team": "x"}},
        "spec": {
            "priorityClassName": "serving",
            "imagePullSecrets": [{"name": "registry"}],
            "containers": [
                {"name": "engine", "resources": {"limits": {"memory": "200Gi"}}, "livenessProbe": {"$patch": "delete"}}
            ],
        },
    }

    assert list(check_overrides(overrides)) == []
