"""Commands as the pages print them, and a PATH on which they are found."""

import os
import re
import sys
from pathlib import Path

from breakeven.lab.tools.find import require

ROOT = Path(__file__).parents[2]
PROGRAMS = {
    "breakeven": "breakeven.cli.main:main",
    "kubectl-breakeven": "breakeven.cli.kubectl.app:main",
    "kubectl_complete-breakeven": "breakeven.cli.kubectl.completion:complete",
}
"""Console scripts of the package, as pyproject.toml has them."""
_FENCED = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
REPOSITORY = ("charts", "crds", "docs", "manifests")
"""Folders that commands name."""


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of one language, in the order of the page."""
    return [text for kind, text in _FENCED.findall(page.read_text(encoding="utf-8")) if kind == language]


def commands(script: str) -> list[str]:
    """The commands of a block, one each, continued lines joined."""
    lines = script.replace("\\\n", " ").splitlines()
    return [" ".join(line.split()) for line in lines if line.strip() and not line.lstrip().startswith("#")]


def on_path(folder: Path) -> str:
    """PATH with the console scripts as an installer writes them, kubectl and helm, before everything else."""
    folder.mkdir(parents=True)
    for tool in ("kubectl", "helm"):
        (folder / tool).symlink_to(require(tool)[tool])
    for name, target in PROGRAMS.items():
        module, _, function = target.partition(":")
        script = folder / name
        script.write_text(f"#!{sys.executable}\nfrom {module} import {function}\n{function}()\n")
        script.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def checkout(folder: Path) -> Path:
    """A place where commands find the repository's files and leave their own."""
    folder.mkdir(parents=True)
    for name in REPOSITORY:
        (folder / name).symlink_to(ROOT / name)
    return folder
