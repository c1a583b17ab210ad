"""kubectl, as a user would call it."""

import asyncio
import json
from pathlib import Path
from typing import Any


class KubectlError(Exception):
    """kubectl failed; the message is what it printed."""


class Kubectl:
    """Runs kubectl against one kubeconfig."""

    def __init__(self, binary: Path, kubeconfig: Path) -> None:
        self._binary = binary
        self._kubeconfig = kubeconfig

    async def run(self, *args: str, stdin: str | None = None) -> str:
        """Run one command and return what it printed.

        Raises
        ------
        KubectlError
            If it exits with another code than 0.
        """
        process = await asyncio.create_subprocess_exec(
            str(self._binary),
            f"--kubeconfig={self._kubeconfig}",
            "--request-timeout=10s",
            *args,
            stdin=asyncio.subprocess.PIPE if stdin is not None else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate(stdin.encode() if stdin is not None else None)
        if process.returncode:
            raise KubectlError(err.decode().strip() or f"kubectl {' '.join(args)} exited with {process.returncode}")
        return out.decode()

    async def get(self, kind: str, name: str, namespace: str) -> dict[str, Any] | None:
        """Read one object; None when there is none."""
        text = await self.run("get", kind, name, "--namespace", namespace, "--ignore-not-found", "--output=json")
        if not text.strip():
            return None
        found: dict[str, Any] = json.loads(text)
        return found

    async def list(self, kind: str, namespace: str, selector: str) -> list[dict[str, Any]]:
        """Read objects by label selector."""
        text = await self.run("get", kind, "--namespace", namespace, "--selector", selector, "--output=json")
        found: list[dict[str, Any]] = json.loads(text)["items"]
        return found
