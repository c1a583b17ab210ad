"""Stands for the operator's image on a lab: `breakeven ARGUMENTS`, or the image's own Python.

A lab has no DNS, so names of Services are looked up here: `python operator_image.py KUBECONFIG COMMAND...`. `NAMES` in
the environment has what is no Service of the lab: `NAME:PORT=ADDRESS:PORT`, separated by spaces.
"""

import os
import runpy
import socket
import sys
from typing import Any

from kubernetes import client, config

PYTHON = "/opt/breakeven/bin/python"
_asked = socket.getaddrinfo


def resolved(kubeconfig: str, host: str, port: int) -> tuple[str, int]:
    """Where a name of a Service leads to on this machine; anything else as it is."""
    known = dict(pair.split("=") for pair in os.environ.get("NAMES", "").split())
    if found := known.get(f"{host}:{port}"):
        address, _, number = found.rpartition(":")
        return address, int(number)
    name, *rest = host.split(".")
    if len(rest) != 2 or rest[1] != "svc":
        return host, port
    service = client.CoreV1Api(config.new_client_from_config(kubeconfig)).read_namespaced_service(name, rest[0])
    return service.spec.cluster_ip, port


def main() -> None:
    """Run what the container would."""
    kubeconfig, *command = sys.argv[1:]

    def getaddrinfo(host: Any, port: Any, *more: Any, **named: Any) -> Any:
        return _asked(*(resolved(kubeconfig, host, port) if isinstance(host, str) else (host, port)), *more, **named)

    socket.getaddrinfo = getaddrinfo
    if command[:2] == [PYTHON, "-c"]:
        sys.argv = ["-c", *command[3:]]
        exec(compile(command[2], "<the chart>", "exec"), {"__name__": "__main__"})
    else:
        sys.argv = ["breakeven", *command, f"--kubeconfig={os.environ['KUBECONFIG']}"]  # no token is mounted on a lab
        runpy.run_module("breakeven", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
