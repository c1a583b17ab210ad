"""HAProxy, which is no Go program: found on PATH, else taken out of Debian's own packages into the per-user cache.

`python3 -m breakeven.lab.tools.debian COMMAND...` becomes `haproxy COMMAND...`, as its image would run it.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from breakeven.lab.tools.build import locked, say
from breakeven.lab.tools.find import cache_directory, version_text
from breakeven.lab.tools.pins import ToolsMissingError

NAME = "haproxy"
FITS = re.compile(r"HAProxy version (2\.[6-9]|[3-9]\.)[\s\S]*\+LUA")
"""What `haproxy -vv` says of a release that reads our configuration, with Lua built in."""
PACKAGES = ("haproxy", "liblua5.3-0", "libopentracing-c-wrapper0", "libopentracing1", "libpcre2-8-0")
"""Debian 12's, with what it needs beyond a minimal system."""
_LAUNCHER = """#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
LD_LIBRARY_PATH=$(echo "$here"/usr/lib/*-linux-gnu)${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH
exec "$here/usr/sbin/haproxy" "$@"
"""


def cached(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the unpacked program lies, there or not."""
    return cache_directory(environment) / "haproxy-debian" / NAME


def find_haproxy(environment: Mapping[str, str] = os.environ) -> Path | None:
    """One that fits on PATH, or the one in the cache."""
    on_path = shutil.which(NAME, path=environment.get("PATH"))
    if on_path is not None and FITS.search(version_text(Path(on_path), ("-vv",))):
        return Path(on_path)
    unpacked = cached(environment)
    return unpacked if os.access(unpacked, os.X_OK) else None


def haproxy() -> Path:
    """A HAProxy that fits, unpacked now where there is none. Raises ToolsMissingError."""
    if (found := find_haproxy()) is not None:
        return found
    for command in ("apt-get", "dpkg-deb"):
        if shutil.which(command) is None:
            raise ToolsMissingError(
                f"HAProxy 2.6 or newer with Lua is not on PATH, and without {command} it cannot be taken from Debian's "
                "packages: install haproxy"
            )
    with locked(cached().parent.parent / ".haproxy"):  # not the lock of builds, which take minutes
        if (found := find_haproxy()) is None:
            found = _unpack()
    return found


def _unpack() -> Path:
    target = cached().parent
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".unpack-") as scratch:
        _run("apt-get", "download", *PACKAGES, cwd=scratch)
        root = Path(scratch) / "root"
        for package in sorted(Path(scratch).glob("*.deb")):
            _run("dpkg-deb", "-x", str(package), str(root), cwd=scratch)
        launcher = root / NAME
        launcher.write_text(_LAUNCHER)
        launcher.chmod(0o755)
        if not FITS.search(answer := version_text(launcher, ("-vv",))):
            raise ToolsMissingError(
                "the HAProxy of this machine's packages does not fit (2.6 or newer with Lua is wanted): install one; "
                f"it said {answer[:300]!r}"
            )
        shutil.rmtree(target, ignore_errors=True)
        root.rename(target)
    say(f"  haproxy taken from Debian's packages into {target}")
    return cached()


def _run(*command: str, cwd: str) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode != 0:
        raise ToolsMissingError(
            f"{' '.join(command[:2])} failed: {(done.stderr or done.stdout).strip()[-500:]}\n"
            "HAProxy 2.6 or newer is wanted: run `apt-get update` once, or install haproxy"
        )


def main() -> None:
    """Become HAProxy, or end with 1 when there is none."""
    try:
        program = haproxy()
    except ToolsMissingError as error:
        sys.exit(f"error: {error}")
    arguments = sys.argv[2:] if sys.argv[1:2] == [NAME] else sys.argv[1:]
    os.execv(program, [NAME, *arguments])


if __name__ == "__main__":
    main()
