"""Carries pods on hollow nodes through their life with one write each way."""

import asyncio
import logging
import random
import time
from datetime import UTC, datetime

from breakeven.lab.controlplane.client import STRATEGIC, ApiClient, ApiError, Manifest
from breakeven.lab.hollow.counters import HollowPod, page
from breakeven.lab.settings import PAST_SPREAD_SECONDS, HollowSettings

LOG = logging.getLogger(__name__)
WRITERS = 16
RETRY_SECONDS = 0.5


STEP_SECONDS = 60.0
"""Between two samples of the past."""
PAGE_SECONDS = 1.0
"""What a page of the past may take."""
BEFORE_THE_MINUTE = 10.0
"""Samples of the past lie so long before full minutes, at which batches of the default length end."""


def ready_status(pod: Manifest, *, ip: str, host: str, now: str) -> Manifest:
    """Running and Ready since then."""
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
        past = self._settings.past_seconds
        since = time.time() - past - (random.Random(metadata["uid"]).uniform(0, PAST_SPREAD_SECONDS) if past else 0.0)
        moment = datetime.fromtimestamp(since, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        status = ready_status(pod, ip=self._ip, host=self._host, now=moment)
        await self._client.patch(f"{path}/status", {"metadata": {"uid": metadata["uid"]}, "status": status}, STRATEGIC)
        self._pods[metadata["uid"]] = HollowPod.of(pod, self._settings, since)

    def page(self) -> str:
        """Exposition of all of them, up to now; without those whose past was not shown yet."""
        now = time.time()
        present = [pod for pod in self._pods.values() if now - pod.at <= 2 * STEP_SECONDS]
        for pod in present:
            pod.advance(now, self._settings)
        return page(present, self._settings)

    def past(self, labels: str) -> str:
        """The next samples of those whose past was not shown yet, as many as take a second, with further labels."""
        begun, parts = time.monotonic(), []
        while self._settings.replay and time.monotonic() - begun < PAGE_SECONDS and (part := self._minute(labels)):
            parts.append(part)
        return "".join(parts)

    def _minute(self, labels: str) -> str:
        """One sample of the past of each pod that is furthest behind; empty when there is none."""
        now = time.time()
        behind = [pod for pod in self._pods.values() if now - pod.at > 2 * STEP_SECONDS]
        if not behind:
            return ""
        at = (min(pod.at for pod in behind) // STEP_SECONDS + 2) * STEP_SECONDS - BEFORE_THE_MINUTE
        shown = [pod for pod in behind if pod.at < at]
        for pod in shown:
            pod.advance(at, self._settings)
        return page(shown, self._settings, labels=labels, at=at)

    def change(self, settings: HollowSettings) -> None:
        """Other figures from now on; counters go on from where they are."""
        now = time.time()
        for pod in self._pods.values():
            if now - pod.at <= 2 * STEP_SECONDS:
                pod.advance(now, self._settings)
        self._settings = settings

    @property
    def settings(self) -> HollowSettings:
        """The figures of now."""
        return self._settings
