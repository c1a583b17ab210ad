"""The programs of a warm replica, as files of a ConfigMap named by their content."""

import hashlib
import json
from functools import cache
from importlib import resources

from breakeven.render.names import Manifest, Owner, labels, metadata

ROOM = "breakeven.warm"
"""Package whose files are mounted."""
FOLDER = "/opt/breakeven"
"""Where the programs are mounted, and the working directory of the supervisor: its package lies below."""
PROGRAM = f"{FOLDER}/warm"


@cache
def programs() -> dict[str, str]:
    """The supervisor's modules, and what the proxy reads, by file name."""
    files = (file for file in resources.files(ROOM).iterdir() if file.name.endswith((".py", ".lua", ".cfg")))
    return {file.name: file.read_text(encoding="utf-8") for file in sorted(files, key=lambda file: file.name)}


def programs_volume(name: str) -> Manifest:
    """What a pod mounts at FOLDER; keys of a ConfigMap know no folders, so items give each file its place."""
    items = [{"key": file, "path": f"warm/{file}"} for file in programs()]
    return {"name": "programs", "configMap": {"name": name, "items": items}}


def programs_map(owner: Owner, deployment: str) -> Manifest:
    """The ConfigMap. Other programs are another object, so that pods move to them as to any other change."""
    data = programs()
    digest = hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:8]
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(owner, f"{deployment}-{digest}", labels(owner)),
        "immutable": True,
        "data": data,
    }
