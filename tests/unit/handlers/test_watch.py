"""Events go into the cache and the queue."""

from pathlib import Path
from typing import Any

import kopf
import pytest

from breakeven.control.cache import Cache
from breakeven.control.ports import Key
from breakeven.control.queue import KeyQueue
from breakeven.handlers import kopf_settings, login, watch

KEY = Key("inference", "llama")


def event(kind: str | None, labels: dict[str, str]) -> Any:
    meta = {"name": "p", "namespace": "inference", "uid": "u", "resourceVersion": "1", "labels": labels}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {**meta, "managedFields": [{}]}}
    return {"type": kind, "object": body}


OURS = {"app.kubernetes.io/managed-by": "breakeven", "breakeven.dev/resource": "llama"}


@pytest.mark.parametrize("kind", [None, "ADDED", "MODIFIED"])
async def test_owned_pod_wakes_its_resource(kind: str | None) -> None:
    cache, queue = Cache(), KeyQueue()
    await watch.take(event(kind, OURS), cache, queue)
    assert list(queue._due) == [KEY]
    assert "managedFields" not in cache.owned("Pod", KEY)[0]["metadata"]


async def test_deleted_pod_wakes_its_resource_and_leaves() -> None:
    cache, queue = Cache(), KeyQueue()
    await watch.take(event("ADDED", OURS), cache, queue)
    await watch.take(event("DELETED", OURS), cache, queue)
    assert cache.owned("Pod", KEY) == []
    assert list(queue._due) == [KEY]


async def test_pod_of_somebody_else_wakes_nobody() -> None:
    cache, queue = Cache(), KeyQueue()
    await watch.take(event("ADDED", {}), cache, queue)
    assert not queue._due


def test_only_events_are_handled_so_kopf_writes_nothing() -> None:
    registry = kopf.OperatorRegistry()
    watch.register(registry, Cache(), KeyQueue())
    assert len(registry._watching.get_all_handlers()) == 4
    assert not registry._changing.get_all_handlers()
    assert not registry._spawning.get_all_handlers()


def test_owned_kinds_are_filtered_by_the_server() -> None:
    settings = kopf_settings.settings(grace_s=10)
    assert len(settings.watching.label_selectors) == 3
    assert settings.peering.standalone
    assert not settings.posting.enabled


def test_kubeconfig_is_read_from_the_path_that_is_given(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(
        """
current-context: lab
contexts: [{name: lab, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1", certificate-authority: ca.crt}}]
users: [{name: u, user: {token: secret}}]
"""
    )
    found = login.from_file(path)
    assert (found.server, found.token, found.ca_path) == ("https://127.0.0.1:1", "secret", tmp_path / "ca.crt")


def test_kubeconfig_without_a_context_says_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("current-context: lab\ncontexts: []\n")
    with pytest.raises(kopf.LoginError, match="context named 'lab'"):
        login.from_file(path)
