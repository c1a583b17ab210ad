"""ConfigMaps as folders."""

from pathlib import Path
from typing import Any

import pytest

from breakeven.lab.controlplane.client import ApiError
from breakeven.lab.kubelet.environment import ConfigError
from breakeven.lab.kubelet.volumes import Volumes, relocated


class Maps:
    """ConfigMaps by name."""

    def __init__(self, **maps: dict[str, str]) -> None:
        self.maps = maps

    async def fetch(self, kind: str, namespace: str, name: str) -> dict[str, Any]:
        assert (kind, namespace) == ("configmaps", "n")
        if name not in self.maps:
            raise ApiError(404, f'configmaps "{name}" not found')
        return {"data": self.maps[name]}


def pod(*volumes: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"namespace": "n"}, "spec": {"volumes": list(volumes)}}


def mounts(**paths: str) -> dict[str, Any]:
    return {"volumeMounts": [{"name": name, "mountPath": path} for name, path in paths.items()]}


def files(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


async def test_a_map_is_a_folder_and_follows_its_changes() -> None:
    maps = Maps(m={"a": "1", "b": "2"})
    items = [{"key": "a", "path": "below/a"}]
    volumes = Volumes(pod({"name": "v", "configMap": {"name": "m", "items": items}}), maps.fetch)
    assert volumes.changing
    await volumes.fill()
    folder = Path(volumes.paths(mounts(v="/etc/m"))["/etc/m"])
    assert files(folder) == {"below/a": "1"}
    maps.maps["m"] = {"a": "3"}
    await volumes.fill()
    assert files(folder) == {"below/a": "3"}
    volumes.remove()
    assert files(folder) == {}


async def test_what_is_missing_is_named() -> None:
    maps = Maps(m={"a": "1"})
    missing = Volumes(pod({"name": "v", "configMap": {"name": "other"}}), maps.fetch)
    with pytest.raises(ConfigError, match="other"):
        await missing.fill()
    keyless = {"name": "m", "items": [{"key": "z", "path": "z"}]}
    with pytest.raises(ConfigError, match="no key z"):
        await Volumes(pod({"name": "v", "configMap": keyless}), maps.fetch).fill()
    optional = Volumes(pod({"name": "v", "configMap": {"name": "other", "optional": True}}), maps.fetch)
    await optional.fill()
    missing.remove()
    optional.remove()


def test_other_volumes_stay_what_their_paths_name() -> None:
    kept = {"name": "memory", "emptyDir": {"medium": "Memory"}}
    volumes = Volumes(
        pod({"name": "cache", "emptyDir": {}}, {"name": "h", "hostPath": {"path": "/x"}}, kept), Maps().fetch
    )
    paths = volumes.paths(mounts(cache="/cache", h="/x", memory="/run/m"))
    assert list(paths) == ["/run/m"]
    assert len(paths["/run/m"] + "/proxy.sock") < 100
    volumes.remove()


def test_the_longest_mount_path_is_replaced_first() -> None:
    paths = {"/etc": "/tmp/1", "/etc/deep": "/tmp/2"}
    assert relocated("--a=/etc/deep/x --b=/etc/y", paths) == "--a=/tmp/2/x --b=/tmp/1/y"
