"""Overrides of the pod template: how they merge."""

from typing import Any

from breakeven.render.merge import merged

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


REMOVE = {"$patch": "delete"}


def test_objects_merge_and_the_patch_directive_removes() -> None:
    assert spec(nodeSelector={"pool": "gpu"})["nodeSelector"] == {"zone": "a", "pool": "gpu"}
    assert spec(nodeSelector={"zone": REMOVE})["nodeSelector"] == {}
    assert "nodeSelector" not in spec(nodeSelector=REMOVE)


def test_an_item_of_a_list_with_names_is_removed_by_its_name() -> None:
    variables = [{"name": "HOME"} | REMOVE]
    (container,) = spec(containers=[{"name": "engine", "env": variables}])["containers"]

    assert [e["name"] for e in container["env"]] == ["USER"]
    assert spec(volumes=[{"name": "cache"} | REMOVE])["volumes"] == []
    assert spec(initContainers=[{"name": "gone"} | REMOVE])["initContainers"] == []


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
    merged(BASE, {"spec": {"containers": [{"name": "engine", "image": "other", "env": REMOVE}]}})

    assert repr(BASE) == before
