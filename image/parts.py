"""The list of parts of the image: what cyclonedx-bom made of requirements.lock, with Debian's packages beside it.

parts.py PYTHON.json DPKG_STATUS VERSION    prints CycloneDX
"""

import json
import re
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote


def debian(status: str) -> list[dict[str, Any]]:
    """The packages of a dpkg status file as components."""
    found = []
    for stanza in filter(None, status.split("\n\n")):
        fields = dict(re.findall(r"^([A-Za-z-]+): (.*)$", stanza, re.MULTILINE))
        name, version = fields["Package"], fields["Version"]
        where = f"pkg:deb/debian/{quote(name)}@{quote(version)}?arch={fields['Architecture']}&distro=bookworm"
        found.append({"type": "library", "bom-ref": where, "name": name, "version": version, "purl": where})
    return sorted(found, key=lambda part: str(part["name"]))


def whole(python: dict[str, Any], packages: list[dict[str, Any]], version: str) -> dict[str, Any]:
    """One list for the image of this version."""
    image = {"type": "container", "bom-ref": "breakeven", "name": "breakeven", "version": version}
    metadata = {**python.get("metadata", {}), "component": image}
    return {**python, "metadata": metadata, "components": [*python["components"], *packages]}


if __name__ == "__main__":
    made, status, version = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    listed = whole(json.loads(made.read_text(encoding="utf-8")), debian(status.read_text(encoding="utf-8")), version)
    sys.stdout.write(json.dumps(listed, indent=1) + "\n")
