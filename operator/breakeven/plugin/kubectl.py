"""The cluster, through the user's own kubectl: its contexts, logins, proxies and impersonation are kubectl's business.

A client library would read the same kubeconfig and still miss half of the ways in which people log in.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from breakeven.api.text import plain
from breakeven.plugin.errors import NotFound, PluginError

TIMEOUT_S = 20
"""For one request, told to kubectl; the process itself gets as long again."""
_UNREACHED = re.compile(
    r"connection refused|unable to connect|no such host|i/o timeout|context deadline exceeded|TLS handshake|"
    r"couldn't get current server API group list|no configuration has been provided|was refused - did you specify",
    re.IGNORECASE,
)
_NO_KIND = re.compile(r"doesn't have a resource type|no matches for kind", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Which cluster and namespace, as the user said it; what is None is kubectl's to choose."""

    namespace: str | None = None
    context: str | None = None
    kubeconfig: str | None = None
    everywhere: bool = False

    def options(self) -> list[str]:
        """The cluster, as options of kubectl."""
        given = (("--context", self.context), ("--kubeconfig", self.kubeconfig))
        return [f"{name}={value}" for name, value in given if value]

    def scope(self) -> list[str]:
        """The namespace, as options of kubectl."""
        if self.everywhere:
            return ["--all-namespaces"]
        return [f"--namespace={self.namespace}"] if self.namespace else []


class Kubectl:
    """One kubectl and one cluster."""

    def __init__(self, where: Where, *, program: str | None = None) -> None:
        """Find kubectl on PATH unless a program is given. Raises PluginError if there is none."""
        found = program or shutil.which("kubectl")
        if found is None:
            raise PluginError("kubectl is not on PATH: install it, or call this as `kubectl breakeven`")
        self.where = where
        self._program = found

    def run(self, *arguments: str, input: str | None = None, timeout_s: float = TIMEOUT_S) -> str:
        """What kubectl prints.

        Raises
        ------
        NotFound
            If the object or its kind is not there.
        PluginError
            If kubectl ends with any other error; the text has its words.
        """
        command = [self._program, *self.where.options(), f"--request-timeout={timeout_s:g}s", *arguments]
        try:
            done = subprocess.run(
                command,
                input=input,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=2 * timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise PluginError(f"kubectl did not end within {2 * timeout_s:g} s; {_REACH}") from None
        except OSError as error:
            raise PluginError(f"{self._program} cannot be run: {error.strerror}") from None
        if done.returncode != 0:
            raise translated(done.stderr or done.stdout)
        return done.stdout

    def started(self, *arguments: str) -> subprocess.Popen[str]:
        """A kubectl that goes on until it is ended, with its output to be read. Raises PluginError if there is none."""
        command = [self._program, *self.where.options(), *arguments]
        try:
            return subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace"
            )
        except OSError as error:
            raise PluginError(f"{self._program} cannot be run: {error.strerror}") from None

    def json(self, *arguments: str, input: str | None = None) -> Any:
        """The object that kubectl prints with `-o json`. Raises as `run`."""
        text = self.run(*arguments, "--output=json", input=input)
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise PluginError(f"kubectl {arguments[0]} printed no JSON: {plain(text, 120)}") from None

    def items(self, kind: str, scope: Sequence[str], *more: str) -> list[dict[str, Any]]:
        """Objects of a kind. Raises as `run`."""
        listed = self.json("get", kind, *scope, *more)
        items = listed.get("items") if isinstance(listed, dict) else None
        return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


_REACH = "the cluster is not reached: check --context and --kubeconfig with `kubectl cluster-info`"


def translated(words: str) -> PluginError:
    """What kubectl said when it failed, in words that say what to do."""
    lines = [line for line in words.splitlines() if line.strip() and not _noise(line)]
    said = plain(lines[-1] if lines else "kubectl failed without a word", 400)
    said = said.removeprefix("error: ").removeprefix("Error from server ")
    if _NO_KIND.search(words):
        return NotFound("this cluster has no SpeculativeDeployments: install the chart, or look at --context")
    if "(NotFound)" in words:
        return NotFound(said)
    if "(Forbidden)" in words:
        if "port-forward" in words or "portforward" in words:
            return PluginError(f"{said}; the page takes the right to create pods/portforward where the operator runs")
        return PluginError(f"{said}; the chart gives this right to view and edit (rbac.aggregate): ask for one of them")
    if _UNREACHED.search(words):
        return PluginError(f"{_REACH} ({said})")
    return PluginError(f"kubectl: {said}")


def _noise(line: str) -> bool:
    """Log lines of the client library, such as `E1126 04:45:03.123456 …`, come before the error itself."""
    return re.match(r"[EWI]\d{4} \d\d:\d\d:\d\d", line) is not None
