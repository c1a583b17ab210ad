"""The list of parts of the image, and what its recipes have in common."""

import json
import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]
PARTS = runpy.run_path(str(ROOT / "image" / "parts.py"))
STATUS = """Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9+deb12u10
Description: GNU C Library
 Shared libraries.

Package: base-files
Architecture: amd64
Version: 12.4

"""


def test_debians_packages_are_parts_with_their_addresses() -> None:
    base, libc = PARTS["debian"](STATUS)
    assert (base["name"], base["version"]) == ("base-files", "12.4")
    assert libc["purl"] == "pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64&distro=bookworm"


def test_the_list_is_of_the_image_and_keeps_what_is_known_of_python() -> None:
    python = {"bomFormat": "CycloneDX", "metadata": {"tools": []}, "components": [{"name": "kopf"}]}
    made = PARTS["whole"](python, PARTS["debian"](STATUS), "1.2.3")
    assert [part["name"] for part in made["components"]] == ["kopf", "base-files", "libc6"]
    assert made["metadata"]["component"] == {
        "type": "container",
        "bom-ref": "breakeven",
        "name": "breakeven",
        "version": "1.2.3",
    }
    assert made["metadata"]["tools"] == []
    json.dumps(made)


def test_both_recipes_make_the_same_user_command_and_environment() -> None:
    docker = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    script = (ROOT / "image" / "build.sh").read_text(encoding="utf-8")
    assert re.search(r"^USER (\S+)$", docker, re.MULTILINE)[1] in script
    assert re.search(r"^ENTRYPOINT (.*)$", docker, re.MULTILINE)[1] in script
    for variable in re.findall(r"PYTHON[A-Z]+=1", docker):
        assert variable in script
    test_pod = (ROOT / "charts" / "breakeven" / "templates" / "tests" / "health.yaml").read_text(encoding="utf-8")
    assert "/opt/breakeven/bin/python" in test_pod
    assert '"$home/bin/python"' in script
