"""Carrying an order to the API server, and waiting for the operator's answer to a command."""

import json
import time
from typing import NamedTuple

from breakeven.plugin.kubectl import Kubectl
from breakeven.plugin.orders import Order
from breakeven.plugin.resources import KIND_NAME, Found, read

LOOK_EVERY_S = 0.5


class Answer(NamedTuple):
    """What became of a command."""

    text: str
    refused: bool


def apply(kubectl: Kubectl, found: Found, order: Order) -> None:
    """Patch the resource; nothing where it is so already. Raises PluginError."""
    if not order.patch:
        return
    where = [f"--namespace={found.namespace}", found.name]
    how = ["--type=merge", "--field-manager=kubectl-breakeven", f"--patch={json.dumps(order.patch)}"]
    kubectl.run("patch", KIND_NAME, *where, *how)


def answer(kubectl: Kubectl, found: Found, identity: str, *, seconds: float) -> Answer | None:
    """What the operator says of the command, within so many seconds; None where it says nothing. Raises PluginError."""
    end = time.monotonic() + seconds
    while True:
        status = read(kubectl.json("get", KIND_NAME, f"--namespace={found.namespace}", found.name)).status
        if status.memory.command == identity:
            return Answer(text=status.command, refused=bool(status.memory.command_refused))
        if time.monotonic() >= end:
            return None
        time.sleep(LOOK_EVERY_S)
