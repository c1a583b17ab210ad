"""Fake GPU nodes: objects as device plugin and feature discovery would leave them, and their renewed leases."""

import asyncio
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from breakeven.lab.block import KUBELET_PORT
from breakeven.lab.controlplane.client import ApiClient, ApiError, Manifest
from breakeven.lab.controlplane.prometheus import HOLLOW_LABEL
from breakeven.lab.settings import MEMORY_MIB, NodeSettings

LOG = logging.getLogger(__name__)
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
RENEW_SECONDS = 10.0
"""The kubelet's own interval; the node controller waits for 40 s."""
LEASE_SECONDS = 40
GPU = "nvidia.com/gpu"
KUBELET_VERSION = "v1.36.3-breakeven-lab"


def timestamp(moment: datetime | None = None) -> str:
    """RFC 3339 in whole seconds, as Kubernetes writes its times."""
    return (moment or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")


def expand(settings: tuple[NodeSettings, ...]) -> Iterator[tuple[str, NodeSettings]]:
    """(node name, its settings)."""
    for node in settings:
        for index in range(node.count):
            yield (f"{node.name}-{index}" if node.count > 1 else node.name), node


def node_labels(name: str, node: NodeSettings) -> dict[str, str]:
    """Labels of NVIDIA's GPU feature discovery and the usual ones of Kubernetes."""
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
    }
    if node.gpus:
        labels |= {
            "nvidia.com/gpu.present": "true",
            "nvidia.com/gpu.product": node.product,
            "nvidia.com/gpu.count": str(node.gpus),
            "nvidia.com/gpu.family": "hopper",
        }
        if node.product in MEMORY_MIB:
            labels["nvidia.com/gpu.memory"] = str(MEMORY_MIB[node.product])
    if node.hollow:
        labels[HOLLOW_LABEL] = "true"
    return labels | node.labels


def node_manifest(name: str, node: NodeSettings, address: str) -> Manifest:
    """The Node object, Ready. address: where its kubelet serves logs."""
    now = timestamp()
    amounts = {
        "cpu": str(node.cpu),
        "memory": node.memory,
        "ephemeral-storage": "1Ti",
        "pods": str(node.pods),
    } | ({GPU: str(node.gpus)} if node.gpus else {})
    spec: dict[str, Any] = {"providerID": f"breakeven-lab://{name}"}
    if node.gpus and node.tainted:
        spec["taints"] = [{"key": GPU, "value": "present", "effect": "NoSchedule"}]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": node_labels(name, node)},
        "spec": spec,
        "status": {
            "capacity": amounts,
            "allocatable": amounts,
            "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": KUBELET_PORT}},
            "nodeInfo": {
                "architecture": "amd64",
                "operatingSystem": "linux",
                "osImage": "simulated by breakeven lab",
                "kernelVersion": "",
                "kubeletVersion": KUBELET_VERSION,
                "kubeProxyVersion": "",
                "containerRuntimeVersion": "process://1",
                "bootID": "",
                "machineID": "",
                "systemUUID": "",
            },
            "conditions": [
                {
                    "type": kind,
                    "status": "True" if kind == "Ready" else "False",
                    "reason": reason,
                    "message": "",
                    "lastHeartbeatTime": now,
                    "lastTransitionTime": now,
                }
                for kind, reason in (
                    ("Ready", "KubeletReady"),
                    ("MemoryPressure", "KubeletHasSufficientMemory"),
                    ("DiskPressure", "KubeletHasNoDiskPressure"),
                    ("PIDPressure", "KubeletHasSufficientPID"),
                )
            ],
        },
    }


class Nodes:
    """Registers the nodes and renews their leases until cancelled."""

    def __init__(self, client: ApiClient, settings: tuple[NodeSettings, ...], address: str) -> None:
        self._client = client
        self._address = address
        self.by_name = dict(expand(settings))

    async def register(self) -> None:
        """Create every node with its lease. Raises ApiError."""
        await asyncio.gather(*(self._register(name, node) for name, node in self.by_name.items()))

    async def _register(self, name: str, node: NodeSettings) -> None:
        await self._client.post("/api/v1/nodes", node_manifest(name, node, self._address))
        while True:
            try:
                return await self._renew(name)
            except ApiError as error:
                if error.status != 404:
                    raise
                await asyncio.sleep(0.1)  # the API server makes kube-node-lease a moment after it is ready

    async def run(self) -> None:
        """Renew every lease each 10 s."""
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            for name in self.by_name:
                try:
                    await self._renew(name)
                except ApiError as error:
                    LOG.info("lease of %s: %s", name, error)

    async def _renew(self, name: str) -> None:
        renewed = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = {"holderIdentity": name, "leaseDurationSeconds": LEASE_SECONDS, "renewTime": renewed}
        try:
            await self._client.patch(f"{LEASES}/{name}", {"spec": spec})
        except ApiError as error:
            if error.status != 404:
                raise
            lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name}, "spec": spec}
            await self._client.post(LEASES, lease)
