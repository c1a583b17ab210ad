"""Keeps a balancer for each port of each Service in step with Services and pods."""

import asyncio
import logging
from collections import defaultdict
from typing import Any

from breakeven.lab.controlplane.client import ApiClient, ApiError, Manifest
from breakeven.lab.controlplane.mirror import Key, Mirror, key_of
from breakeven.lab.errors import LabError
from breakeven.lab.proxy.endpoints import Address, backends, is_ready
from breakeven.lab.proxy.relay import Balancer

LOG = logging.getLogger(__name__)
ADDRESS = "lab.breakeven.dev/address"
"""Annotation of a Service that is reached elsewhere than at its cluster IP and port."""
UNPRIVILEGED = 10000
"""Added to a port below 1024, which only root may listen on."""

Port = tuple[Key, int]
"""Service and port number."""


class ServiceProxy:
    """Told of every change of Services and pods."""

    def __init__(self, client: ApiClient, pods: dict[Key, Manifest]) -> None:
        self.services = Mirror(client, "/api/v1/services", self._service_changed)
        self._client = client
        self._pods = pods
        self._balancers: dict[Port, Balancer] = {}
        self._dirty: set[Key] = set()
        self._wake = asyncio.Event()
        self._in_namespace: dict[str, set[Key]] = defaultdict(set)

    def _service_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        one = new or old
        assert one is not None
        key = key_of(one)
        if new is None:
            self._in_namespace[key[0]].discard(key)
        else:
            self._in_namespace[key[0]].add(key)
        self._mark({key})

    def pod_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        """Look again at the Services that select it, when it matters to them."""
        if old is not None and new is not None and _gist(old) == _gist(new):
            return
        for pod in (old, new):
            if pod is not None:
                self._mark(self._selecting(pod))

    def _selecting(self, pod: Manifest) -> set[Key]:
        labels = (pod["metadata"].get("labels") or {}).items()
        found = set()
        for key in self._in_namespace[pod["metadata"]["namespace"]]:
            selector = self.services.objects[key]["spec"].get("selector") or {}
            if selector and selector.items() <= labels:
                found.add(key)
        return found

    def _mark(self, keys: set[Key]) -> None:
        if keys:
            self._dirty |= keys
            self._wake.set()

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            keys, self._dirty = self._dirty, set()
            pods: dict[str, list[Manifest]] = defaultdict(list)
            for (namespace, _name), pod in self._pods.items():
                pods[namespace].append(pod)
            for key in keys:
                await self._sync(key, pods[key[0]])

    async def _sync(self, key: Key, pods: list[Manifest]) -> None:
        service = self.services.objects.get(key)
        ports = _tcp_ports(service)
        for known in [port for port in self._balancers if port[0] == key and port[1] not in ports]:
            await self._balancers.pop(known).close()
        if service is None:
            return
        for number, port in ports.items():
            await self._sync_port(service, (key, number), backends(service, port, pods))

    async def _sync_port(self, service: Manifest, port: Port, found: tuple[Address, ...]) -> None:
        host = service["spec"]["clusterIP"]
        number = port[1] if port[1] >= 1024 else port[1] + UNPRIVILEGED
        balancer = self._balancers.get(port)
        if balancer is None or balancer.host != host:
            balancer = self._balancers[port] = Balancer(host, number)
            if number != port[1]:
                await self._annotate(port[0], f"{host}:{number}")
        try:
            await balancer.set_backends(found)
        except OSError as error:
            LOG.warning("service %s/%s at %s:%d: %s", *port[0], host, number, error)

    async def _annotate(self, key: Key, address: str) -> None:
        namespace, name = key
        try:
            await self._client.patch(
                f"/api/v1/namespaces/{namespace}/services/{name}", {"metadata": {"annotations": {ADDRESS: address}}}
            )
        except ApiError as error:
            LOG.info("service %s/%s: %s", namespace, name, error)

    async def address(self, namespace: str, name: str, port: int | str | None) -> Address:
        """Where a Service is reached. Raises LabError or ApiError when there is no such Service or port."""
        service = await self._client.get(f"/api/v1/namespaces/{namespace}/services/{name}")
        ports = _tcp_ports(service)
        for number, entry in ports.items():
            if port in (None, number, entry.get("name"), str(number)):
                return service["spec"]["clusterIP"], number if number >= 1024 else number + UNPRIVILEGED
        raise LabError(f"service {namespace}/{name} has no port {port}: {', '.join(map(str, ports)) or 'none at all'}")

    def addresses(self) -> dict[str, str]:
        """Where each Service listens, by namespace/name:port."""
        return {
            f"{namespace}/{name}:{port}": f"http://{balancer.host}:{balancer.port}"
            for ((namespace, name), port), balancer in sorted(self._balancers.items())
        }

    async def close(self) -> None:
        """Stop listening everywhere."""
        for balancer in self._balancers.values():
            await balancer.close()


def _tcp_ports(service: Manifest | None) -> dict[int, dict[str, Any]]:
    """TCP ports by number; none for a headless Service or one without selector."""
    if service is None:
        return {}
    spec = service["spec"]
    if spec.get("clusterIP") in (None, "", "None") or not spec.get("selector"):
        return {}
    return {port["port"]: port for port in spec.get("ports") or () if port.get("protocol", "TCP") == "TCP"}


def _gist(pod: Manifest) -> tuple[Any, ...]:
    """What a Service sees of a pod."""
    return is_ready(pod), pod["metadata"].get("labels"), (pod.get("status") or {}).get("podIP")
