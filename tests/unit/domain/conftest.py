"""A small fleet without noise or surprise: it obeys placements at once and counts what its engines would."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.api.status import Memory, State
from breakeven.api.variant import Variant
from breakeven.domain.counters.observation import (
    Answers,
    Arm,
    Batch,
    Buckets,
    Fleet,
    Gauges,
    Observation,
    Outage,
    Share,
    Smoke,
    Totals,
)
from breakeven.domain.decide import decide
from breakeven.domain.decision import Decision, Declared

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


@dataclass
class World:
    """One resource over time. `speedup` maps a variant to its S; the plain engine needs 20 ms per token."""

    spec: SpeculativeDeploymentSpec
    speedup: Callable[[Variant], float] = lambda variant: 1.3 if variant.speculates else 1.0
    running: float = 2.0
    """Running requests per replica, whatever the variant."""
    prompt: Callable[[Variant], float] = lambda variant: 300.0
    """Mean tokens of a prompt."""
    accepted: Callable[[Variant], float] = lambda variant: 1.0
    """Accepted tokens per draft."""
    shown_drafts: Callable[[Variant], float | None] = lambda variant: None
    """Tokens a step that the counters show as drafted. None: what the variant drafts."""
    pods: Callable[[Variant, int], float] = lambda variant, pod: 1.0
    """Accepted tokens of one pod, as a multiple of those of its arm."""
    waiting: Callable[[Variant], float] = lambda variant: 0.0
    """Waiting requests per replica."""
    latencies: Callable[[Variant], dict[float, float]] = lambda variant: {}
    """Share of the requests with so many seconds per output token. Empty: no histogram."""
    first_token: Callable[[Variant], float | None] = lambda variant: None
    """Mean seconds to the first token. None: not counted."""
    first_tokens: Callable[[Variant], dict[float, float]] = lambda variant: {}
    """Share of the requests with so many seconds to the first token. Empty: no histogram."""
    kv_usage: float | None = None
    bounds: tuple[float, ...] = ()
    """Of histograms. Empty: as fine as the operator renders them."""
    survival: tuple[float, ...] = ()
    """Share of drafts that accepted position i + 1, of as many as are drafted. Empty: not reported."""
    requests_per_second: float = 4.0
    now: datetime = START
    memory: Memory = field(default_factory=Memory)
    generation: int = 1
    command: str = ""
    command_id: str = ""
    outage: Outage | None = None
    smoke: Smoke = Smoke.PASSED
    answers: tuple[Answers, str] = (Answers.UNKNOWN, "")
    """Of what speculates, with the figures."""
    failing: str = ""
    unschedulable: str = ""
    batches: dict[str, list[Batch]] = field(default_factory=dict)
    settled: dict[str, tuple[int, datetime]] = field(default_factory=dict)
    warm: dict[str, datetime] = field(default_factory=dict)
    """From when on the first replica of a variant counts."""
    variants: dict[str, Variant] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)
    serving: dict[str, int] = field(default_factory=dict)

    @property
    def last(self) -> Decision:
        return self.decisions[-1]

    @property
    def news(self) -> list[tuple[str, str]]:
        return [(record.action, record.reason) for decision in self.decisions for record in decision.news]

    def step(self) -> Decision:
        """One batch goes by, then one pass."""
        batch = self.spec.evidence.window / 10
        begin = self.now
        self.now += batch
        for name, count in self.serving.items():
            if count and self.outage is None and self.warm[name] <= begin:
                self.batches.setdefault(name, []).append(self._batch(name, count, begin, self.now))
        return self.look()

    def look(self) -> Decision:
        """One pass without time going by."""
        declared = Declared(
            spec=self.spec, generation=self.generation, command=self.command, command_id=self.command_id
        )
        decision = decide(declared, self.memory, self.observation(), self.now)
        self.memory = decision.memory
        self.decisions.append(decision)
        before, self.serving = self.serving, {p.variant.name: p.replicas for p in decision.placements}
        self.warm |= {name: self.now + self.spec.evidence.warmup for name in self.serving if not before.get(name)}
        for placement in decision.placements:
            name, count = placement.variant.name, placement.replicas
            self.variants[name] = placement.variant
            if self.settled.get(name, (0, START))[0] != count:
                self.settled[name] = (count, self.now)
        return decision

    def observation(self) -> Observation:
        fleet, arms = {}, {}
        for name, count in self.serving.items():
            speculating = self.variants[name].speculates
            broken = speculating and bool(self.failing or self.unschedulable)
            ready = 0 if broken else count
            fleet[name] = Fleet(
                variant=name,
                wanted=count,
                existing=count,
                ready=ready,
                settled_since=None if broken else self.settled[name][1],
                failing=self.failing if speculating else "",
                unschedulable=self.unschedulable if speculating else "",
                smoke=self.smoke,
                answers=self.answers[0] if speculating else Answers.UNKNOWN,
                answers_message=self.answers[1] if speculating else "",
            )
            arms[name] = Arm(variant=name, batches=tuple(self.batches.get(name, [])[-300:]), ready=ready, scraped=ready)
        return Observation(arms=arms, fleet=fleet, outage=self.outage, scrape_interval=1.0)

    def run(self, span: timedelta) -> None:
        until = self.now + span
        while self.now < until:
            self.step()

    def until(self, state: State, limit: timedelta = timedelta(hours=3)) -> timedelta:
        """Run until the state is reached; how long it took."""
        begin = self.now
        while self.memory.state != state:
            assert self.now - begin < limit, f"{state} was not reached; {self.memory.state}, {self.last.hold}"
            self.step()
        return self.now - begin

    def _batch(self, name: str, count: int, begin: datetime, end: datetime) -> Batch:
        variant = self.variants[name]
        total = max(1, sum(self.serving.values()))
        seconds = (end - begin).total_seconds()
        requests = self.requests_per_second * seconds * count / total
        wobble = 1 + 0.01 * ((int(end.timestamp() / seconds) * 7 + len(self.batches.get(name, []))) % 5 - 2)
        tokens = requests * 200 * wobble
        time = tokens * 0.020 / self.speedup(variant) * (2 - wobble)
        per_step = 1 + self.accepted(variant) if variant.speculates else 1.0
        drafts = tokens / per_step
        k = variant.draft.num_speculative_tokens if variant.draft else 0
        first = self.first_token(variant)
        totals = Totals(
            generation_tokens=tokens + requests,
            prompt_tokens=requests * self.prompt(variant) * wobble,
            first_tokens=requests,
            steps=drafts,
            step_seconds=time,
            finished=requests,
            failed=0.0,
            preemptions=0.0,
            drafts=drafts if k else None,
            drafted=drafts * k if k else None,
            accepted=drafts * (per_step - 1) if k else None,
            accepted_at=tuple(drafts * share for share in self.survival[:k]),
            ttft_seconds=None if first is None else first * requests,
            tpot_buckets=self._histogram(self.latencies(variant), requests),
            ttft_buckets=self._histogram(self.first_tokens(variant), requests),
        )
        shares = tuple(
            Share(
                replica=f"{name}-{pod}",
                finished=requests / count,
                drafted=drafts * k / count,
                accepted=drafts * (per_step - 1) / count * self.pods(variant, pod),
                steps=drafts / count,
                step_seconds=time / count,
            )
            for pod in range(count)
        )
        shown = self.shown_drafts(variant)
        if shown is not None:
            totals = replace(totals, drafts=drafts * (shown > 0), drafted=drafts * shown, accepted=0.0)
        return Batch(
            start=begin.timestamp(),
            end=end.timestamp(),
            totals=totals,
            gauges=Gauges(running=self.running, waiting=self.waiting(variant), kv_usage=self.kv_usage),
            replicas=count,
            shares=shares if count > 1 else (),
        )

    def _histogram(self, shares: dict[float, float], requests: float) -> Buckets:
        return histogram({at: share * requests for at, share in shares.items()}, self.bounds)


FINE = tuple(0.002 * 1.18**i for i in range(28))


def histogram(counts: dict[float, float], finite: tuple[float, ...] = ()) -> Buckets:
    """So many observations at each value, in buckets as fine as the operator gives its engines; empty for none."""
    bounds = [*(finite or FINE), float("inf")]
    return tuple((bound, sum(n for at, n in counts.items() if at <= bound)) for bound in bounds) if counts else ()


def spec_of(**changes: object) -> SpeculativeDeploymentSpec:
    """A plain resource with a draft; nested parts are given as dicts."""
    base: dict[str, object] = {
        "replicas": 4,
        "engine": {"image": "vllm/vllm-openai:v0.33.0"},
        "target": {"model": "meta-llama/Llama-3.1-70B-Instruct"},
        "draft": {"model": "meta-llama/Llama-3.1-8B-Instruct"},
    }
    return SpeculativeDeploymentSpec.model_validate(base | changes)


@pytest.fixture
def world() -> Callable[..., World]:
    """Make a world from changes to the spec."""

    def make(**changes: object) -> World:
        made = World(spec=spec_of(**changes))
        made.look()
        return made

    return make
