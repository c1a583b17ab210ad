"""What counts as a difference."""

from typing import Any

from breakeven.control.drift import contains, drifted, fingerprint


def deployment(**spec: Any) -> dict[str, Any]:
    container = {
        "name": "engine",
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
        "resources": {"limits": {"cpu": "0.5", "memory": "1024Mi", "nvidia.com/gpu": "1"}},
        "args": ["serve", "m"],
    }
    return {
        "kind": "Deployment",
        "metadata": {"name": "d", "labels": {"a": "b"}},
        "spec": {"replicas": 2, "template": {"spec": {"containers": [container]}}} | spec,
    }


def as_served() -> dict[str, Any]:
    live = deployment(revisionHistoryLimit=10)
    live["metadata"].update(uid="u", resourceVersion="7", generation=3)
    live["status"] = {"replicas": 2}
    container = live["spec"]["template"]["spec"]["containers"][0]
    container["imagePullPolicy"] = "IfNotPresent"
    container["resources"]["limits"] = {"cpu": "500m", "memory": "1Gi", "nvidia.com/gpu": 1}
    container["env"] = list(reversed(container["env"]))
    return live


def test_defaults_quantities_and_the_order_of_named_lists_are_no_drift() -> None:
    assert not drifted(as_served(), deployment())


def test_changed_replicas_are_drift() -> None:
    live = as_served()
    live["spec"]["replicas"] = 5
    assert drifted(live, deployment())


def test_order_of_arguments_counts() -> None:
    assert not contains(["b", "a"], ["a", "b"])


def test_missing_object_is_drift() -> None:
    assert drifted(None, deployment())


def test_absent_and_empty_are_the_same() -> None:
    assert contains({}, {"a": {}, "b": None, "c": []})
    assert not contains({}, {"a": 1})


def test_true_is_not_one() -> None:
    assert not contains(True, 1)
    assert not contains("big", "1")


def test_fingerprint_ignores_what_the_server_writes() -> None:
    live = as_served()
    before = fingerprint(live)
    live["metadata"]["resourceVersion"] = "8"
    live["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "2"}
    live["status"] = {}
    assert fingerprint(live) != fingerprint(deployment())
    assert fingerprint({**live}) == before
