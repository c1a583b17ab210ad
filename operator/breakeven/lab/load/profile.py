"""What a load profile says: phases of traffic, each a mix of request classes, as YAML."""

from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Lengths(_Part):
    """A log-normal length in tokens, clipped. A plain number means always that many."""

    median: Annotated[float, Field(gt=0)]
    """Half of the lengths are below this."""
    spread: Annotated[float, Field(ge=0, le=3)] = 0.0
    """Standard deviation of the logarithm: 0 always the median, 0.5 is chat-like."""
    least: Annotated[int, Field(ge=1)] = 1
    most: Annotated[int, Field(ge=1)] = 100_000

    @model_validator(mode="before")
    @classmethod
    def _plain_number(cls, value: Any) -> Any:
        return {"median": value} if isinstance(value, int | float) else value


class RequestClass(_Part):
    """One kind of request."""

    name: str = "all"
    weight: Annotated[float, Field(gt=0)] = 1.0
    """Share of the phase's requests, relative to the other classes."""
    temperature: Annotated[float, Field(ge=0, le=5)] = 0.0
    prompt: Lengths = Lengths(median=200, spread=0.3)
    """Prompt length. Prompts are random token ids, so nothing is served from a prefix cache."""
    output: Lengths = Lengths(median=120, spread=0.3)
    """Output length; the server is told to ignore its end-of-text token."""
    stream: bool = True
    """Whether the answer is streamed: only then can time to first token and per token be told."""
    extra: dict[str, Any] = {}
    """Further fields of the request body, for example top_p."""


class Rate(_Part):
    """Arrivals per second, changing evenly over the phase. A plain number means constant."""

    start: Annotated[float, Field(ge=0, le=10_000)]
    end: Annotated[float, Field(ge=0, le=10_000)]

    @model_validator(mode="before")
    @classmethod
    def _plain_number(cls, value: Any) -> Any:
        return {"start": value, "end": value} if isinstance(value, int | float) else value

    def at(self, share: float) -> float:
        """The rate when this share of the phase, 0 to 1, has passed."""
        return self.start + (self.end - self.start) * min(max(share, 0.0), 1.0)


class Phase(_Part):
    """A stretch of traffic."""

    name: str
    duration: Annotated[float, Field(gt=0)]
    """Seconds."""
    rate: Rate
    mix: Annotated[tuple[RequestClass, ...], Field(min_length=1)] = (RequestClass(),)


class Profile(_Part):
    """Phases in order."""

    phases: Annotated[tuple[Phase, ...], Field(min_length=1)]
    repeat: bool = False
    """Begin again after the last phase, until the run's duration is over."""
    seed: int = 0
    max_in_flight: Annotated[int, Field(ge=1, le=10_000)] = 256
    """Arrivals beyond this many open requests are left out and counted as skipped."""
    timeout: Annotated[float, Field(gt=0)] = 120.0
    """Seconds after which one request counts as failed."""

    @field_validator("phases")
    @classmethod
    def _names_differ(cls, phases: tuple[Phase, ...]) -> tuple[Phase, ...]:
        names = [phase.name for phase in phases]
        if len(set(names)) != len(names):
            raise ValueError(f"phase names must differ, got {', '.join(names)}")
        return phases

    @property
    def duration(self) -> float:
        """Seconds of one pass through the phases."""
        return sum(phase.duration for phase in self.phases)


def packaged_profiles() -> tuple[str, ...]:
    """Names of the profiles that come with the package."""
    found = resources.files(__package__).joinpath("profiles").iterdir()
    return tuple(sorted(entry.name.removesuffix(".yaml") for entry in found if entry.name.endswith(".yaml")))


def load_profile(name: str) -> Profile:
    """A packaged profile by name, or a YAML file by path. Raises ValueError saying what is wrong with it."""
    if name in packaged_profiles():
        text = resources.files(__package__).joinpath("profiles", f"{name}.yaml").read_text(encoding="utf-8")
    else:
        try:
            text = Path(name).read_text(encoding="utf-8")
        except OSError as error:
            known = ", ".join(packaged_profiles())
            raise ValueError(f"profile {name}: {error.strerror}; packaged profiles: {known}") from error
    try:
        return Profile.model_validate(yaml.safe_load(text))
    except (yaml.YAMLError, ValidationError) as error:
        raise ValueError(f"profile {name}: {error}") from error
