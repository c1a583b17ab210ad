"""ConfigMaps, and empty folders in memory, as folders of this machine; paths of a container are written anew to them.

There are no mount namespaces without root. Volumes of other kinds stay what their paths name on this machine.
"""

import shutil
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from breakeven.lab.controlplane.client import ApiError, Manifest
from breakeven.lab.kubelet.environment import ConfigError

Fetch = Callable[[str, str, str], Awaitable[Manifest]]
"""(kind in the plural, namespace, name) -> object. Raises ApiError."""


class Volumes:
    """Those of one pod, in a folder with a short name: a socket's path has at most 107 characters."""

    def __init__(self, pod: Manifest, fetch: Fetch) -> None:
        self._namespace = pod["metadata"]["namespace"]
        self._maps: dict[str, Manifest] = {}
        self._kept: set[str] = set()
        self._fetch = fetch
        self._root: Path | None = None
        for volume in pod["spec"].get("volumes") or ():
            if "configMap" in volume:
                self._maps[volume["name"]] = volume["configMap"]
                self._kept.add(volume["name"])
            elif (volume.get("emptyDir") or {}).get("medium") == "Memory":
                self._kept.add(volume["name"])

    @property
    def changing(self) -> bool:
        """Whether something in them may change while the pod runs."""
        return bool(self._maps)

    async def fill(self) -> None:
        """Write what the ConfigMaps hold now. Raises ConfigError for one that is not there."""
        for name, source in self._maps.items():
            folder = self._folder(name)
            for path, text in (await self._content(source)).items():
                file = folder / path
                if file.exists() and file.read_text() == text:
                    continue
                file.parent.mkdir(parents=True, exist_ok=True)
                fresh = file.with_name(f".{file.name}.new")
                fresh.write_text(text)
                fresh.replace(file)

    def paths(self, container: Manifest) -> dict[str, str]:
        """Folder by mount path, for the mounts of a container."""
        mounts = container.get("volumeMounts") or ()
        return {m["mountPath"]: str(self._folder(m["name"])) for m in mounts if m["name"] in self._kept}

    def remove(self) -> None:
        """With the pod."""
        if self._root is not None:
            shutil.rmtree(self._root, ignore_errors=True)

    async def _content(self, source: Manifest) -> dict[str, str]:
        try:
            found = await self._fetch("configmaps", self._namespace, source["name"])
        except ApiError as error:
            if error.status == 404 and source.get("optional"):
                return {}
            raise ConfigError(f'configmap "{source["name"]}": {error}') from error
        data: Mapping[str, str] = found.get("data") or {}
        items: list[dict[str, Any]] = source.get("items") or [{"key": key, "path": key} for key in data]
        missing = [item["key"] for item in items if item["key"] not in data]
        if missing:
            raise ConfigError(f"configmap {source['name']} has no key {missing[0]}")
        return {item["path"]: data[item["key"]] for item in items}

    def _folder(self, name: str) -> Path:
        if self._root is None:
            self._root = Path(tempfile.mkdtemp(prefix="bk-"))
        folder = self._root / name
        folder.mkdir(exist_ok=True)
        return folder


def relocated(text: str, paths: Mapping[str, str]) -> str:
    """A text of a container with its mount paths replaced by the folders that stand for them."""
    for mount in sorted(paths, key=len, reverse=True):
        text = text.replace(mount, paths[mount])
    return text
