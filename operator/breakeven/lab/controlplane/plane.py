"""The components of one lab together, in the order in which they can start."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp

from breakeven.lab.block import Block
from breakeven.lab.controlplane import kubernetes, prometheus
from breakeven.lab.controlplane.client import ApiClient
from breakeven.lab.controlplane.component import APISERVER_STOP_SECONDS, STOP_SECONDS, Component
from breakeven.lab.controlplane.keys import new_token, write_signing_key
from breakeven.lab.controlplane.kubeconfig import write_kubeconfig
from breakeven.lab.controlplane.kubernetes import COMPONENT_USERS, MASTERS, Layout
from breakeven.lab.errors import LabError
from breakeven.lab.settings import LabSettings
from breakeven.lab.tools.find import require
from breakeven.lab.tools.pins import ToolsMissingError

HOLLOW_METRICS_PORT = 9400
COMPONENTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "prometheus")


class ControlPlane:
    """etcd, Kubernetes and Prometheus. `start` and `stop` once each."""

    def __init__(self, *, directory: Path, settings: LabSettings, block: Block, identity: str) -> None:
        self._settings = settings
        self._block = block
        self._identity = identity
        self.layout = Layout(
            directory=directory,
            node=block.node,
            services=block.services,
            etcd_port=block.port(2379),
            peer_port=block.port(2380),
            api_port=block.port(6443),
        )
        self.prometheus_port = block.port(9090)
        self.hollow_port = block.port(HOLLOW_METRICS_PORT)
        self.tokens = {user: new_token() for user in (*MASTERS, *COMPONENT_USERS.values())}
        self.components: dict[str, Component] = {}
        self._session: aiohttp.ClientSession | None = None

    @property
    def prometheus_url(self) -> str:
        """URL of Prometheus."""
        return f"http://{self._block.node}:{self.prometheus_port}"

    def client(self, user: str, user_agent: str) -> ApiClient:
        """A client for one of the fixed users."""
        return ApiClient(
            server=self.layout.server, authority=self.layout.authority, token=self.tokens[user], user_agent=user_agent
        )

    async def start(self, progress: Callable[[str], None]) -> None:
        """Start everything; returns when all of it answers. Raises LabError."""
        try:
            binaries = require(*COMPONENTS)
        except ToolsMissingError as error:
            raise LabError(str(error)) from error
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10))
        self._prepare(binaries)
        progress("etcd and kube-apiserver")
        await self.components["etcd"].start()
        await self.components["etcd"].wait_ready()
        await self.components["kube-apiserver"].start()
        await self.components["kube-apiserver"].wait_ready()
        self._write_kubeconfigs()
        progress("controller manager, scheduler and Prometheus")
        rest = [self.components[name] for name in COMPONENTS[2:]]
        for component in rest:
            await component.start()
        await asyncio.gather(*(component.wait_ready() for component in rest))

    def _prepare(self, binaries: dict[str, Path]) -> None:
        layout = self.layout
        layout.certificates.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_signing_key(layout.signing_key)
        kubernetes.write_tokens(layout, self.tokens)
        configured = prometheus.write_configuration(
            layout,
            self._settings,
            hollow=f"{self._block.node}:{self.hollow_port}",
            own=f"{self._block.node}:{self.prometheus_port}",
        )
        arguments = {
            "etcd": kubernetes.etcd_arguments(layout),
            "kube-apiserver": kubernetes.apiserver_arguments(layout, self._settings),
            "kube-controller-manager": kubernetes.controller_manager_arguments(layout),
            "kube-scheduler": kubernetes.scheduler_arguments(layout),
            "prometheus": prometheus.prometheus_arguments(layout, self._settings, configured, self.prometheus_port),
        }
        probes = {
            "etcd": f"http://{layout.node}:{layout.etcd_port}/readyz",
            "kube-apiserver": f"{layout.server}/readyz",
            "prometheus": f"{self.prometheus_url}/-/ready",
        }
        for name in COMPONENTS:
            self.components[name] = Component(
                name=name,
                argv=[str(binaries[name]), *arguments[name]],
                log=layout.log(name),
                identity=self._identity,
                ready=self._asking(probes.get(name)),
                grace=APISERVER_STOP_SECONDS if name == "kube-apiserver" else STOP_SECONDS,
            )

    def _asking(self, url: str | None) -> Callable[[], Awaitable[bool]]:
        async def answers() -> bool:
            if url is None:
                return True
            assert self._session is not None
            try:
                async with self._session.get(url, ssl=False) as response:
                    return response.status == 200
            except (aiohttp.ClientError, TimeoutError, OSError):
                return False

        return answers

    def _write_kubeconfigs(self) -> None:
        for user, token in self.tokens.items():
            self.write_kubeconfig(self.layout.kubeconfig(user), user=user, token=token)

    def write_kubeconfig(self, path: Path, *, user: str, token: str) -> Path:
        """Write a kubeconfig for this API server."""
        return write_kubeconfig(
            path,
            server=self.layout.server,
            authority=self.layout.authority,
            token=token,
            user=user,
            lab=self._settings.name,
        )

    def fallen(self) -> Component | None:
        """A component that ended though it should run."""
        for component in self.components.values():
            if component.wanted and not component.running():
                return component
        return None

    async def stop(self) -> None:
        """Stop all: first those that talk to the API server, etcd last."""
        for names in (COMPONENTS[2:], COMPONENTS[1:2], COMPONENTS[:1]):
            await asyncio.gather(*(self.components[name].stop() for name in names if name in self.components))
        if self._session is not None:
            await self._session.close()
            self._session = None
