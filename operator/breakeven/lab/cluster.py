"""What stands in for machines and network: nodes, kubelet, service proxy and hollow pods, on one view of the pods."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp

from breakeven.lab.block import Block
from breakeven.lab.control import Answer, ControlServer
from breakeven.lab.controlplane.accounts import Accounts
from breakeven.lab.controlplane.client import Manifest
from breakeven.lab.controlplane.mirror import Mirror
from breakeven.lab.controlplane.plane import ControlPlane
from breakeven.lab.hollow.pods import HollowPods
from breakeven.lab.hollow.server import HollowServer
from breakeven.lab.kubelet.cores import Cores
from breakeven.lab.kubelet.events import Recorder
from breakeven.lab.kubelet.gpus import Gpus
from breakeven.lab.kubelet.kubelet import Kubelet
from breakeven.lab.kubelet.logserver import LogServer
from breakeven.lab.kubelet.nodes import Nodes
from breakeven.lab.kubelet.pod import Surroundings
from breakeven.lab.proxy.proxy import ServiceProxy
from breakeven.lab.settings import HollowSettings, LabSettings


class Cluster:
    """Everything that acts on pods and Services in the lab's own process."""

    def __init__(
        self, *, settings: LabSettings, directory: Path, block: Block, plane: ControlPlane, identity: str
    ) -> None:
        self._block = block
        self._plane = plane
        self._client = plane.client("lab-kubelet", "breakeven-lab-kubelet")
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True, limit=0))
        self._recorder = Recorder(self._client)
        self._nodes = Nodes(self._client, settings.nodes, block.node)
        self._accounts = Accounts(self._client, plane)
        self._pods = Mirror(self._client, "/api/v1/pods", self._pod_changed)
        self._proxy = ServiceProxy(self._client, self._pods.objects)
        around = Surroundings(
            client=self._client,
            block=block,
            settings=settings,
            identity=identity,
            directory=directory / "pods",
            session=self._session,
            cores=Cores(),
            gpus=Gpus({name: node.devices for name, node in self._nodes.by_name.items()}),
            recorder=self._recorder,
            account_kubeconfig=self._accounts.service_account,
            cluster=(plane.layout.node, str(plane.layout.api_port)),
        )
        real = frozenset(name for name, node in self._nodes.by_name.items() if not node.hollow)
        self._kubelet = Kubelet(around, real)
        self._logs = LogServer(self._kubelet)
        hollow = frozenset(self._nodes.by_name) - real
        self._hollow = HollowPods(self._client, hollow, settings.hollow, ip=block.hollow, host=block.node)
        self._hollow_server = HollowServer(self._hollow.page, self._hollow.past)
        self._tasks: list[asyncio.Task[Any]] = []

    def _pod_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        self._kubelet.changed(old, new)
        self._hollow.changed(old, new)
        self._proxy.pod_changed(old, new)

    async def start(self) -> None:
        """Register the nodes and follow pods and Services. Raises ApiError."""
        await self._client.__aenter__()
        await self._logs.start(self._block, self._plane.layout.certificates)
        await self._hollow_server.start(exporter=(self._block.node, self._plane.hollow_port), pods=self._block.hollow)
        await self._nodes.register()
        for name, work in {
            "nodes": self._nodes.run(),
            "events": self._recorder.run(),
            "hollow pods": self._hollow.run(),
            "pods": self._pods.run(),
            "services": self._proxy.services.run(),
            "proxy": self._proxy.run(),
        }.items():
            self._tasks.append(asyncio.create_task(work, name=name))

    def answer(self, control: ControlServer) -> None:
        """Answer what `RunningLab` asks about users, Services and the whole."""
        control.add("kubeconfig", self._kubeconfig)
        control.add("service", self._service)
        control.add("status", self._status)
        control.add("hollow", self._change_hollow)

    async def _kubeconfig(self, body: Answer) -> Answer:
        return {"path": str(await self._accounts.kubeconfig(body["user"], body["groups"]))}

    async def _service(self, body: Answer) -> Answer:
        host, port = await self._proxy.address(body["namespace"], body["name"], body["port"])
        return {"url": f"http://{host}:{port}"}

    async def _change_hollow(self, body: Answer) -> Answer:
        changed = HollowSettings.model_validate(self._hollow.settings.model_dump() | body)
        self._hollow.change(changed)
        return changed.model_dump()

    async def _status(self, _body: Answer) -> Answer:
        return {
            "components": {
                name: "running" if component.running() else "stopped"
                for name, component in self._plane.components.items()
            },
            "nodes": {name: f"{node.gpus} × {node.product}" for name, node in self._nodes.by_name.items()},
            "pods": len(self._pods.objects),
            "services": self._proxy.addresses(),
        }

    def fallen(self) -> str:
        """Why one of the tasks that should run for ever has ended; empty when none has."""
        for task in self._tasks:
            if task.done():
                return f"{task.get_name()} ended: {task.exception() if not task.cancelled() else 'cancelled'!r}"
        return ""

    async def stop(self) -> None:
        """Kill the pods and close everything."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._kubelet.stop()
        await self._proxy.close()
        await self._logs.stop()
        await self._hollow_server.stop()
        await self._client.__aexit__(None, None, None)
        await self._session.close()
