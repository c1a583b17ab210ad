"""What may be set about the simulation itself, apart from the engine's command line."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import yaml

PREFIX = "BREAKEVEN_SIM_"
"""Environment variables are this and the name of a knob in capitals, for example BREAKEVEN_SIM_LOAD_DELAY=10."""


@dataclass(frozen=True, slots=True)
class Knobs:
    """Simulation settings. A later source wins: profile file, then environment, then options."""

    load_delay: float = 2.0
    """Seconds from start to the first answer of /health. A real 70B takes minutes."""
    time_scale: float = 1.0
    """Simulated seconds in a real one. Latencies on the metrics page are in simulated seconds."""
    seed: int | None = None
    """Seed of everything drawn at random. Absent: made from the pod's address, so that replicas differ."""
    acceptance: tuple[tuple[float, float], ...] = ()
    """Conditional acceptance by temperature, as in {"0": 0.8, "1": 0.3}. Empty: the method's default."""
    spread: float | None = None
    """Standard deviation of acceptance between requests. Absent: the method's default."""
    step_factor: float = 1.0
    """Multiplies every step time."""
    draft_step_factor: float = 1.0
    """Multiplies the step time of an engine that speculates, on top."""
    kv_tokens: int | None = None
    """KV cache in tokens. Absent: as measured for this engine."""
    dies_on_first_request: bool = False
    """Answer /health with 200, then die with exit code 0 on the first request, as some configurations really do."""
    draft_dies_on_first_request: bool = False
    """The same, but only for an engine that speculates."""
    draft_fails_at_start: bool = False
    """An engine that speculates loads and then exits with code 1 before it was ever healthy."""
    draft_load_delay: float = 0.0
    """Seconds added to `load_delay` for an engine that speculates."""
    draft_answers_wrongly: float = 0.0
    """Share of the tokens of an engine that speculates that are not the likeliest: drafts accepted without a check."""
    first_sleep: float = 10.0
    """Simulated seconds of falling asleep for the first time: host memory is pinned (9–13 s for 15 GiB on an H100)."""
    sleep: float = 0.35
    """The same of every later time, once nothing runs."""
    wake: float = 0.4
    """Simulated seconds of waking."""
    draft_fails_to_wake: bool = False
    """An engine that speculates dies when it is woken after its first sleep."""
    gpu: str = ""
    """Folder that stands for the pod's GPU: engines that share it share its memory. Empty: it has one to itself."""
    hangs_on_sigterm: bool = False
    """Stop listening on SIGTERM and never exit, as a real server sometimes does; only SIGKILL ends it."""


_SWITCHES = frozenset(
    {
        "dies_on_first_request",
        "draft_dies_on_first_request",
        "draft_fails_at_start",
        "draft_fails_to_wake",
        "hangs_on_sigterm",
    }
)


def knobs_from(
    environment: Mapping[str, str], *, profile: Path | None = None, options: Mapping[str, Any] | None = None
) -> Knobs:
    """Settings from a YAML profile, the environment and options. Raises ValueError naming what cannot be read."""
    knobs = Knobs()
    if profile is not None:
        loaded = yaml.safe_load(profile.read_text(encoding="utf-8")) or {}
        unknown = set(loaded) - {f.name for f in fields(Knobs)}
        if unknown:
            raise ValueError(f"{profile}: no such setting: {', '.join(sorted(unknown))}")
        knobs = replace(knobs, **{name: _read(name, value) for name, value in loaded.items()})
    found = {
        f.name: environment[PREFIX + f.name.upper()] for f in fields(Knobs) if PREFIX + f.name.upper() in environment
    }
    knobs = replace(knobs, **{name: _read(name, value) for name, value in found.items()})
    return replace(knobs, **{name: value for name, value in (options or {}).items() if value is not None})


def _read(name: str, value: Any) -> Any:
    try:
        if name == "acceptance":
            points = json.loads(value) if isinstance(value, str) else value
            return tuple(sorted((float(t), float(rate)) for t, rate in points.items()))
        if name in _SWITCHES:
            return str(value).lower() in ("1", "true", "yes")
        if name == "gpu":
            return str(value)
        return int(value) if name in ("seed", "kv_tokens") else float(value)
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"{PREFIX}{name.upper()}: cannot read {value!r}") from error
