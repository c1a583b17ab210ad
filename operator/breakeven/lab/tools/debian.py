"""Programs that are no Go modules: found on PATH, else taken out of Debian's own packages into the per-user cache.

`python3 -m breakeven.lab.tools.debian COMMAND...` becomes `haproxy COMMAND...`, as its image would run it.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from breakeven.lab.tools.build import locked, say
from breakeven.lab.tools.find import cache_directory, version_text
from breakeven.lab.tools.pins import ToolsMissingError

_LAUNCHER = """#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
LD_LIBRARY_PATH={libraries}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}
export LD_LIBRARY_PATH
exec "$here/{inside}" "$@"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program, and where it is in Debian 12 or newer."""

    name: str
    """Of the command, and of the package."""
    wanted: str
    """What has to be installed where it cannot be taken."""
    inside: str
    """Where the package has the program."""
    ask: str
    """The option that makes it tell what it is."""
    fits: re.Pattern[str]
    """What one that can be used says then."""


HAPROXY = Program(
    name="haproxy",
    wanted="HAProxy 2.6 or newer with Lua",
    inside="usr/sbin/haproxy",
    ask="-vv",
    fits=re.compile(r"HAProxy version (2\.[6-9]|[3-9]\.)[\s\S]*\+LUA"),
)
"""The proxy of a warm replica."""
CHROMIUM = Program(
    name="chromium-headless-shell",
    wanted="chromium-headless-shell",
    inside="usr/lib/chromium/chromium-headless-shell",
    ask="--version",
    fits=re.compile(r"Chromium 1\d\d\."),
)
"""The browser in which the tests look at pages."""
PROGRAMS = {program.name: program for program in (HAPROXY, CHROMIUM)}


def cached(program: Program, environment: Mapping[str, str] = os.environ) -> Path:
    """Where the unpacked program lies, there or not."""
    return cache_directory(environment) / f"{program.name}-debian" / program.name


def find(program: Program, environment: Mapping[str, str] = os.environ) -> Path | None:
    """One that fits on PATH, or the one in the cache."""
    on_path = shutil.which(program.name, path=environment.get("PATH"))
    if on_path is not None and program.fits.search(version_text(Path(on_path), (program.ask,))):
        return Path(on_path)
    unpacked = cached(program, environment)
    return unpacked if os.access(unpacked, os.X_OK) else None


def take(program: Program) -> Path:
    """One that fits, unpacked now where there is none. Raises ToolsMissingError."""
    if (found := find(program)) is not None:
        return found
    for command in ("apt-get", "dpkg-deb"):
        if shutil.which(command) is None:
            raise ToolsMissingError(
                f"{program.wanted} is not on PATH, and without {command} it cannot be taken from Debian's packages: "
                f"install {program.name}"
            )
    with locked(cached(program).parent.parent / f".{program.name}"):  # not the lock of builds, which take minutes
        if (found := find(program)) is None:
            found = _unpack(program)
    return found


def _unpack(program: Program) -> Path:
    target = cached(program).parent
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".unpack-") as scratch:
        planned = _run(
            program, "apt-get", "--simulate", "install", "--no-install-recommends", program.name, cwd=scratch
        )
        packages = {program.name, *re.findall(r"^Inst (\S+)", planned, re.MULTILINE)}
        _run(program, "apt-get", "download", *sorted(packages), cwd=scratch)
        root = Path(scratch) / "root"
        for package in sorted(Path(scratch).glob("*.deb")):
            _run(program, "dpkg-deb", "-x", str(package), str(root), cwd=scratch)
        launcher = root / program.name
        # Some packages keep their own in a folder of theirs: libpulse0 does.
        libraries = {f"$here/{file.parent.relative_to(root)}" for file in root.glob("usr/lib/*-linux-gnu/**/*.so*")}
        launcher.write_text(_LAUNCHER.format(inside=program.inside, libraries=":".join(sorted(libraries))))
        launcher.chmod(0o755)
        if not program.fits.search(answer := version_text(launcher, (program.ask,))):
            raise ToolsMissingError(
                f"what this machine's packages have as {program.name} does not fit: install {program.wanted}; "
                f"it said {answer[:300]!r}"
            )
        shutil.rmtree(target, ignore_errors=True)
        root.rename(target)
    say(f"  {program.name} taken from Debian's packages into {target}")
    return cached(program)


def _run(program: Program, *command: str, cwd: str) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode != 0:
        raise ToolsMissingError(
            f"{' '.join(command[:2])} failed: {(done.stderr or done.stdout).strip()[-500:]}\n"
            f"{program.wanted} is wanted: run `apt-get update` once, or install {program.name}"
        )
    return done.stdout


def main() -> None:
    """Become HAProxy, or end with 1 when there is none."""
    try:
        program = take(HAPROXY)
    except ToolsMissingError as error:
        sys.exit(f"error: {error}")
    arguments = sys.argv[2:] if sys.argv[1:2] == [HAPROXY.name] else sys.argv[1:]
    os.execv(program, [HAPROXY.name, *arguments])


if __name__ == "__main__":
    main()
