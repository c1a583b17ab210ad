"""`breakeven inspect --node-speeds`: what the nodes of two servers make of S, as the operator measured them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer
import yaml
from pydantic import TypeAdapter, ValidationError

from breakeven.api.evidence import NodeSpeed
from breakeven.api.text import plain
from breakeven.cli.manifests import documents_of
from breakeven.domain.evidence.node_speeds import NO_SHIFT, Shift, place_of

_SPEEDS = TypeAdapter(list[NodeSpeed])


def node_shift(file: Path | None, node: str | None, against_node: str | None) -> Shift:
    """What S is corrected by for a server and a control on these nodes; nothing where no option is given.

    `file` is what `kubectl get spd NAME -o yaml` prints. Raises typer.BadParameter.
    """
    if file is None and node is None and against_node is None:
        return NO_SHIFT
    if file is None or node is None or against_node is None:
        raise typer.BadParameter("--node-speeds, --node and --against-node come together")
    known = _speeds(file)
    for option, name in (("--node", node), ("--against-node", against_node)):
        if name not in known:
            there = ", ".join(sorted(known)) or "none yet"
            raise typer.BadParameter(
                f"status.memory.nodes of {file} has no {name}; it has {there}. A node is measured while plain replicas "
                "serve on it and on another one",
                param_hint=option,
            )
    return place_of(known[node]).against(place_of(known[against_node]))


def _speeds(file: Path) -> Mapping[str, NodeSpeed]:
    try:
        documents = documents_of(file)
        speeds = _SPEEDS.validate_python(_nodes(documents[0] if documents else None))
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror or error}", param_hint="--node-speeds") from None
    except (ValueError, RecursionError, yaml.YAMLError, ValidationError) as error:
        why = plain(str(error)).splitlines()[0] if str(error) else "nested too deeply"
        raise typer.BadParameter(
            f"{file}: {why}; write there what kubectl get spd NAME -o yaml prints", param_hint="--node-speeds"
        ) from None
    return {speed.node: speed for speed in speeds}


def _nodes(body: Any) -> Any:
    """`status.memory.nodes`. Raises ValueError where there is no memory."""
    for part in ("status", "memory"):
        body = body.get(part) if isinstance(body, dict) else None
    if not isinstance(body, dict):
        raise ValueError("it has no status.memory")
    return body.get("nodes", [])
