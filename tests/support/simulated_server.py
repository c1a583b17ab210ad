"""The simulated engine as a server that `breakeven measure` can be pointed at without HTTP, in the loop's own time."""

import asyncio
from typing import Any

from breakeven.domain.counters.observation import Buckets, Gauges, Scrape, Totals
from breakeven.lab.engine.core import EngineCore, Request
from breakeven.lab.engine.knobs import Knobs
from breakeven.lab.engine.process import prepare
from breakeven.lab.engine.tally import Histogram
from breakeven.measure.server import Answer, Page

MODEL = "meta-llama/Llama-3.1-8B-Instruct"
DRAFT = "meta-llama/Llama-3.2-1B-Instruct"


def core_of(speculative: str = "", *, model: str = MODEL, seed: int = 0, knobs: Knobs = Knobs()) -> EngineCore:  # noqa: B008 # frozen
    """An engine as its command line makes it."""
    command = ["vllm", "serve", model, *([f"--speculative-config={speculative}"] if speculative else [])]
    _, configuration, _ = prepare(command, "v0.33.0", knobs, {})
    return EngineCore(configuration.setup, seed=seed)


def drafting(k: int = 3, draft: str = DRAFT) -> str:
    """A speculative configuration with a draft model."""
    return f'{{"method": "draft_model", "model": "{draft}", "num_speculative_tokens": {k}}}'


class SimulatedServer:
    """One engine. `failing` says what every request is answered with instead, from when it is set."""

    def __init__(self, core: EngineCore) -> None:
        self.core = core
        self.failing = ""
        self.latency = 0.0
        """Seconds that the network adds to each answer's end, and to nothing that the engine counts."""
        self._waiting: dict[int, tuple[Request, asyncio.Future[None]]] = {}
        self._driver: asyncio.Task[None] | None = None

    async def ask(self, path: str, body: dict[str, Any], kind: str) -> Answer:
        loop = asyncio.get_running_loop()
        sent = loop.time()
        if self.failing:
            await asyncio.sleep(0.001)
            return Answer(kind=kind, sent=sent, failure=self.failing)
        prompt = body.get("prompt") or str(body.get("messages"))
        length = len(prompt) if isinstance(prompt, list) else max(1, len(prompt) // 4)
        request = Request(
            prompt_tokens=length, max_tokens=body["max_tokens"], temperature=body["temperature"], arrival=sent
        )
        if self.core.idle:
            self.core.advance(sent)
        request.arrival = max(sent, self.core.clock) if self.core.idle else sent
        self.core.submit(request)
        ended = loop.create_future()
        self._waiting[id(request)] = request, ended
        if self._driver is None or self._driver.done():
            self._driver = asyncio.ensure_future(self._drive())
        try:
            await ended
        finally:
            self._waiting.pop(id(request), None)
            self.core.abort(request)
        assert request.first_token_at is not None and request.finished_at is not None
        return Answer(
            kind=kind,
            sent=sent,
            first=request.first_token_at,
            last=request.finished_at + self.latency,
            tokens=request.generated,
            prompt_tokens=length,
        )

    async def page(self) -> Page:
        loop = asyncio.get_running_loop()
        self._advance(loop.time())
        return Page(scrape=Scrape(at=loop.time(), totals=totals_of(self.core), gauges=self._gauges()))

    def _gauges(self) -> Gauges:
        core = self.core
        return Gauges(running=len(core.running), waiting=len(core.waiting), kv_usage=core.kv_usage)

    def _advance(self, now: float) -> None:
        for request in self.core.advance(now):
            if (entry := self._waiting.get(id(request))) is not None and not entry[1].done():
                entry[1].set_result(None)

    async def _drive(self) -> None:
        loop = asyncio.get_running_loop()
        while not self.core.idle:
            self._advance(loop.time())
            due = self.core.next_event
            await asyncio.sleep(max(0.0, due - loop.time()) + 1e-9 if due is not None else 1e-6)


def totals_of(core: EngineCore) -> Totals:
    """The engine's counters as a scrape would have them."""
    tally, drafted = core.tally, core.tally.speculation
    return Totals(
        generation_tokens=tally.generation_tokens,
        prompt_tokens=tally.prompt_tokens,
        first_tokens=tally.time_to_first_token.count,
        ttft_seconds=tally.time_to_first_token.sum,
        steps=tally.inter_token_latency.count,
        step_seconds=tally.inter_token_latency.sum,
        finished=tally.finished["stop"] + tally.finished["length"],
        failed=tally.finished["abort"] + tally.finished["error"],
        finished_tpot_seconds=tally.time_per_output_token.sum,
        finished_tpot_count=tally.time_per_output_token.count,
        preemptions=tally.preemptions,
        drafts=drafted.drafts if drafted else None,
        drafted=drafted.draft_tokens if drafted else None,
        accepted=drafted.accepted_tokens if drafted else None,
        accepted_at=tuple(map(float, drafted.accepted_per_position)) if drafted else (),
        ttft_buckets=_buckets(tally.time_to_first_token),
        tpot_buckets=_buckets(tally.time_per_output_token),
    )


def _buckets(histogram: Histogram) -> Buckets:
    below, result = 0, []
    for bound, count in zip((*histogram.bounds, float("inf")), histogram.counts, strict=True):
        below += count
        result.append((bound, float(below)))
    return tuple(result)
