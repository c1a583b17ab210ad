"""Kubernetes Events of the kubelet: best effort, one after another, repeats left out."""

import asyncio
import logging
import secrets

from breakeven.lab.controlplane.client import ApiClient, ApiError, Manifest
from breakeven.lab.kubelet.nodes import timestamp

LOG = logging.getLogger(__name__)
QUEUE = 1000
"""Events waiting to be written; further ones are dropped."""
REMEMBERED = 5000


class Recorder:
    """Writes what pods go through, so that `kubectl describe` shows it."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self._queue: asyncio.Queue[Manifest] = asyncio.Queue(QUEUE)
        self._seen: set[tuple[str, str, str]] = set()

    def post(self, pod: Manifest, kind: str, reason: str, message: str) -> None:
        """Queue one. The same about the same pod is written once, as the kubelet's correlator does in effect."""
        metadata = pod["metadata"]
        key = (metadata["uid"], reason, message)
        if key in self._seen or self._queue.full():
            return
        if len(self._seen) > REMEMBERED:
            self._seen.clear()
        self._seen.add(key)
        now = timestamp()
        self._queue.put_nowait(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {
                    "name": f"{metadata['name'][:200]}.{secrets.token_hex(8)}",
                    "namespace": metadata["namespace"],
                },
                "involvedObject": {
                    "apiVersion": "v1",
                    "kind": "Pod",
                    "name": metadata["name"],
                    "namespace": metadata["namespace"],
                    "uid": metadata["uid"],
                },
                "type": kind,
                "reason": reason,
                "message": message[:1000],
                "source": {"component": "kubelet", "host": pod["spec"].get("nodeName", "")},
                "firstTimestamp": now,
                "lastTimestamp": now,
                "count": 1,
            }
        )

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            event = await self._queue.get()
            try:
                await self._client.post(f"/api/v1/namespaces/{event['metadata']['namespace']}/events", event)
            except ApiError as error:
                LOG.info("event %s: %s", event["reason"], error)
