"""What the watches have shown."""

from typing import Any

import pytest

from breakeven.api.base import API_VERSION, KIND
from breakeven.control.cache import Cache, key_of
from breakeven.control.ports import Key

KEY = Key("inference", "llama")


def pod(name: str, version: int = 1, uid: str = "u", **labels: str) -> dict[str, Any]:
    base = {"app.kubernetes.io/managed-by": "breakeven", "breakeven.dev/resource": "llama"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "inference",
            "uid": uid,
            "resourceVersion": str(version),
            "labels": base | labels,
        },
    }


def body() -> dict[str, Any]:
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "llama", "namespace": "inference"}}


def test_object_belongs_to_the_resource_that_its_label_names() -> None:
    assert key_of(pod("a")) == KEY
    assert key_of(body()) == KEY
    assert key_of(pod("a", **{"app.kubernetes.io/managed-by": "somebody"})) is None


def test_what_a_pod_needs_of_its_spec_is_kept_and_nothing_else() -> None:
    cache = Cache()
    engine = {"name": "engine", "image": "vllm", "ports": [{"name": "http", "containerPort": 8080}]}
    spec = {"nodeName": "n", "hostNetwork": True, "volumes": [], "containers": [{"name": "proxy"}, engine]}
    cache.put({**pod("a"), "spec": spec})
    kept = {"name": "engine", "ports": engine["ports"]}
    assert cache.owned("Pod", KEY)[0]["spec"] == {"nodeName": "n", "hostNetwork": True, "containers": [kept]}


def test_older_copy_never_replaces_a_newer_one() -> None:
    cache = Cache()
    cache.put(pod("a", 5))
    cache.put(pod("a", 4))
    assert [p["metadata"]["resourceVersion"] for p in cache.owned("Pod", KEY)] == ["5"]


def test_new_object_of_the_same_name_replaces_the_old_one_whatever_its_version() -> None:
    cache = Cache()
    cache.put(pod("a", 5, uid="old"))
    cache.put(pod("a", 1, uid="new"))
    cache.drop(pod("a", 6, uid="old"))
    assert [p["metadata"]["uid"] for p in cache.owned("Pod", KEY)] == ["new"]


def test_listing_drops_what_it_does_not_name() -> None:
    cache = Cache()
    cache.put(pod("a"))
    cache.put(pod("b"))
    assert cache.replace("Pod", [pod("a")], cache.changes) == {KEY}
    assert [p["metadata"]["name"] for p in cache.owned("Pod", KEY)] == ["a"]


def test_listing_keeps_what_came_in_after_it_was_asked_for() -> None:
    cache = Cache()
    mark = cache.changes
    cache.put(pod("new"))
    cache.replace("Pod", [], mark)
    assert [p["metadata"]["name"] for p in cache.owned("Pod", KEY)] == ["new"]


def test_listing_without_difference_concerns_nobody() -> None:
    cache = Cache()
    cache.put(pod("a"))
    assert cache.replace("Pod", [pod("a")], cache.changes) == set()


def test_deleted_resource_is_known_no_more() -> None:
    cache = Cache()
    cache.put(body())
    assert cache.resources() == {KEY}
    cache.drop(body())
    assert cache.resources() == set()
    assert cache.resource(KEY) is None


def test_one_object_that_cannot_be_read_is_passed_over_by_name_and_the_others_are_kept(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cache = Cache()
    broken = pod("broken")
    broken["metadata"]["labels"] = ["no", "map"]
    assert cache.replace("Pod", [pod("a"), broken, pod("b")], cache.changes) == {KEY}
    assert [p["metadata"]["name"] for p in cache.owned("Pod", KEY)] == ["a", "b"]
    assert "Pod inference/broken cannot be read and is passed over" in caplog.text
