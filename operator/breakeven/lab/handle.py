"""`RunningLab`: a lab in its own process, as seen from the command, demo or test that uses it. Synchronous."""

import json
import os
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from breakeven.lab import paths
from breakeven.lab.errors import LabError
from breakeven.lab.launch import Launched, launch
from breakeven.lab.pace import Patience, this_machine
from breakeven.lab.settings import LabSettings
from breakeven.lab.state import LabState, read_state
from breakeven.lab.stop import stop_lab
from breakeven.lab.tools.find import require
from breakeven.lab.tools.pins import ToolsMissingError


class RunningLab:
    """A lab that is up. Use `start` or `attach`; as a context manager it is taken down at the end."""

    def __init__(self, directory: Path, state: LabState, launched: Launched | None = None) -> None:
        self.directory = directory
        self.state = state
        self._launched = launched
        self._tools: dict[str, Path] = {}

    @classmethod
    def start(
        cls,
        settings: LabSettings | None = None,
        *,
        directory: Path | None = None,
        progress: Callable[[str], None] = lambda _line: None,
        detached: bool = False,
    ) -> Self:
        """Start a lab and return when it is ready (some 6 s).

        directory: where it lives; default is the per-user state directory under the settings' name.
        detached: whether it outlives this process. Otherwise it goes down when this process ends, however it ends.
        Raises LabError: one of that name is up already, a tool is missing, or a component did not come up.
        """
        settings = settings or LabSettings()
        directory = directory or paths.lab_directory(settings.name)
        launched = launch(settings, directory, progress)
        if detached:
            launched.detach()
        return cls(directory, read_state(directory), launched)

    @classmethod
    def attach(cls, name: str = "breakeven", *, directory: Path | None = None) -> Self:
        """A lab that is up already. Raises LabError when it is not."""
        directory = directory or paths.lab_directory(name)
        state = read_state(directory)
        if not state.alive():
            raise LabError(f"lab {state.name!r} is not running any more: `breakeven lab up --name {state.name}`")
        return cls(directory, state)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()

    @property
    def kubeconfig(self) -> Path:
        """Administrator's kubeconfig."""
        return Path(self.state.kubeconfig)

    @property
    def server(self) -> str:
        """URL of the API server."""
        return self.state.server

    @property
    def prometheus_url(self) -> str:
        """URL of Prometheus."""
        return self.state.prometheus

    @property
    def audit_log(self) -> Path:
        """JSON lines, one per API request; written when the settings say audit."""
        return self.directory / "logs" / "audit.log"

    def tool(self, name: str) -> Path:
        """Path of one of the tools, such as kubectl or helm. Raises LabError."""
        if name not in self._tools:
            try:
                self._tools |= require(name)
            except ToolsMissingError as error:
                raise LabError(str(error)) from error
        return self._tools[name]

    def environment(self, kubeconfig: Path | None = None) -> dict[str, str]:
        """This process's environment with KUBECONFIG set and kubectl's own state kept inside the lab."""
        return dict(os.environ) | {
            "KUBECONFIG": str(kubeconfig or self.kubeconfig),
            "KUBECACHEDIR": str(self.directory / "kubectl-cache"),
        }

    def kubectl(
        self,
        *arguments: str,
        input: str | None = None,
        check: bool = True,
        timeout: float = 60.0,
    ) -> "subprocess.CompletedProcess[str]":
        """Run kubectl as administrator. Raises LabError with its words when it fails and `check` is set.

        timeout: seconds on an idle machine; a busy one gets more.
        """
        limit = this_machine().stretched(timeout)
        try:
            result = subprocess.run(
                [str(self.tool("kubectl")), *arguments],
                input=input,
                env=self.environment(),
                capture_output=True,
                text=True,
                timeout=limit,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise LabError(f"kubectl {' '.join(arguments)}: no answer within {limit:.0f} s") from error
        if check and result.returncode != 0:
            raise LabError(f"kubectl {' '.join(arguments)}: {result.stderr.strip()}")
        return result

    def kubeconfig_for(self, user: str, *, groups: tuple[str, ...] = ()) -> Path:
        """A kubeconfig of that user, with only the rights RBAC gives it.

        user: `system:serviceaccount:<namespace>:<name>` (namespace and account are made when missing; a token is
        requested for it, valid for a day) or any other name, with its groups.
        """
        answer = self.control("kubeconfig", {"user": user, "groups": list(groups)})
        return Path(answer["path"])

    def service_url(self, namespace: str, name: str, port: int | str | None = None) -> str:
        """`http://address:port` of a Service through the lab's proxy: its cluster IP, or what stands in for it.

        Each new connection goes to the next Ready pod, so a client that wants its requests balanced opens one per
        request. Nothing listens while no pod is Ready. port: number or name; default is the first.
        Raises LabError when there is no such Service or port.
        """
        return str(self.control("service", {"namespace": namespace, "name": name, "port": port})["url"])

    def stop_prometheus(self) -> None:
        """Stop Prometheus (its data stay); returns when it has ended."""
        self.control("component", {"name": "prometheus", "do": "stop"})

    def start_prometheus(self) -> None:
        """Start Prometheus again on its port and data; returns when it is ready."""
        self.control("component", {"name": "prometheus", "do": "start"})

    def stop_apiserver(self) -> None:
        """Stop kube-apiserver; pods go on running. Returns when it has ended."""
        self.control("component", {"name": "kube-apiserver", "do": "stop"})

    def start_apiserver(self) -> None:
        """Start kube-apiserver again on its port; returns when it is ready."""
        self.control("component", {"name": "kube-apiserver", "do": "start"})

    def set_hollow(self, **changes: float) -> None:
        """Change fields of HollowSettings from now on, for the pods there are and those to come."""
        self.control("hollow", changes)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Result of an instant PromQL query: [{metric: {...}, value: [time, "value"]}]. Raises LabError."""
        url = f"{self.prometheus_url}/api/v1/query?query={urllib.parse.quote(expression)}"
        try:
            with urllib.request.urlopen(url, timeout=this_machine().stretched(10)) as response:
                return list(json.load(response)["data"]["result"])
        except (OSError, urllib.error.HTTPError) as error:
            raise LabError(f"Prometheus at {self.prometheus_url}: {error}") from error

    def wait_for(self, what: str, condition: Callable[[], Any], *, timeout: float = 60.0, every: float = 0.2) -> Any:
        """Ask until the answer is true and return it; an error counts as "not yet".

        Raises LabError that names `what`, with the last error, when it takes longer than `timeout` seconds of an idle
        machine.
        """
        patience = Patience(timeout, this_machine())
        last: BaseException | None = None
        while not patience.over():
            try:
                answer = condition()
            except (LabError, OSError, AssertionError, KeyError, IndexError) as error:
                last = error
            else:
                last = None
                if answer:
                    return answer
            time.sleep(every)
        raise LabError(f"waited {patience.waited:.0f} s for {what}" + (f": {last}" if last else "") + patience.remark)

    def down(self) -> None:
        """Take it down; returns when nothing of it runs any more. Doing it twice is fine."""
        stop_lab(self.directory)
        if self._launched is not None:
            self._launched.wait()
            self._launched = None

    def control(self, what: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Ask the lab's own process for something. Raises LabError with its words."""
        request = urllib.request.Request(
            f"{self.state.control}/{what}",
            data=json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.state.token}", "Content-Type": "application/json"},
            method="POST",
        )
        try:
            with urllib.request.urlopen(request, timeout=this_machine().stretched(90)) as response:
                answer: dict[str, Any] = json.load(response)
        except urllib.error.HTTPError as error:
            raise LabError(error.read().decode(errors="replace")) from error
        except OSError as error:
            raise LabError(f"lab {self.state.name!r} does not answer: {error}") from error
        return answer
