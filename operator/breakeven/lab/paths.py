"""Where labs live on disk."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from breakeven.lab.errors import LabError

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")


def labs_directory(environment: Mapping[str, str] = os.environ) -> Path:
    """`${XDG_STATE_HOME:-~/.local/state}/breakeven/labs`."""
    base = environment.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "breakeven" / "labs"


def lab_directory(name: str) -> Path:
    """Directory of the lab of that name, there or not. Raises LabError for a name that is not a DNS label."""
    if not NAME.fullmatch(name):
        raise LabError(f"--name {name!r}: lower-case letters, digits and dashes, at most 40")
    return labs_directory() / name
