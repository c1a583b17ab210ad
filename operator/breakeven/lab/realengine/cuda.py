"""The user's own vLLM on the GPUs of this machine, and models of real shape made on the spot."""

import csv
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from breakeven.lab.realengine.install import InstallError

Say = Callable[[str], None]

LEAST_MIB = 24_000
"""Memory of a GPU that holds the target (15 GiB of weights), a draft and room for requests."""
_QUERY = ("nvidia-smi", "--query-gpu=index,name,memory.total", "--format=csv,noheader,nounits")
_SHEBANG = re.compile(r"^#!\s*(?:/usr/bin/env\s+)?(\S*python\S*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One GPU of this machine."""

    device: str
    """As `CUDA_VISIBLE_DEVICES` names it."""
    name: str
    """As the driver names it, for example NVIDIA H100 80GB HBM3."""
    memory_mib: int

    @property
    def product(self) -> str:
        """As NVIDIA's GPU feature discovery labels nodes."""
        return self.name.replace(" ", "-")


@dataclass(frozen=True, slots=True, kw_only=True)
class CudaEngine:
    """What `ENGINE=vllm DEVICE=cuda` serves with."""

    vllm: Path
    version: str
    cards: tuple[Card, ...]
    """All of one model."""
    home: Path
    """Folder with the models as a Hugging Face cache, and with the compile cache, which outlives pods."""


def find_cuda_engine(say: Say, *, cards: int) -> CudaEngine:
    """The `vllm` on PATH, as many GPUs as asked for, and the models; made once, in about half a minute.

    Raises
    ------
    InstallError
        If vLLM or GPUs are missing, or the models cannot be made; the message says what to do.
    """
    vllm = shutil.which("vllm")
    if vllm is None:
        raise InstallError("no `vllm` on PATH: activate the environment that has it (pip install vllm), and try again")
    found = usable(listed(_output(_QUERY)), os.environ, cards=cards)
    python = interpreter(Path(vllm))
    version = _output((python, "-c", "from importlib.metadata import version; print(version('vllm'))")).strip()
    say(f"real engine: vLLM {version} from {vllm}, {len(found)} × {found[0].name}")
    home = _cache() / "breakeven" / "cuda-models"
    _make_models(python, home, found[0], say)
    return CudaEngine(vllm=Path(vllm), version=version, cards=found, home=home)


def listed(text: str) -> tuple[Card, ...]:
    """What `nvidia-smi` says. Raises InstallError when it says something else."""
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines()) if row]
        return tuple(Card(device=device, name=name, memory_mib=int(memory)) for device, name, memory in rows)
    except ValueError as error:
        raise InstallError(f"`{' '.join(_QUERY)}` answered what cannot be read: {text[:200]!r}") from error


def usable(all_cards: Sequence[Card], environment: Mapping[str, str], *, cards: int) -> tuple[Card, ...]:
    """The first GPUs of one model that are large enough, among those that the user lets us see. Raises InstallError."""
    seen = environment.get("CUDA_VISIBLE_DEVICES")
    allowed = None if seen is None else {name.strip() for name in seen.split(",")}
    large = [c for c in all_cards if c.memory_mib >= LEAST_MIB and (allowed is None or c.device in allowed)]
    alike = [c for c in large if c.name == large[0].name]
    if len(alike) < cards:
        shown = ", ".join(f"{c.name} ({c.memory_mib} MiB)" for c in all_cards) or "none"
        raise InstallError(
            f"the demo needs {cards} GPU{'s' if cards > 1 else ''} of one model with {LEAST_MIB} MiB or more; here:"
            f" {shown}{'' if allowed is None else f'; CUDA_VISIBLE_DEVICES={seen}'}. With one GPU write MODE=warm"
        )
    return tuple(alike[:cards])


def interpreter(script: Path) -> str:
    """The Python that a console script runs with."""
    with script.open("rb") as text:
        first = text.readline().decode(errors="replace")
    match = _SHEBANG.match(first)
    return match.group(1) if match else "python3"


def _make_models(python: str, home: Path, card: Card, say: Say) -> None:
    done = home / ".made"
    if done.exists():
        return
    home.mkdir(parents=True, exist_ok=True)
    say("real engine: models of the shape of Llama-3.1-8B and its EAGLE-3 head, random weights (about 30 s, 17 GB)")
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": card.device}
    with resources.as_file(resources.files(__package__) / "make_cuda_models.py") as script:
        _output((python, str(script), str(home / "huggingface")), environment=environment)
    done.touch()


def _output(command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> str:
    """What a command prints. Raises InstallError with its last words."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, env=environment
        )
    except OSError as error:
        raise InstallError(f"`{command[0]}` cannot be run: {error.strerror}; DEVICE=cuda needs it") from error
    if done.returncode:
        raise InstallError(f"`{' '.join(command[:3])} …` failed: {done.stderr.strip()[-400:] or done.stdout[-400:]}")
    return done.stdout


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
