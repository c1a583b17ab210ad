"""One pod on one of the lab's nodes, from the moment it is bound until its object is gone."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from breakeven.lab.block import Block
from breakeven.lab.controlplane.client import STRATEGIC, ApiClient, ApiError, Manifest
from breakeven.lab.kubelet import gpus, images
from breakeven.lab.kubelet.container import Backoff, Container, Launch
from breakeven.lab.kubelet.cores import Cores
from breakeven.lab.kubelet.environment import ConfigError, Variables, command_line, container_base
from breakeven.lab.kubelet.events import Recorder
from breakeven.lab.kubelet.gpus import Gpus
from breakeven.lab.kubelet.nodes import timestamp
from breakeven.lab.kubelet.podstatus import pod_status
from breakeven.lab.kubelet.probes import Target, container_ports
from breakeven.lab.kubelet.volumes import Volumes, relocated
from breakeven.lab.pace import this_machine
from breakeven.lab.reap import VARIABLE
from breakeven.lab.settings import ImageCommand, LabSettings

LOG = logging.getLogger(__name__)
CONFIG_RETRY_SECONDS = 2.0
"""Between two looks for a Secret or ConfigMap that is not there."""
WRITE_RETRY_SECONDS = 0.5
FORCED_GRACE_SECONDS = 1.0
"""What a process gets when its pod was removed without grace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What all pods of a kubelet share."""

    client: ApiClient
    block: Block
    settings: LabSettings
    identity: str
    directory: Path
    session: aiohttp.ClientSession
    cores: Cores
    gpus: Gpus
    recorder: Recorder
    account_kubeconfig: Callable[[str, str], Awaitable[Path]]
    """(namespace, service account) -> kubeconfig. Raises ApiError."""
    cluster: tuple[str, str]
    """Host and port of the API server, as in-cluster clients find them."""


class PodRunner:
    """Runs one pod. `update` and `remove` are told by the kubelet; `run` ends when the pod is gone."""

    def __init__(self, pod: Manifest, around: Surroundings) -> None:
        metadata = pod["metadata"]
        self.pod = pod
        self._around = around
        self._path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
        self._uid = metadata["uid"]
        self._began = timestamp()
        self._ip = around.block.take()
        self._sent: Manifest | None = None
        self._dirty = asyncio.Event()
        self._ending = asyncio.Event()
        self.gone = False
        """Whether the API server said that the object is no more."""
        self._cores: list[int] = []
        self._gpus: dict[str, list[str]] = {}
        if metadata.get("deletionTimestamp"):
            self._ending.set()
        folder = around.directory / f"{metadata['namespace']}_{metadata['name']}_{self._uid}"
        self._volumes = Volumes(pod, self._fetch)
        self.containers = [self._container(spec, folder) for spec in pod["spec"]["containers"]]
        self.sidecars = [
            self._container(spec, folder, restart_policy="Always")
            for spec in pod["spec"].get("initContainers") or ()
            if spec.get("restartPolicy") == "Always"
        ]

    def _container(self, spec: Manifest, folder: Path, restart_policy: str = "") -> Container:
        metadata = self.pod["metadata"]
        directory = folder / spec["name"]
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Container(
            spec=spec,
            owner=f"{metadata['namespace']}/{metadata['name']}",
            marker=f"{self._uid}/{spec['name']}",
            restart_policy=restart_policy or self.pod["spec"].get("restartPolicy", "Always"),
            grace=float(self.pod["spec"].get("terminationGracePeriodSeconds", 30)),
            directory=directory,
            backoff=Backoff(
                first=self._around.settings.backoff_seconds, limit=self._around.settings.backoff_limit_seconds
            ),
            session=self._around.session,
            changed=self._dirty.set,
            announce=lambda kind, reason, message: self._around.recorder.post(self.pod, kind, reason, message),
        )

    def update(self, pod: Manifest) -> None:
        """The object changed."""
        self.pod = pod
        if pod["metadata"].get("deletionTimestamp"):
            self._ending.set()
        if pod["spec"].get("readinessGates"):
            self._dirty.set()

    def remove(self) -> None:
        """The object is gone, so there is nobody left to report to."""
        self.gone = True
        self._ending.set()

    async def run(self) -> None:
        """Run until the pod is gone. Cancelled: kill its processes."""
        reporting = asyncio.create_task(self._report())
        everything = [*self.sidecars, *self.containers]
        working = {container.name: asyncio.create_task(self._work(container)) for container in everything}
        refreshing = asyncio.create_task(self._refresh())
        try:
            self._dirty.set()
            await self._ending.wait()
            deadline = asyncio.get_running_loop().time() + self._grace()
            await self._stop(self.containers, working, deadline)
            for sidecar in reversed(self.sidecars):
                await self._stop([sidecar], working, deadline)
        except asyncio.CancelledError:
            await asyncio.gather(*(container.stop(0) for container in everything))
            raise
        finally:
            tasks = [*working.values(), reporting, refreshing]
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            self._volumes.remove()
            self._around.cores.give_back(self._cores)
            for taken in self._gpus.values():
                self._around.gpus.give_back(self._node, taken)
            self._around.block.give_back(self._ip)
        await self._finish()

    async def _stop(
        self, containers: Sequence[Container], working: Mapping[str, "asyncio.Task[None]"], deadline: float
    ) -> None:
        """End containers side by side. Sidecars share what is left of the pod's grace period."""
        left = max(deadline - asyncio.get_running_loop().time(), 0)
        await asyncio.gather(*(container.stop(left) for container in containers))
        for container in containers:
            if not container.identity:  # never started: it may wait for a Secret that does not come
                working[container.name].cancel()
        await asyncio.wait([working[container.name] for container in containers])

    async def _refresh(self) -> None:
        """Follow the ConfigMaps that are mounted; what cannot be read now stays as it is."""
        while self._volumes.changing:
            await asyncio.sleep(self._around.settings.volume_refresh_seconds)
            try:
                await self._volumes.fill()
            except (ConfigError, ApiError) as error:
                LOG.info("volumes of %s: %s", self._path, error)

    def _grace(self) -> float:
        if self.gone:
            return FORCED_GRACE_SECONDS
        seconds = self.pod["metadata"].get("deletionGracePeriodSeconds")
        return float(self.containers[0].grace if seconds is None else seconds)

    async def _work(self, container: Container) -> None:
        if len(self.sidecars) < len(self.pod["spec"].get("initContainers") or ()):
            container.wait_for("CreateContainerError", "the lab runs no init containers but those that are sidecars")
            return
        for sidecar in self.sidecars:
            if sidecar is container:
                break
            await sidecar.up.wait()
        entry = images.command_for(container.spec["image"], self._around.settings.image_commands())
        if entry is None:
            message = f"no entry of the lab's image map matches {container.spec['image']!r}"
            container.announce("Warning", "Failed", f"Failed to pull image: {message}")
            container.wait_for("ImagePullBackOff", message)
            return
        await container.run(await self._prepare(container, entry))

    async def _prepare(self, container: Container, entry: ImageCommand) -> Launch:
        """Resolve variables and command line, again and again while something that they refer to is missing."""
        while True:
            try:
                return await self._launch(container, entry)
            except (ConfigError, ApiError) as error:
                container.wait_for("CreateContainerConfigError", str(error))
                await asyncio.sleep(CONFIG_RETRY_SECONDS)

    async def _launch(self, container: Container, entry: ImageCommand) -> Launch:
        around, metadata = self._around, self.pod["metadata"]
        variables = await Variables(self.pod, ip=self._ip, host=around.block.node, fetch=self._fetch).resolve(
            container.spec
        )
        await self._volumes.fill()
        paths = self._volumes.paths(container.spec)
        variables = {name: relocated(value, paths) for name, value in variables.items()}
        directory = container.spec.get("workingDir")
        kubeconfig = ""
        if images.needs_kubeconfig(entry):
            account = self.pod["spec"].get("serviceAccountName", "default")
            kubeconfig = str(await around.account_kubeconfig(metadata["namespace"], account))
        values = images.placeholder_values(
            ip=self._ip,
            image=container.spec["image"],
            pod=metadata["name"],
            namespace=metadata["namespace"],
            uid=metadata["uid"],
            kubeconfig=kubeconfig,
        )
        host, port = around.cluster
        environment = (
            container_base(self.pod)
            | {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
            | {name: images.fill(text, values) for name, text in entry.env.items()}
            | variables
            | self._devices(container.spec)
            | {VARIABLE: around.identity}
        )
        if entry.cores and not self._cores:
            self._cores = around.cores.take(entry.cores)
        return Launch(
            argv=images.local_command(
                entry, [relocated(part, paths) for part in command_line(container.spec, variables)], values
            ),
            environment=environment,
            cores=self._cores,
            target=Target(
                ip=self._ip,
                ports=container_ports(container.spec),
                environment=environment,
                pace=this_machine(),
            ),
            # Only a folder of ours: an image's own paths are not on this machine.
            directory=Path(paths[directory]) if directory in paths else container.directory,
        )

    @property
    def _node(self) -> str:
        return str(self.pod["spec"].get("nodeName", ""))

    def _devices(self, container: Manifest) -> dict[str, str]:
        """Variables that name the real GPUs of a container, kept until the pod is gone. Raises ConfigError."""
        name, count = container["name"], gpus.wanted(container)
        if not self._around.gpus.has(self._node):
            return {}
        if name not in self._gpus:
            taken = self._around.gpus.take(self._node, count)
            if taken is None:
                raise ConfigError(f"fewer than {count} GPUs of this machine are free")
            self._gpus[name] = taken
        return gpus.variables(self._gpus[name])

    async def _fetch(self, kind: str, namespace: str, name: str) -> Manifest:
        return await self._around.client.get(f"/api/v1/namespaces/{namespace}/{kind}/{name}")

    async def _report(self) -> None:
        """Send the status whenever it changed; what changes meanwhile goes into the next one."""
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            await self._send()

    async def _send(self) -> None:
        status = pod_status(
            self.pod,
            self.containers,
            sidecars=self.sidecars,
            ip=self._ip,
            host=self._around.block.node,
            began=self._began,
            before=self._sent,
        )
        if status == self._sent:
            return
        while not self.gone:
            try:
                body = {"metadata": {"uid": self._uid}, "status": status}
                await self._around.client.patch(f"{self._path}/status", body, STRATEGIC)
            except ApiError as error:
                if error.status in (404, 409):
                    return
                LOG.info("status of %s: %s", self._path, error)
                await asyncio.sleep(WRITE_RETRY_SECONDS)
            else:
                self._sent = status
                return

    async def _finish(self) -> None:
        """Report the end of the processes, then let the object go."""
        await self._send()
        while not self.gone:
            try:
                await self._around.client.delete(
                    self._path, {"gracePeriodSeconds": 0, "preconditions": {"uid": self._uid}}
                )
            except ApiError as error:
                if error.status in (404, 409):
                    return
                await asyncio.sleep(WRITE_RETRY_SECONDS)
            else:
                return
