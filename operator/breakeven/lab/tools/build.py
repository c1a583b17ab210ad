"""Builds what is missing with `go build` from the pinned modules, into the per-user cache."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from breakeven.lab.tools.estimate import Estimate, compiled
from breakeven.lab.tools.find import cache_directory, cached_path, find
from breakeven.lab.tools.pins import Binary, Pins, ToolsMissingError

QUIET_INTERVAL_SECONDS = 15.0
"""Between two progress lines where the output is not a terminal."""


def say(text: str) -> None:
    """One line of progress, on stderr."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def go_command(pins: Pins) -> str:
    """Path of a Go that is new enough. Raises ToolsMissingError."""
    go = shutil.which("go")
    if go is None:
        raise ToolsMissingError(
            f"Go is not on PATH: install Go {pins.go} or newer (https://go.dev/dl/), "
            "or put the binaries on PATH or in KUBEBUILDER_ASSETS"
        )
    answer = subprocess.run([go, "env", "GOVERSION", "GOTOOLCHAIN"], capture_output=True, text=True, check=False)
    have, _, toolchain = answer.stdout.partition("\n")
    numbers = re.match(r"go(\d+)\.(\d+)", have)
    wanted = tuple(int(part) for part in pins.go.split("."))
    if numbers and tuple(map(int, numbers.groups())) >= wanted:
        return go
    if toolchain.strip().startswith("auto") or toolchain.strip() == "path":
        return go  # it fetches the toolchain that go.mod names
    raise ToolsMissingError(f"{have.strip() or go} is too old: install Go {pins.go} or newer, or set GOTOOLCHAIN=auto")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One build at a time for this user; a second one waits, and finds the first one's binaries."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another build is under way in {folder}: waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def build_arguments(go: str, binary: Binary, output: Path) -> list[str]:
    """The `go build` command line. `-mod=readonly`: go.mod and go.sum must hold. `-v` tells the progress."""
    arguments = [go, "build", "-v", "-mod=readonly", "-trimpath", "-ldflags", binary.ldflags]
    if binary.tags:
        arguments += ["-tags", ",".join(binary.tags)]
    return [*arguments, "-o", str(output), binary.package]


def clock(seconds: float) -> str:
    """Minutes and seconds: 1:05."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def follow(process: subprocess.Popen[bytes], binary: Binary, log: Path, rest: int) -> float:
    """Show how far the build is and how long it still takes until it ends; returns its seconds.

    rest: pinned seconds of the builds that follow.
    """
    began = time.monotonic()
    terminal = sys.stderr.isatty()
    while True:
        try:
            process.wait(timeout=1.0 if terminal else QUIET_INTERVAL_SECONDS)
        except subprocess.TimeoutExpired:
            line = progress(binary, time.monotonic() - began, compiled(log), rest)
            sys.stderr.write(f"\r{line}\x1b[K" if terminal else line + "\n")
            sys.stderr.flush()
        else:
            if terminal:
                sys.stderr.write("\r\x1b[K")
            return time.monotonic() - began


def progress(binary: Binary, elapsed: float, packages: int, rest: int) -> str:
    """One line of progress."""
    share = min(packages / binary.compiles, 1.0)
    estimate = Estimate(elapsed_s=elapsed, share=share, expected_s=binary.seconds)
    left = estimate.left_s
    return (
        f"  {binary.name} {clock(elapsed)}: {packages} of at most {binary.compiles} packages, "
        f"about {clock(left)} left, {clock(left + rest * estimate.slowness)} in all"
    )


def build_one(go: str, binary: Binary, rest: int) -> Path:
    """Build one binary and move it into the cache in one step. Raises ToolsMissingError with Go's own words."""
    target = cached_path(binary)
    target.parent.mkdir(parents=True, exist_ok=True)
    environment = dict(os.environ) | {"CGO_ENABLED": "0", "GOWORK": "off"}
    environment.pop("GOOS", None)
    environment.pop("GOARCH", None)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".build-") as scratch:
        output = Path(scratch) / binary.name
        with (Path(scratch) / "log").open("w+b") as log:
            process = subprocess.Popen(
                build_arguments(go, binary, output),
                cwd=binary.source,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            try:
                seconds = follow(process, binary, Path(log.name), rest)
            finally:
                if process.poll() is None:
                    process.terminate()
                    process.wait()
            if process.returncode != 0:
                log.seek(0)
                words = log.read().decode(errors="replace")[-4000:]
                raise ToolsMissingError(f"go build of {binary.name} {binary.version} failed:\n{words}")
        output.replace(target)
    say(f"  {binary.name} {binary.version} built in {clock(seconds)}")
    return target


def build(pins: Pins, wanted: str) -> dict[str, Path]:
    """Paths of a set of binaries (`demo`, `test`) or of one, building what is missing.

    Raises ToolsMissingError: no Go, Go too old, or a build that fails.
    """
    selected = pins.select(wanted)
    paths = {binary.name: path for binary in selected if (path := find(binary)) is not None}
    if len(paths) == len(selected):
        return paths
    go = go_command(pins)
    with locked(cache_directory()):
        missing = [binary for binary in selected if find(binary) is None]
        total = sum(binary.seconds for binary in missing)
        if missing:
            say(
                f"building {', '.join(binary.name for binary in missing)} from the modules pinned in "
                f"{missing[0].source.parent}: about {clock(total)} on two idle cores with empty Go caches, once"
            )
        for position, binary in enumerate(missing):
            rest = sum(later.seconds for later in missing[position + 1 :])
            build_one(go, binary, rest)
        return {binary.name: find(binary) or cached_path(binary) for binary in selected}
