"""A scenario: traffic, acceptance and step times over days, and what happens to them. Read from YAML."""

from collections.abc import Sequence
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from breakeven.api.base import SpecModel
from breakeven.api.scalars import Duration
from breakeven.api.spec import SpeculativeDeploymentSpec


class ScenarioError(ValueError):
    """A scenario file that cannot be read; the message names the field."""


class Task(SpecModel):
    """One kind of request."""

    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the requests. Default 1."""
    acceptance: Annotated[float, Field(ge=0, le=1)]
    """Mean accepted / drafted at the scenario's k."""
    spread: Annotated[float, Field(ge=0, le=0.5)] = 0.11
    """Standard deviation between requests. Default 0.11: chat (ShareGPT, EAGLE-3, k = 3)."""
    tokens: Annotated[float, Field(gt=1)] = 200.0
    """Mean output tokens. Default 200."""
    tail: Annotated[float, Field(ge=1.05, le=10)] | None = None
    """Exponent of Pareto output lengths with that mean, up to 32,768 tokens: 1.3 is heavy. Absent: log-normal."""


class Nodes(SpecModel):
    """How fast the nodes are that the replicas run on. A replica keeps its node when it restarts."""

    steps: Annotated[tuple[Annotated[float, Field(gt=0, le=10)], ...], Field(max_length=1000)] = ()
    """Factor on every step, by the replica's number; 1.1 is a node 10 % slower. Nodes beyond the list have 1."""
    spread: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Standard deviation of the log step time between nodes, drawn anew for each seed. Default 0."""
    drift: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """How far a node's step time swings about its mean over a day, each node at hours of its own. Default 0."""


class Sticky(SpecModel):
    """Traffic that sticks to replicas: sessions and prefixes give each replica a mix of its own for a while."""

    acceptance: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Standard deviation of mean acceptance between replicas. Default 0."""
    lengths: Annotated[float, Field(ge=0, le=2)] = 0.0
    """Standard deviation of the log mean output length between replicas. Default 0."""
    lasts: Duration = timedelta(hours=2)
    """After how long two thirds of a mix have been replaced. Default 2h."""


class Cache(SpecModel):
    """A finite KV cache: requests wait for room, and are preempted when it runs out. Only with `--exact`."""

    tokens: Annotated[float, Field(gt=0)]
    """Tokens that the cache of a plain replica holds."""
    draft_share: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of it that the draft takes while a replica speculates. Default 0."""
    most_running: Annotated[int, Field(ge=1)] = 256
    """Requests that run at the same time at most. Default 256."""
    preempts: bool = True
    """Whether a request is admitted for its prompt and put off when the cache is full; otherwise it waits until there
    is room for all of it. Default true."""


class Event(SpecModel):
    """Something that happens; what it does not name stays as it was."""

    at: Duration
    """After the beginning."""
    lasts: Duration | None = None
    """How long. Absent: to the end."""
    every: Duration | None = None
    """Again and again after so long. Absent: once."""
    ramp: Duration | None = None
    """Time over which `acceptanceShift`, `inflationFactor` and `stepFactor` grow from nothing. Absent: at once."""
    tasks: list[Task] | None = None
    """Other requests from here on."""
    acceptance_shift: float = 0.0
    """Added to the acceptance of every task: a temperature, a draft that does not match, a quantized target."""
    inflation_factor: Annotated[float, Field(gt=0)] = 1.0
    """Multiplies the step-time inflation R."""
    step_factor: Annotated[float, Field(gt=0)] = 1.0
    """Multiplies every step, with speculation or without: contexts that get shorter or longer."""
    load_factor: Annotated[float, Field(ge=0)] = 1.0
    """Multiplies the request rate."""
    worth: Annotated[float, Field(gt=0)] | None = None
    """Speed-up from request to last token, where a queue makes it another than that of decoding: it then says which
    state is the better one. Absent: S."""
    outage: bool = False
    """Prometheus is away."""
    unscraped: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of the replicas that are not scraped."""
    missed_scrapes: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of the single scrapes that fail, at random. Only where replicas are scraped (`--exact`)."""
    rolling_restart: bool = False
    """Every replica restarts, one after another."""
    per_token: bool = False
    """Inter-token latency is observed per token and not per step."""
    runaways: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of requests that run to 8,192 tokens at half the acceptance."""
    decay_per_day: Annotated[float, Field(ge=0)] = 0.0
    """Acceptance that an engine loses per day of uptime."""

    @model_validator(mode="after")
    def _repeats(self) -> "Event":
        if self.every is None:
            return self
        if self.every < timedelta(minutes=1):
            raise ValueError("every: must be 1m at least")
        if self.lasts is None or self.lasts >= self.every:
            raise ValueError("lasts: must be given, and shorter than every")
        if self.rolling_restart:
            raise ValueError("every: a rolling restart happens once; restartEvery of the scenario repeats")
        return self


class Scenario(SpecModel):
    """One story and what should come of it."""

    title: str
    """What it is about, in one line."""
    proves: str = ""
    """What should come of it."""
    suite: Literal["classic", "hostile", "warm"] = "classic"
    """Which set it belongs to: the first two of `benchmarks/decisions.py`, warm of `--mode Warm`. Default classic."""
    exact: bool = False
    """Whether it shows only where every replica is scraped: queues, histograms, other draft lengths. Default false."""
    days: Annotated[float, Field(gt=0, le=400)] = 2.0
    """Length in days. Default 2."""
    requests_per_second: Annotated[float, Field(gt=0, le=1000)] = 0.5
    """Requests per second, all replicas together, mean over the day. Default 0.5."""
    diurnal: Annotated[float, Field(ge=1, le=100)] = 1.0
    """Busiest hour over quietest. Default 1: flat."""
    tasks: Annotated[list[Task], Field(min_length=1, max_length=8)]
    """Kinds of requests."""
    speedup: Annotated[float, Field(gt=0, le=20)]
    """S at low load with the tasks above."""
    knee: Annotated[float, Field(gt=0)] = 1e9
    """Load from which R rises, in multiples of the scenario's mean rate. Default: never."""
    steepness: Annotated[float, Field(ge=0)] = 0.5
    """Rise of R per doubling of the load above the knee. Default 0.5."""
    step_ms: Annotated[float, Field(gt=0)] = 21.0
    """Step time without speculation at batch 1, in milliseconds. Default 21: a 70B FP8 on an H200."""
    step_slope: Annotated[float, Field(ge=0)] = 0.0045
    """Relative rise of the step time per running request. Default 0.0045: the same table."""
    noise: Annotated[float, Field(ge=0, le=1)] = 0.02
    """Relative noise of a replica's step time from minute to minute. Default 0.02."""
    correlation: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Correlation of a replica's minute with the one before. Default 0. Of the step-time noise, whose size stays; and,
    in the fast mode, of the tokens and steps of its requests, a part of which carries over into the next minute (with
    `--exact` requests last as long as they last)."""
    nodes: Nodes = Nodes()
    """Speed of the nodes. Default: all the same."""
    sticky: Sticky = Sticky()
    """Traffic that sticks to replicas. Default: every replica gets the same mix."""
    cache: Cache | None = None
    """A finite KV cache. Default: no request ever waits."""
    prompt_tokens: Annotated[float, Field(ge=0)] = 300.0
    """Prompt tokens of a request. Default 300."""
    rendered_buckets: bool = False
    """Whether histograms have the bounds that the operator renders, and not vLLM's own. Default false."""
    restart_every: Annotated[Duration, Field(ge=timedelta(minutes=1))] | None = None
    """One replica after another restarts, so long apart. Default: none does."""
    loading: Duration = timedelta(minutes=8)
    """Time from the start of a replica to ready. Default 8m."""
    switch: Duration = timedelta(seconds=1)
    """Time of a warm switch. Default 1s: 0.73 to 0.85 s on an H100 with vLLM 0.26.0."""
    events: Annotated[tuple[Event, ...], Field(max_length=64)] = ()
    """What happens."""
    spec: Annotated[dict[str, Any], Field(default_factory=dict)]
    """Parts of the resource's spec that differ from four replicas with a draft model, k = 3 and every default."""

    @model_validator(mode="after")
    def _needs_scrapes(self) -> "Scenario":
        if self.cache is not None and not self.exact:
            raise ValueError("exact: must be true where cache is given, because only scraped replicas have a queue")
        return self

    @property
    def resource(self) -> SpeculativeDeploymentSpec:
        """The spec that is decided for."""
        base: dict[str, Any] = {
            "replicas": 4,
            "engine": {"image": "vllm/vllm-openai:v0.33.0"},
            "target": {"model": "meta-llama/Llama-3.1-70B-Instruct"},
            "draft": {"model": "meta-llama/Llama-3.1-8B-Instruct", "numSpeculativeTokens": 3},
        }
        return SpeculativeDeploymentSpec.model_validate(_merged(base, self.spec))


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    both = dict(base)
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(both.get(key), dict):
            both[key] = _merged(both[key], value)
        else:
            both[key] = value
    return both


def parse(text: str, *, name: str) -> Scenario:
    """Read a scenario.

    Raises
    ------
    ScenarioError
        If it is not YAML or not a scenario; the message names the file and each field.
    """
    try:
        scenario = Scenario.model_validate(yaml.safe_load(text))
        _ = scenario.resource
    except yaml.YAMLError as error:
        raise ScenarioError(f"{name} is not YAML: {error}") from None
    except ValidationError as error:
        wrong = (f"{'.'.join(map(str, each['loc'])) or 'document'}: {each['msg']}" for each in error.errors())
        raise ScenarioError(f"{name}: {'; '.join(wrong)}") from None
    return scenario


def load(path: Path) -> Scenario:
    """Read a scenario file. Raises ScenarioError and OSError."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ScenarioError(f"{path} is no text") from None
    return parse(text, name=str(path))


def shipped(suite: str = "all") -> Sequence[str]:
    """Names of the scenarios that come with the package: of one suite, or all of them."""
    names = sorted(f.name.removesuffix(".yaml") for f in _folder().iterdir() if f.name.endswith(".yaml"))
    return [name for name in names if suite in ("all", load_shipped(name).suite)]


def load_shipped(name: str) -> Scenario:
    """Read one that comes with the package. Raises ScenarioError if there is none of that name."""
    file = _folder() / f"{name}.yaml"
    if not file.is_file():
        raise ScenarioError(f"no scenario {name!r} is shipped; there are {', '.join(shipped())}")
    return parse(file.read_text(encoding="utf-8"), name=name)


def _folder() -> Any:
    return files("breakeven.simulation") / "scenarios"
