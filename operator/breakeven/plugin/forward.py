"""The way to the operator's live page: kubectl forwards a port of this machine to it, through the API server."""

import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from breakeven.plugin.errors import NotFound, PluginError
from breakeven.plugin.kubectl import Kubectl, translated

_OPERATOR = "app.kubernetes.io/name=breakeven"
_VARIABLE = "BREAKEVEN_PAGE_PORT"
_READY = re.compile(r"Forwarding from (?P<address>127\.0\.0\.1:\d+) ")


class Operator(NamedTuple):
    """A Deployment of the operator, and the port of its page."""

    namespace: str
    name: str
    port: str


def operator(kubectl: Kubectl, namespace: str | None) -> Operator:
    """The operator that serves a page, in one namespace or in any.

    Raises
    ------
    NotFound
        If there is no operator.
    PluginError
        If none of them serves a page, several do, or they may not be read.
    """
    scope = [f"--namespace={namespace}"] if namespace else ["--all-namespaces"]
    deployments = kubectl.items("deployments.apps", scope, f"--selector={_OPERATOR}")
    if not deployments:
        raise NotFound(f"no Deployment has the label {_OPERATOR}: is the operator installed, and in this cluster?")
    found = [_read(each) for each in deployments]
    serving = [each for each in found if each.port]
    if not serving:
        raise PluginError(f"{found[0].namespace}/{found[0].name} serves no page: set page.enabled in the chart")
    if len(serving) > 1:
        places = ", ".join(sorted(each.namespace for each in serving))
        raise PluginError(f"there are operators in {places}: say which with --operator-namespace")
    return serving[0]


def _read(deployment: Mapping[str, Any]) -> Operator:
    meta = deployment.get("metadata") or {}
    pod = ((deployment.get("spec") or {}).get("template") or {}).get("spec") or {}
    variables = [v for c in pod.get("containers") or () for v in c.get("env") or ()]
    port = next((str(v.get("value") or "") for v in variables if v.get("name") == _VARIABLE), "")
    return Operator(str(meta.get("namespace", "")), str(meta.get("name", "")), port)


@contextmanager
def forwarded(kubectl: Kubectl, to: Operator, local: int) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Forward a port of this machine to the page: its address here, and the kubectl that does it, which is ended after.

    `local` 0 is any free port. Raises PluginError when it cannot be forwarded.
    """
    ports = f"{local or ''}:{to.port}"
    asked = ("port-forward", "--address=127.0.0.1", f"--namespace={to.namespace}", f"deployment/{to.name}", ports)
    with kubectl.started(*asked) as process:
        try:
            ready = _READY.match(process.stdout.readline() if process.stdout else "")
            if ready is None:
                raise ended(process)
            yield ready["address"], process
        finally:
            process.terminate()


def ended(process: subprocess.Popen[str]) -> PluginError:
    """Why it does not go on, once it has ended."""
    _, words = process.communicate()
    return translated(words or "the forwarding ended: the operator's pod may be another one by now, so try again")
