"""Carries pods on hollow nodes through their life with one write each way."""

import asyncio
import logging
import time

from breakeven.lab.controlplane.client import STRATEGIC, ApiClient, ApiError, Manifest
from breakeven.lab.hollow.counters import HollowPod, page
from breakeven.lab.kubelet.nodes import timestamp
from breakeven.lab.settings import HollowSettings

LOG = logging.getLogger(__name__)
WRITERS = 16
RETRY_SECONDS = 0.5


def ready_status(pod: Manifest, *, ip: str, host: str) -> Manifest:
    """Running and Ready since now."""
    now = timestamp()
    return {
        "phase": "Running",
        "hostIP": host,
        "podIP": ip,
        "podIPs": [{"ip": ip}],
        "startTime": now,
        "conditions": [
            {"type": kind, "status": "True", "lastTransitionTime": now}
            for kind in ("PodReadyToStartContainers", "Initialized", "ContainersReady", "Ready")
        ],
        "containerStatuses": [
            {
                "name": container["name"],
                "image": container["image"],
                "imageID": "hollow",
                "containerID": f"hollow://{pod['metadata']['uid']}",
                "ready": True,
                "started": True,
                "restartCount": 0,
                "state": {"running": {"startedAt": now}},
                "lastState": {},
            }
            for container in pod["spec"]["containers"]
        ],
    }


class HollowPods:
    """Told of every change of every pod; looks after those on hollow nodes."""

    def __init__(
        self, client: ApiClient, nodes: frozenset[str], settings: HollowSettings, *, ip: str, host: str
    ) -> None:
        self._client = client
        self._nodes = nodes
        self._settings = settings
        self._ip = ip
        self._host = host
        self._pods: dict[str, HollowPod] = {}
        self._queue: asyncio.Queue[Manifest] = asyncio.Queue()

    def changed(self, old: Manifest | None, new: Manifest | None) -> None:
        """A pod was added, changed or removed."""
        if new is None:
            if old is not None:
                self._pods.pop(old["metadata"]["uid"], None)
            return
        if new["spec"].get("nodeName") not in self._nodes:
            return
        ending = "deletionTimestamp" in new["metadata"]
        was_ending = old is not None and "deletionTimestamp" in old["metadata"]
        was_bound = old is not None and old["spec"].get("nodeName") in self._nodes
        if (ending and not was_ending) or not was_bound:
            self._queue.put_nowait(new)

    async def run(self) -> None:
        """Write until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(WRITERS):
                group.create_task(self._write())

    async def _write(self) -> None:
        while True:
            pod = await self._queue.get()
            try:
                await self._settle(pod)
            except ApiError as error:
                if error.status in (404, 409):
                    continue
                LOG.info("hollow pod %s: %s", pod["metadata"]["name"], error)
                await asyncio.sleep(RETRY_SECONDS)
                self._queue.put_nowait(pod)

    async def _settle(self, pod: Manifest) -> None:
        metadata = pod["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
        if "deletionTimestamp" in metadata:
            self._pods.pop(metadata["uid"], None)
            await self._client.delete(path, {"gracePeriodSeconds": 0, "preconditions": {"uid": metadata["uid"]}})
            return
        status = ready_status(pod, ip=self._ip, host=self._host)
        await self._client.patch(f"{path}/status", {"metadata": {"uid": metadata["uid"]}, "status": status}, STRATEGIC)
        self._pods[metadata["uid"]] = HollowPod.of(pod, self._settings, time.time())

    def page(self) -> str:
        """Exposition of all of them, up to now."""
        self._advance()
        return page(list(self._pods.values()), self._settings)

    def change(self, settings: HollowSettings) -> None:
        """Other figures from now on; counters go on from where they are."""
        self._advance()
        self._settings = settings

    @property
    def settings(self) -> HollowSettings:
        """The figures of now."""
        return self._settings

    def _advance(self) -> None:
        now = time.time()
        for pod in self._pods.values():
            pod.advance(now, self._settings)
