"""What a real API server makes of the preconditions in every write."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from breakeven.adapters.kubernetes.cluster import KubernetesCluster
from breakeven.adapters.kubernetes.rest import Rest, connect
from breakeven.control.errors import Conflict
from breakeven.lab.handle import RunningLab

pytestmark = pytest.mark.lab
Manifest = dict[str, Any]


def deployment(namespace: str, *, replicas: int, live: Manifest | None = None) -> Manifest:
    labels = {"app": "fenced"}
    version = {k: live["metadata"][k] for k in ("uid", "resourceVersion")} if live else {}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "fenced", "namespace": namespace, **version},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "none"}]}},
        },
    }


def with_cluster(lab: RunningLab, story: Callable[[KubernetesCluster], Awaitable[None]]) -> None:
    async def tell() -> None:
        rest = Rest(await connect(lab.kubeconfig))
        try:
            await story(KubernetesCluster(rest))
        finally:
            await rest.close()

    asyncio.run(tell())


def replicas(lab: RunningLab, namespace: str) -> str:
    return lab.kubectl("get", "deployment", "fenced", "-n", namespace, "-o", "jsonpath={.spec.replicas}").stdout


def test_creating_changes_nothing_that_is_there(lab: RunningLab, namespace: str) -> None:
    async def story(cluster: KubernetesCluster) -> None:
        made = await cluster.apply(deployment(namespace, replicas=0))
        assert made["metadata"]["resourceVersion"] not in ("", "1")
        with pytest.raises(Conflict):
            await cluster.apply(deployment(namespace, replicas=3))

    with_cluster(lab, story)
    assert replicas(lab, namespace) == "0"


def test_late_apply_and_delete_are_refused_and_timely_ones_taken(lab: RunningLab, namespace: str) -> None:
    async def story(cluster: KubernetesCluster) -> None:
        made = await cluster.apply(deployment(namespace, replicas=0))
        lab.kubectl("annotate", "deployment", "fenced", "-n", namespace, "by=another")
        with pytest.raises(Conflict):
            await cluster.apply(deployment(namespace, replicas=3, live=made))
        with pytest.raises(Conflict):
            await cluster.delete(made)
        live = await cluster.get("apps/v1", "Deployment", namespace, "fenced")
        changed = await cluster.apply(deployment(namespace, replicas=0, live=live))
        assert changed["metadata"]["uid"] == made["metadata"]["uid"]

    with_cluster(lab, story)
    assert replicas(lab, namespace) == "0"


def test_object_that_was_deleted_is_neither_made_again_nor_taken_for_a_new_one(lab: RunningLab, namespace: str) -> None:
    async def story(cluster: KubernetesCluster) -> None:
        made = await cluster.apply(deployment(namespace, replicas=0))
        lab.kubectl("delete", "deployment", "fenced", "-n", namespace)
        with pytest.raises(Conflict):
            await cluster.apply(deployment(namespace, replicas=3, live=made))
        await cluster.delete(made)
        await cluster.apply(deployment(namespace, replicas=0))
        with pytest.raises(Conflict):
            await cluster.apply(deployment(namespace, replicas=3, live=made))
        with pytest.raises(Conflict):
            await cluster.delete(made)

    with_cluster(lab, story)
    assert replicas(lab, namespace) == "0"
