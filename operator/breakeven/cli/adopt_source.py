"""Where `breakeven adopt` reads from: a file, a command line, or the cluster."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from breakeven.cli.manifests import USAGE, fail
from breakeven.cli.yaml_reader import read_yaml

_PATHS = {
    "deployment": "/apis/apps/v1/namespaces/{namespace}/deployments/{name}",
    "statefulset": "/apis/apps/v1/namespaces/{namespace}/statefulsets/{name}",
    "pod": "/api/v1/namespaces/{namespace}/pods/{name}",
    "inferenceservice": "/apis/serving.kserve.io/v1beta1/namespaces/{namespace}/inferenceservices/{name}",
    "llminferenceservice": "/apis/serving.kserve.io/v1alpha1/namespaces/{namespace}/llminferenceservices/{name}",
}
_SHORT = {
    "deploy": "deployment",
    "sts": "statefulset",
    "po": "pod",
    "isvc": "inferenceservice",
    "llmisvc": "llminferenceservice",
}
_KINDS = {
    "deployment": ("apps/v1", "Deployment"),
    "statefulset": ("apps/v1", "StatefulSet"),
    "pod": ("v1", "Pod"),
    "inferenceservice": ("serving.kserve.io/v1beta1", "InferenceService"),
    "llminferenceservice": ("serving.kserve.io/v1alpha1", "LLMInferenceService"),
}


def from_file(file: Path) -> list[Any]:
    """Every document of a file; `-` is standard input. Ends the command with exit code 2 where it cannot be read."""
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8-sig")
        documents = read_yaml(text)
    except OSError as error:
        raise fail(f"-f {file}: cannot be read: {error.strerror or error}", USAGE) from None
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise fail(f"-f {file}: is not YAML: {str(error) or 'nested too deeply'}", USAGE) from None
    items: list[Any] = []
    for document in documents:
        listed = document.get("items") if isinstance(document, dict) else None
        items += listed if isinstance(listed, list) else [document]
    return items


def from_cluster(what: str, namespace: str, kubeconfig: Path | None) -> list[Any]:
    """An object of the cluster and the Services of its namespace; nothing is written.

    Ends the command with exit code 2 where it cannot be read.
    """
    from breakeven.control.errors import ControlError

    kind, slash, name = what.partition("/")
    kind = kind.lower().partition(".")[0].removesuffix("s")
    kind = _SHORT.get(kind, kind)
    if not slash or not name or kind not in _PATHS:
        raise fail(f"--from: {what!r} is none; write KIND/NAME with one of {', '.join(_PATHS)}", USAGE)
    try:
        return asyncio.run(_read(kind, name, namespace, kubeconfig or _kubeconfig()))
    except ControlError as error:
        raise fail(f"--from {what}: {error}", USAGE) from None


async def _read(kind: str, name: str, namespace: str, kubeconfig: Path | None) -> list[Any]:
    from breakeven.adapters.kubernetes.rest import Rest, connect

    rest = Rest(await connect(kubeconfig))
    try:
        where = _PATHS[kind].format(namespace=quote(namespace, safe=""), name=quote(name, safe=""))
        found = await rest.request("GET", where)
        services = await rest.request("GET", f"/api/v1/namespaces/{quote(namespace, safe='')}/services")
    finally:
        await rest.close()
    api_version, named = _KINDS[kind]
    found = {"apiVersion": api_version, "kind": named, **found}
    return [found, *({"kind": "Service", **item} for item in services.get("items") or [])]


def _kubeconfig() -> Path | None:
    """As kubectl finds it: the variable, then the home folder; None inside of a cluster."""
    named = os.environ.get("KUBECONFIG", "").split(os.pathsep)[0]
    path = Path(named) if named else Path.home() / ".kube" / "config"
    return path if path.is_file() else None
