"""A support bundle: what somebody else needs to understand a resource, without secrets, as one tar.gz.

What cannot be had (a right that is missing, a pod that is gone) is named in its README and costs nothing else.
"""

import io
import json
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from breakeven import __version__
from breakeven.api.names import RESOURCE
from breakeven.plugin.errors import PluginError
from breakeven.plugin.kubectl import Kubectl
from breakeven.plugin.redact import Redactor
from breakeven.plugin.resources import Found

LOG_LINES = 5000
_OPERATOR = "app.kubernetes.io/name=breakeven"
_OWNED = (
    "deployments.apps",
    "replicasets.apps",
    "services",
    "pods",
    "poddisruptionbudgets.policy",
    "podmonitors.monitoring.coreos.com",
)
_README = """Support bundle of {namespace}/{name}, made {at} by kubectl breakeven {version}.

resource.yaml            the SpeculativeDeployment
details.json             the whole report of the operator (status.details)
memory.json              what it remembers (status.memory)
objects/                 its Deployments, ReplicaSets, Services, pods, PodDisruptionBudget, PodMonitor
events.yaml              Events about these
operator/                the operator's Deployment, pods, logs (the last {lines} lines) and page of metrics
engines/                 logs of the engines, where asked for with --engine-logs: prompts may be in them
versions.json            kubectl, API server, kubectl breakeven

Taken out, as [redacted]: values of environment variables and headers; what stands under names and flags such as
token, secret, password, api-key; the same values wherever they are repeated; what looks like a token, a key, or
credentials in an address. Secrets and ConfigMaps are not read. Look through it before you give it away.
"""


@dataclass(slots=True)
class Collected:
    """Files of the bundle before anything is taken out, and what is missing."""

    objects: dict[str, Any] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def attempt(self, name: str, collect: Callable[[], None]) -> None:
        """Collect something; what goes wrong is noted."""
        try:
            collect()
        except PluginError as error:
            self.missing.append(f"{name}: {error}")


def collected(kubectl: Kubectl, found: Found, *, engine_logs: bool, lines: int = LOG_LINES) -> Collected:
    """Everything that can be had. Never raises."""
    got = Collected(objects={"resource.yaml": found.body})
    status = found.body.get("status")
    for name in ("details", "memory"):
        text = status.get(name) if isinstance(status, Mapping) else None
        if isinstance(text, str):
            got.objects[f"{name}.json"] = _json(text)
    scope = [f"--namespace={found.namespace}"]
    names = {found.name}
    for kind in _OWNED:

        def owned(kind: str = kind) -> None:
            items = kubectl.items(kind, scope, f"--selector={RESOURCE}={found.name}")
            got.objects[f"objects/{kind.partition('.')[0]}.yaml"] = items
            names.update(str((item.get("metadata") or {}).get("name")) for item in items)

        got.attempt(kind, owned)
    got.attempt("events", lambda: _events(kubectl, got, scope, names))
    if engine_logs:
        _logs(kubectl, got, got.objects.get("objects/pods.yaml") or [], "engines", lines)
    got.attempt("operator", lambda: _operator(kubectl, got, lines))
    got.attempt("versions", lambda: got.objects.update({"versions.json": _versions(kubectl)}))
    return got


def _events(kubectl: Kubectl, got: Collected, scope: list[str], names: set[str]) -> None:
    events = kubectl.items("events", scope)
    got.objects["events.yaml"] = [e for e in events if (e.get("involvedObject") or {}).get("name") in names]


def _operator(kubectl: Kubectl, got: Collected, lines: int) -> None:
    everywhere = ["--all-namespaces"]
    for kind in ("deployments", "pods"):
        got.objects[f"operator/{kind}.yaml"] = kubectl.items(kind, everywhere, f"--selector={_OPERATOR}")
    pods = got.objects["operator/pods.yaml"]
    if not pods:
        got.missing.append(f"operator: no pod with the label {_OPERATOR} in this cluster")
    _logs(kubectl, got, pods, "operator", lines)
    for pod in pods:
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        path = f"/api/v1/namespaces/{quote(namespace)}/pods/{quote(name)}:8080/proxy/metrics"

        def page(name: str = name, path: str = path) -> None:
            got.texts[f"operator/{name}.metrics"] = kubectl.run("get", "--raw", path)

        got.attempt(f"metrics of {name}", page)


def _logs(kubectl: Kubectl, got: Collected, pods: list[dict[str, Any]], folder: str, lines: int) -> None:
    """Logs of the present containers, and of those before them where there were any."""
    for pod in pods:
        namespace, name = pod["metadata"].get("namespace", ""), pod["metadata"]["name"]
        statuses = (pod.get("status") or {}).get("containerStatuses") or ()
        again = any(int(s.get("restartCount") or 0) for s in statuses)
        for previous in (False, True) if again else (False,):

            def log(previous: bool = previous, namespace: str = namespace, name: str = name) -> None:
                options = ["--all-containers", f"--tail={lines}", *(["--previous"] if previous else [])]
                text = kubectl.run("logs", f"--namespace={namespace}", name, *options)
                got.texts[f"{folder}/{name}{'.previous' if previous else ''}.log"] = text

            got.attempt(f"logs of {name}", log)


def _versions(kubectl: Kubectl) -> dict[str, Any]:
    return {"kubectl breakeven": __version__, "kubectl": kubectl.json("version")}


def packed(got: Collected, found: Found, now: datetime, *, lines: int = LOG_LINES) -> bytes:
    """The bundle as tar.gz, redacted: objects first, since what is taken out there is looked for in all text."""
    redactor = Redactor()
    clean = {name: redactor.object(value) for name, value in got.objects.items()}
    files = {name: _written(name, redactor.everywhere(value)) for name, value in clean.items()}
    files |= {name: redactor.text(text) for name, text in got.texts.items()}
    readme = _README.format(
        namespace=found.namespace,
        name=found.name,
        at=now.isoformat(timespec="seconds"),
        version=__version__,
        lines=lines,
    )
    missing = "".join(f"not there: {redactor.text(line)}\n" for line in got.missing)
    files["README.txt"] = readme + (f"\n{missing}" if missing else "")
    out, root = io.BytesIO(), f"breakeven-{found.namespace}-{found.name}"
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name in sorted(files):
            data = files[name].encode(errors="replace")
            entry = tarfile.TarInfo(f"{root}/{name}")
            entry.size, entry.mtime, entry.mode = len(data), int(now.timestamp()), 0o600
            archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def write(path: Path, data: bytes) -> None:
    """Write the bundle for this user only. Raises PluginError if that cannot be done, or there is such a file."""
    try:
        path.touch(mode=0o600, exist_ok=False)
        path.write_bytes(data)
    except FileExistsError:
        raise PluginError(f"{path} is there already: name another file with -o") from None
    except OSError as error:
        raise PluginError(f"{path} cannot be written: {error.strerror or error}") from None


def _written(name: str, value: Any) -> str:
    if name.endswith(".json"):
        return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=4096))


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
