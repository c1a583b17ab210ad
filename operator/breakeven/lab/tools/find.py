"""Where a binary is: $KUBEBUILDER_ASSETS, PATH, then the per-user cache. One that does not fit is passed over."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from breakeven.lab.tools.pins import Binary, ToolsMissingError, load

ANSWER_SECONDS = 20.0
"""A binary that does not print its version within this time does not fit."""


def cache_directory(environment: Mapping[str, str] = os.environ) -> Path:
    """`${XDG_CACHE_HOME:-~/.cache}/breakeven/tools`."""
    base = environment.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "breakeven" / "tools"


def cached_path(binary: Binary, environment: Mapping[str, str] = os.environ) -> Path:
    """Where the built binary lies, there or not: `<module>-<version>-<pin>/<name>`."""
    return cache_directory(environment) / f"{binary.module}-{binary.version}-{binary.pinned}" / binary.name


def version_text(path: Path, ask: tuple[str, ...]) -> str:
    """What a binary says about its version; empty when it says nothing usable."""
    try:
        answer = subprocess.run(
            [str(path), *ask],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=ANSWER_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout + answer.stderr


def find(binary: Binary, environment: Mapping[str, str] = os.environ) -> Path | None:
    """A binary that fits, or None.

    Asked for their version are only those outside the cache: the cache is keyed by it.
    """
    outside: list[Path] = []
    if assets := environment.get("KUBEBUILDER_ASSETS"):
        outside.append(Path(assets) / binary.name)
    if on_path := shutil.which(binary.name, path=environment.get("PATH")):
        outside.append(Path(on_path))
    for candidate in outside:
        if os.access(candidate, os.X_OK) and re.search(binary.fits, version_text(candidate, binary.ask)):
            return candidate
    built = cached_path(binary, environment)
    return built if os.access(built, os.X_OK) else None


def require(*names: str) -> dict[str, Path]:
    """Paths of the named binaries.

    Raises ToolsMissingError with the command that builds what is missing.
    """
    pins = load()
    found: dict[str, Path] = {}
    missing: list[str] = []
    for name in names:
        path = find(pins.binaries[name])
        if path is None:
            missing.append(f"{name} {pins.binaries[name].version}")
        else:
            found[name] = path
    if missing:
        raise ToolsMissingError(
            f"not found in KUBEBUILDER_ASSETS, PATH or {cache_directory()}: {', '.join(missing)}; "
            "build with `make tools` (or `python3 -m breakeven.lab.tools`)"
        )
    return found
