"""Overrides of the pod template: how they merge, and what they may not touch."""

from typing import Any

import pytest

from breakeven.render.merge import check_overrides, merged

BASE: dict[str, Any] = {
    "metadata": {"labels": {"a": "1"}},
    "spec": {
        "nodeSelector": {"zone": "a"},
        "tolerations": [{"key": "gpu"}],
        "containers": [
            {
                "name": "engine",
                "image": "i",
                "env": [{"name": "HOME", "value": "/cache"}, {"name": "USER", "value": "u"}],
                "volumeMounts": [{"name": "cache", "mountPath": "/cache"}],
            }
        ],
        "volumes": [{"name": "cache", "emptyDir": {}}],
    },
}


def spec(**overrides: Any) -> dict[str, Any]:
    found: dict[str, Any] = merged(BASE, {"spec": overrides})["spec"]
    return found


def test_nothing_is_the_base_itself() -> None:
    assert merged(BASE, None) == BASE


def test_objects_merge_and_null_deletes() -> None:
    assert spec(nodeSelector={"pool": "gpu"})["nodeSelector"] == {"zone": "a", "pool": "gpu"}
    assert spec(nodeSelector={"zone": None})["nodeSelector"] == {}
    assert "nodeSelector" not in spec(nodeSelector=None)


def test_containers_merge_by_name_and_sidecars_are_added() -> None:
    containers = spec(containers=[{"name": "engine", "tty": True}, {"name": "sidecar", "image": "s"}])["containers"]

    assert [c["name"] for c in containers] == ["engine", "sidecar"]
    assert containers[0]["image"] == "i"
    assert containers[0]["tty"] is True


def test_variables_and_mounts_replace_their_namesakes() -> None:
    engine = {
        "name": "engine",
        "env": [{"name": "HOME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "volumeMounts": [{"name": "models", "mountPath": "/models"}],
    }
    (container,) = spec(containers=[engine])["containers"]

    assert [sorted(e) for e in container["env"]] == [["name", "valueFrom"], ["name", "value"]]
    assert [m["mountPath"] for m in container["volumeMounts"]] == ["/cache", "/models"]


def test_a_volume_replaces_its_namesake_whole() -> None:
    claim = {"name": "cache", "persistentVolumeClaim": {"claimName": "c"}}

    assert spec(volumes=[claim])["volumes"] == [claim]


def test_tolerations_are_added_once() -> None:
    assert spec(tolerations=[{"key": "spot"}, {"key": "gpu"}])["tolerations"] == [{"key": "gpu"}, {"key": "spot"}]


def test_the_base_is_left_as_it_was() -> None:
    before = repr(BASE)
    merged(BASE, {"spec": {"containers": [{"name": "engine", "image": "other", "env": None}]}})

    assert repr(BASE) == before


@pytest.mark.parametrize(
    ("overrides", "field"),
    [
        ({"kind": "Pod"}, "podTemplate.kind"),
        ({"metadata": {"name": "x"}}, "podTemplate.metadata.name"),
        ({"metadata": {"labels": {"breakeven.dev/variant": "x"}}}, "podTemplate.metadata.labels.breakeven.dev/variant"),
        ({"metadata": {"labels": {"a": 1}}}, "podTemplate.metadata.labels"),
        ({"spec": {"restartPolicy": "Never"}}, "podTemplate.spec.restartPolicy"),
        ({"spec": {"containers": None}}, "podTemplate.spec.containers"),
        ({"spec": {"containers": [{"image": "x"}]}}, "podTemplate.spec.containers[0].name"),
        ({"spec": {"volumes": {"a": 1}}}, "podTemplate.spec.volumes"),
        ({"spec": "text"}, "podTemplate.spec"),
        ({"spec": {"$patch": "replace"}}, "podTemplate.spec.$patch"),
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
        ({"ports": []}, "ports"),
        ({"env": [{"name": "VLLM_USE_V1", "value": "1"}]}, "env[VLLM_USE_V1]"),
        ({"resources": {"limits": {"nvidia.com/gpu": 8}}}, "resources"),
        ({"resources": None}, "resources"),
    ],
)
def test_what_is_managed_in_the_engine_container_is_refused(engine: dict[str, Any], field: str) -> None:
    overrides = {"spec": {"containers": [{"name": "engine", **engine}]}}

    assert [r.field for r in check_overrides(overrides)] == [f"podTemplate.spec.containers[engine].{field}"]


def test_ordinary_overrides_pass() -> None:
    overrides = {
        "metadata": {"annotations": {"team": "x"}},
        "spec": {
            "priorityClassName": "serving",
            "imagePullSecrets": [{"name": "registry"}],
            "containers": [{"name": "engine", "resources": {"limits": {"memory": "200Gi"}}, "livenessProbe": None}],
        },
    }

    assert list(check_overrides(overrides)) == []
