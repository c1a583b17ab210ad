"""A local copy of one kind of object, kept by list and watch across outages of the API server."""

import asyncio
import logging
from collections.abc import Callable

from breakeven.lab.controlplane.client import ApiClient, ApiError, Manifest

LOG = logging.getLogger(__name__)
RETRY_SECONDS = 0.5
"""Pause after an error before listing again."""

Key = tuple[str, str]
"""Namespace ("" for cluster-wide kinds) and name."""


def key_of(manifest: Manifest) -> Key:
    """Namespace and name of an object."""
    metadata = manifest["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


class Mirror:
    """Objects by key. `changed(old, new)` is called for each change; None stands for "is not there"."""

    def __init__(
        self,
        client: ApiClient,
        path: str,
        changed: Callable[[Manifest | None, Manifest | None], None],
        **parameters: str,
    ) -> None:
        self.objects: dict[Key, Manifest] = {}
        self._client = client
        self._path = path
        self._changed = changed
        self._parameters = parameters

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            try:
                version = await self._list()
                await self._watch(version)
            except ApiError as error:
                if error.status != 410:
                    LOG.info("%s: %s", self._path, error)
                    await asyncio.sleep(RETRY_SECONDS)

    async def _list(self) -> str:
        answer = await self._client.get(self._path, **self._parameters)
        kind = {"apiVersion": answer.get("apiVersion"), "kind": str(answer.get("kind", "")).removesuffix("List")}
        present = {key_of(item): kind | item for item in answer["items"] or ()}
        for key in list(self.objects):
            if key not in present:
                self._changed(self.objects.pop(key), None)
        for key, item in present.items():
            old = self.objects.get(key)
            if old is None or old["metadata"]["resourceVersion"] != item["metadata"]["resourceVersion"]:
                self.objects[key] = item
                self._changed(old, item)
        return str(answer["metadata"]["resourceVersion"])

    async def _watch(self, version: str) -> None:
        while True:
            async for kind, item in self._client.watch(self._path, version, **self._parameters):
                version = item["metadata"]["resourceVersion"]
                if kind == "BOOKMARK":
                    continue
                key = key_of(item)
                old = self.objects.get(key)
                if kind == "DELETED":
                    self.objects.pop(key, None)
                    self._changed(old or item, None)
                else:
                    self.objects[key] = item
                    self._changed(old, item)
