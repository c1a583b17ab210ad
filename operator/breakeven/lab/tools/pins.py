"""What `tools/` pins: Go modules by checksum, and the binaries built from each."""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

DIRECTORY_VARIABLE = "BREAKEVEN_TOOLS"
"""Environment variable that names the folder with `tools.json` when it is not the one of the source tree."""


class ToolsMissingError(RuntimeError):
    """A binary is not there and cannot be built; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary:
    """One command, and how it is built and recognised."""

    name: str
    package: str
    """Go import path of its `main`."""
    module: str
    """Folder under `tools/` with its go.mod and go.sum."""
    version: str
    tags: tuple[str, ...]
    ldflags: str
    seconds: int
    """Build time with cold caches on two cores, for the estimate."""
    compiles: int
    """Packages that are compiled with cold caches once the binaries before it in the set `test` are built: those of
    `go list -deps`, less those of the binaries before."""
    ask: tuple[str, ...]
    """Arguments that make it print its version."""
    fits: str
    """Regular expression that an accepted version's output contains."""
    source: Path
    """Folder of go.mod and go.sum."""
    pinned: str
    """Hash over go.mod, go.sum and the build flags: another pin is another cache entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pins:
    """All of `tools/tools.json`."""

    go: str
    """Oldest Go that builds them."""
    binaries: dict[str, Binary]
    sets: dict[str, tuple[str, ...]]

    def select(self, wanted: str) -> list[Binary]:
        """The binaries of a set (`demo`, `test`) or one binary by name.

        Raises ToolsMissingError when there is neither.
        """
        names = self.sets.get(wanted, (wanted,))
        unknown = [name for name in names if name not in self.binaries]
        if unknown:
            known = ", ".join([*self.sets, *self.binaries])
            raise ToolsMissingError(f"unknown tool or set {', '.join(unknown)}: one of {known}")
        return [self.binaries[name] for name in names]


def directory() -> Path:
    """The folder with `tools.json`: $BREAKEVEN_TOOLS, the source tree's, or the one packed into the wheel.

    Raises ToolsMissingError.
    """
    here = Path(__file__).resolve()
    named = os.environ.get(DIRECTORY_VARIABLE)
    candidates = [Path(named)] if named else [here.parents[4] / "tools", here.parent / "modules"]
    for candidate in candidates:
        if (candidate / "tools.json").is_file():
            return candidate
    raise ToolsMissingError(
        f"no tools.json in {' or '.join(map(str, candidates))}: "
        f"run from a source tree, or set {DIRECTORY_VARIABLE} to its tools/ folder"
    )


def load(folder: Path | None = None) -> Pins:
    """Read the pins. Raises ToolsMissingError when the folder is not there."""
    folder = folder or directory()
    raw = json.loads((folder / "tools.json").read_text())
    binaries: dict[str, Binary] = {}
    for module, entry in raw["modules"].items():
        source = folder / module
        flags = json.dumps([raw["go"], entry["version"], entry["tags"], entry["ldflags"]]).encode()
        pinned = hashlib.sha256(flags)
        for name in ("go.mod", "go.sum"):
            pinned.update((source / name).read_bytes())
        for name, binary in entry["binaries"].items():
            binaries[name] = Binary(
                name=name,
                package=binary["package"],
                module=module,
                version=entry["version"],
                tags=tuple(entry["tags"]),
                ldflags=entry["ldflags"],
                seconds=binary["seconds"],
                compiles=binary["compiles"],
                ask=tuple(binary["ask"]),
                fits=binary["fits"],
                source=source,
                pinned=pinned.hexdigest()[:8],
            )
    return Pins(go=raw["go"], binaries=binaries, sets={name: tuple(names) for name, names in raw["sets"].items()})
