"""kubectl with a cluster of plain values behind it."""

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from breakeven.api.status import Status
from breakeven.plugin.errors import NotFound, PluginError
from breakeven.plugin.kubectl import Kubectl, Where

SAMPLE = Path(__file__).parents[2] / "manifests" / "samples" / "llama-70b-draft-model.yaml"


def resource(status: Status | None = None, **metadata: Any) -> dict[str, Any]:
    """The sample as the API server has it, with a status."""
    body: dict[str, Any] = yaml.safe_load(SAMPLE.read_text(encoding="utf-8"))
    body["metadata"] = {"generation": 1, "uid": "u", **body["metadata"], **metadata}
    if status is not None:
        body["status"] = status.written()
    return body


def deployment(namespace: str, port: str | None) -> dict[str, Any]:
    """An operator that serves its page at this port; None: it serves none."""
    env = [{"name": "BREAKEVEN_LOG_LEVEL", "value": "info"}]
    env += [{"name": "BREAKEVEN_PAGE_PORT", "value": port}] if port else []
    pod = {"spec": {"containers": [{"name": "operator", "env": env}]}}
    return {"metadata": {"namespace": namespace, "name": "breakeven"}, "spec": {"template": pod}}


@dataclass
class Cluster:
    """What kubectl would find: objects by kind, raw paths, logs. What is an exception is raised."""

    resources: list[dict[str, Any]] = field(default_factory=list)
    objects: dict[str, list[dict[str, Any]] | PluginError] = field(default_factory=dict)
    raw: dict[str, str | PluginError] = field(default_factory=dict)
    """Answers by a part of the path."""
    logs: dict[str, str | PluginError] = field(default_factory=dict)
    patches: list[dict[str, Any]] = field(default_factory=list)
    forwarded: list[tuple[str, ...]] = field(default_factory=list)
    """Arguments of what was started."""
    down: PluginError | None = None

    def kubectl(self, where: Where, *, program: str | None = None) -> "FakeKubectl":
        """In the place of `Kubectl`."""
        return FakeKubectl(self, where)


class FakeKubectl(Kubectl):
    """Answers from a `Cluster`."""

    def __init__(self, cluster: Cluster, where: Where) -> None:
        self.cluster = cluster
        self.where = where

    def run(self, *arguments: str, input: str | None = None, timeout_s: float = 20) -> str:
        """What kubectl would print."""
        if self.cluster.down is not None:
            raise self.cluster.down
        verb, *rest = arguments
        words = [a for a in rest if not a.startswith("-")]
        if verb == "get" and "--raw" in rest:
            return str(
                _answer(next((v for part, v in self.cluster.raw.items() if part in words[0]), NotFound("no path")))
            )
        if verb == "get":
            return json.dumps(self._get(words, rest))
        if verb == "logs":
            return str(_answer(self.cluster.logs.get(words[0], NotFound(f"pod {words[0]} not found"))))
        if verb == "patch":
            patch = next(json.loads(a.partition("=")[2]) for a in rest if a.startswith("--patch="))
            self.cluster.patches.append(patch)
            return ""
        if verb == "config":
            return "the chosen context alone"
        assert verb == "version", arguments
        return json.dumps({"clientVersion": {"gitVersion": "v1.36.3"}})

    def started(self, *arguments: str) -> subprocess.Popen[str]:
        """A kubectl that forwards a port and ends at once."""
        self.cluster.forwarded.append(arguments)
        said = ["printf", "Forwarding from 127.0.0.1:41233 -> 8081\\n"]
        return subprocess.Popen(said, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def _get(self, words: list[str], options: list[str]) -> Any:
        kind, *names = words
        namespace = next((o.partition("=")[2] for o in options if o.startswith("--namespace=")), "inference")
        everywhere = "--all-namespaces" in options
        if not kind.startswith("speculativedeployments"):
            return {"items": _answer(self.cluster.objects.get(kind.partition(".")[0], []))}
        found = [r for r in self.cluster.resources if everywhere or r["metadata"]["namespace"] == namespace]
        if not names:
            return {"items": found}
        named = [r for r in found if r["metadata"]["name"] == names[0]]
        if not named:
            raise NotFound(f'speculativedeployments.breakeven.dev "{names[0]}" not found')
        return named[0]


def _answer(value: Any) -> Any:
    if isinstance(value, Exception):
        raise value
    return value
