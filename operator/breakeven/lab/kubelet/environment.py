"""A container's variables, and the `$(NAME)` references in its command line."""

import base64
import os
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from breakeven.lab.controlplane.client import ApiError, Manifest

Fetch = Callable[[str, str, str], Awaitable[Manifest]]
"""(kind in the plural, namespace, name) -> object. Raises ApiError."""

PASSED_ON = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH")
"""What a pod sees of this machine: an image would bring its own."""
_REFERENCE = re.compile(r"\$(?:\$|\(([A-Za-z_.-][A-Za-z0-9_.-]*)\))")
_KEYED = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")


class ConfigError(Exception):
    """Something that the container refers to is not there; the kubelet calls this CreateContainerConfigError."""


def expand_references(text: str, known: Mapping[str, str]) -> str:
    """Replace $(NAME) for known names; $$ is a dollar sign and an unknown name stays as written.

    https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
    """

    def replace(match: re.Match[str]) -> str:
        if match.group(1) is None:
            return "$"
        return known.get(match.group(1), match.group(0))

    return _REFERENCE.sub(replace, text)


def field_value(pod: Manifest, path: str, *, ip: str, host: str) -> str:
    """A fieldRef of the downward API. Raises ConfigError for one that is unknown."""
    metadata, spec = pod["metadata"], pod["spec"]
    if keyed := _KEYED.fullmatch(path):
        return str((metadata.get(keyed.group(1)) or {}).get(keyed.group(2), ""))
    values = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "metadata.uid": metadata["uid"],
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName", "default"),
        "status.podIP": ip,
        "status.podIPs": ip,
        "status.hostIP": host,
        "status.hostIPs": host,
    }
    if path not in values:
        raise ConfigError(f"the lab does not know fieldRef {path}")
    return str(values[path])


def container_base(pod: Manifest) -> dict[str, str]:
    """What every container sees before its own variables."""
    passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return passed_on | {"HOSTNAME": pod["metadata"]["name"], "PYTHONUNBUFFERED": "1"}


class Variables:
    """Resolves the `env` and `envFrom` of one pod's containers."""

    def __init__(self, pod: Manifest, *, ip: str, host: str, fetch: Fetch) -> None:
        self._pod = pod
        self._ip = ip
        self._host = host
        self._fetch = fetch
        self._seen: dict[tuple[str, str], dict[str, str] | None] = {}

    async def resolve(self, container: Manifest) -> dict[str, str]:
        """Variables of one container; later entries may refer to earlier ones. Raises ConfigError."""
        values: dict[str, str] = {}
        for source in container.get("envFrom") or ():
            values |= await self._from(source)
        for entry in container.get("env") or ():
            value = await self._value(container, entry)
            if value is not None:
                values[entry["name"]] = expand_references(value, values) if "value" in entry else value
        return values

    async def _from(self, source: Manifest) -> dict[str, str]:
        kind = "secrets" if "secretRef" in source else "configmaps"
        reference = source.get("secretRef") or source.get("configMapRef") or {}
        data = await self._data(kind, reference)
        return {source.get("prefix", "") + key: value for key, value in (data or {}).items()}

    async def _value(self, container: Manifest, entry: Manifest) -> str | None:
        source = entry.get("valueFrom")
        if not source:
            return str(entry.get("value", ""))
        if "fieldRef" in source:
            return field_value(self._pod, source["fieldRef"]["fieldPath"], ip=self._ip, host=self._host)
        if "resourceFieldRef" in source:
            return _resource(container, source["resourceFieldRef"])
        kind = "secrets" if "secretKeyRef" in source else "configmaps"
        reference = source.get("secretKeyRef") or source.get("configMapKeyRef")
        if reference is None:
            raise ConfigError(f"the lab does not know the source of variable {entry['name']}")
        data = await self._data(kind, reference)
        if data is not None and reference["key"] in data:
            return data[reference["key"]]
        if reference.get("optional"):
            return None
        raise ConfigError(f"couldn't find key {reference['key']} in {kind} {reference['name']}")

    async def _data(self, kind: str, reference: Mapping[str, Any]) -> dict[str, str] | None:
        key = (kind, reference["name"])
        if key not in self._seen:
            try:
                found = await self._fetch(kind, self._pod["metadata"]["namespace"], reference["name"])
            except ApiError as error:
                if error.status != 404:
                    raise ConfigError(str(error)) from error
                self._seen[key] = None
            else:
                self._seen[key] = _decoded(kind, found)
        data = self._seen[key]
        if data is None and not reference.get("optional"):
            raise ConfigError(f"{kind} {reference['name']} not found")
        return data


def _decoded(kind: str, found: Manifest) -> dict[str, str]:
    data: dict[str, str] = found.get("data") or {}
    if kind == "secrets":
        return {key: base64.b64decode(value).decode(errors="replace") for key, value in data.items()}
    return data


def _resource(container: Manifest, reference: Mapping[str, str]) -> str:
    kind, _, name = reference["resource"].partition(".")
    amounts = (container.get("resources") or {}).get(kind) or {}
    return str(amounts.get(name, "0"))


def command_line(container: Manifest, variables: Mapping[str, str]) -> Sequence[str]:
    """The container's command and args with their references replaced."""
    parts = [*(container.get("command") or ()), *(container.get("args") or ())]
    return [expand_references(part, variables) for part in parts]
