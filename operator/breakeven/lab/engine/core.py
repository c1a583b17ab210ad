"""Continuous batching, step by step: no I/O, time advanced by the caller, one seeded source of chance."""

from collections import deque
from dataclasses import dataclass, field
from random import Random

from breakeven.lab.engine.acceptance import Acceptance
from breakeven.lab.engine.buckets import buckets
from breakeven.lab.engine.step_times import StepTimes
from breakeven.lab.engine.tally import Tally, new_tally

BLOCK = 16
"""Tokens in a KV block, vLLM's default on GPUs."""


@dataclass(frozen=True, slots=True)
class Speculation:
    """How an engine drafts."""

    method: str
    k: int
    acceptance: Acceptance
    schedule: tuple[tuple[int, int, int], ...] = ()
    """(first batch, last batch, k), rising; gaps and the tail carry the k before them. Empty: k at every load."""
    drafts_all: bool = False
    """Whether the drafter runs all k even where the schedule verifies fewer (a draft model on vLLM's newer runner)."""

    def tokens_at(self, batch: int) -> int:
        """k in force with this many scheduled requests."""
        current = self.k
        for first, _, k in self.schedule:
            if batch < first:
                break
            current = min(k, self.k)
        return current


@dataclass(frozen=True, slots=True)
class Setup:
    """Everything that shapes one simulated engine."""

    times: StepTimes
    kv_tokens: int
    prefill_tokens_per_s: float
    speculation: Speculation | None = None
    max_num_seqs: int = 1024
    max_num_batched_tokens: int = 8192
    max_model_len: int = 32768
    step_factor: float = 1.0
    """Multiplies every step time."""
    bounds: dict[str, tuple[float, ...]] = field(default_factory=lambda: buckets(32768, {}))
    """Histogram bounds, from `buckets`."""


@dataclass(slots=True, eq=False)
class Request:
    """One request. The first block of fields is the caller's, the rest the engine's."""

    prompt_tokens: int
    max_tokens: int
    temperature: float = 0.0
    arrival: float = 0.0
    stop_at: int | None = None
    """Output length at which it ends by itself, if that comes before `max_tokens`. Absent: it never does."""
    streamed: bool = False
    """Whether `emitted` is kept for a reader."""

    conditional: tuple[float, ...] = ()
    blocks: int = 0
    to_prefill: int = 0
    """Tokens whose KV entries must still be computed before it decodes."""
    chunk: int = 0
    """Prefill tokens in the step under way."""
    generated: int = 0
    preemptions: int = 0
    scheduled_at: float | None = None
    first_token_at: float | None = None
    last_token_at: float = 0.0
    finished_at: float | None = None
    finish_reason: str | None = None
    emitted: list[int] = field(default_factory=list)

    @property
    def context(self) -> int:
        """Tokens seen so far."""
        return self.prompt_tokens + self.generated

    @property
    def output_tokens(self) -> int:
        """Tokens it will have when it finishes."""
        return self.max_tokens if self.stop_at is None else min(self.stop_at, self.max_tokens)


@dataclass(slots=True)
class _Step:
    """A step under way."""

    start: float
    end: float
    decoding: list[Request]
    prefilling: list[Request]
    k: int


class EngineCore:
    """One engine. `submit` requests in order of arrival, then `advance` to a time; `tally` has what it counted."""

    def __init__(self, setup: Setup, *, seed: int = 0, start: float = 0.0) -> None:
        self.setup = setup
        self.clock = start
        self.running: list[Request] = []
        self.waiting: deque[Request] = deque()
        self.tally: Tally = new_tally(setup.bounds, setup.speculation.k if setup.speculation else None)
        self._rng = Random(seed)
        self._total_blocks = setup.kv_tokens // BLOCK
        self._free_blocks = self._total_blocks
        self._step: _Step | None = None
        self._finished: list[Request] = []
        self.sleep_state = "awake"
        """As the page has it: `awake`, `weights_offloaded` (level 1) or `discard_all` (level 2)."""
        self.paused = ""
        """`new`: requests that run go on and others wait; `all`: nothing goes on; empty: not paused."""
        self.draft_lost = False
        """Whether the draft's weights are gone: it drafts, and nothing it drafts is right."""

    @property
    def kv_usage(self) -> float:
        """Share of KV blocks in use, 0 to 1."""
        return 1 - self._free_blocks / self._total_blocks

    @property
    def idle(self) -> bool:
        """Whether nothing runs and nothing waits."""
        return not self.running and not self.waiting

    @property
    def next_event(self) -> float | None:
        """When the step under way ends; absent when none is under way."""
        return self._step.end if self._step else None

    def submit(self, request: Request) -> None:
        """Queue a request at its `arrival`. Raises ValueError when it can never fit."""
        if _blocks(request.prompt_tokens + request.max_tokens + self._lookahead) > self._total_blocks:
            raise ValueError(
                f"{request.prompt_tokens} prompt and {request.max_tokens} output tokens exceed the KV cache of "
                f"{self._total_blocks * BLOCK} tokens"
            )
        speculation = self.setup.speculation
        if speculation:
            request.conditional = speculation.acceptance.draw(request.temperature, speculation.k, self._rng)
        request.to_prefill = request.prompt_tokens
        self.waiting.append(request)

    def abort(self, request: Request, reason: str = "abort") -> None:
        """Take a request out; it counts as finished with that reason."""
        if request.finish_reason is not None:
            return
        if request in self.running:
            self.running.remove(request)
            self._free_blocks += request.blocks
            request.blocks = 0
        elif request in self.waiting:
            self.waiting.remove(request)
        request.finish_reason = reason
        self.tally.finished[reason] += 1

    def advance(self, until: float) -> list[Request]:
        """Run every step that ends by `until` and return the requests that finished, in order."""
        while True:
            if self._step is None:
                self._step = self._begin()
            if self._step is None and self.paused:
                self.clock = max(self.clock, until)
                break
            if self._step is None:
                arrival = self.waiting[0].arrival if self.waiting and not self.running else None
                if arrival is None or arrival > until:
                    self.clock = max(self.clock, until)
                    break
                self.clock = max(self.clock, arrival)
                continue
            if self._step.end > until:
                break
            self._complete(self._step)
            self.clock = self._step.end
            self._step = None
        finished, self._finished = self._finished, []
        return finished

    @property
    def _lookahead(self) -> int:
        return 1 + (self.setup.speculation.k if self.setup.speculation else 0)

    def _begin(self) -> _Step | None:
        """Choose what the next step does: running requests first, then new ones while budget, seats and KV last."""
        setup, start = self.setup, self.clock
        if self.paused == "all":
            return None
        preempted = self._reserve_decode()
        decoding = [r for r in self.running if not r.to_prefill]
        budget = setup.max_num_batched_tokens - len(decoding) * self._lookahead
        prefilling: list[Request] = []
        for request in self.running:
            if request.to_prefill and budget > 0:
                request.chunk = min(request.to_prefill, budget)
                budget -= request.chunk
                prefilling.append(request)
        while (
            self.waiting and budget > 0 and not preempted and not self.paused and len(self.running) < setup.max_num_seqs
        ):
            request = self.waiting[0]
            need = _blocks(request.to_prefill + 1)
            if request.arrival > start or need > self._free_blocks:
                break
            self.waiting.popleft()
            self._admit(request, need, start)
            request.chunk = min(request.to_prefill, budget)
            budget -= request.chunk
            prefilling.append(request)
        if not decoding and not prefilling:
            return None
        k = setup.speculation.tokens_at(len(decoding)) if setup.speculation else 0
        seconds = self._duration(len(decoding), k, sum(r.chunk for r in prefilling))
        return _Step(start, start + seconds, decoding, prefilling, k)

    def _admit(self, request: Request, blocks: int, now: float) -> None:
        request.blocks = blocks
        self._free_blocks -= blocks
        self.running.append(request)
        if request.scheduled_at is None:
            request.scheduled_at = now

    def _reserve_decode(self) -> bool:
        """Give every decoding request room for this step; the newest give way when blocks run out."""
        preempted = False
        lookahead = self._lookahead
        position = 0
        while position < len(self.running):
            request = self.running[position]
            position += 1
            if request.to_prefill:
                continue
            need = _blocks(request.context + lookahead) - request.blocks
            while need > self._free_blocks and self.running[-1] is not request:
                self._preempt(self.running[-1])
                preempted = True
            if need > self._free_blocks:
                self._preempt(request)
                preempted = True
            elif need > 0:
                request.blocks += need
                self._free_blocks -= need
        return preempted

    def _preempt(self, request: Request) -> None:
        """Drop its KV entries; prompt and output so far are computed again later."""
        self.running.remove(request)
        self._free_blocks += request.blocks
        request.blocks = 0
        request.to_prefill = request.context
        request.preemptions += 1
        self.tally.preemptions += 1
        self.waiting.appendleft(request)

    def _duration(self, decoding: int, k: int, prefill_tokens: int) -> float:
        setup = self.setup
        seconds = prefill_tokens / setup.prefill_tokens_per_s
        if decoding:
            drafted = setup.speculation.k if setup.speculation and setup.speculation.drafts_all else k
            seconds += setup.times.seconds(decoding, drafted)
        else:
            seconds = max(seconds, setup.times.seconds(1, 0))
        return seconds * setup.step_factor

    def _complete(self, step: _Step) -> None:
        tally, end = self.tally, step.end
        in_step = 0
        produced = 0
        for request in step.decoding:
            if request.finish_reason is not None:
                continue
            if request.last_token_at == step.start:
                in_step += 1
            else:
                tally.inter_token_latency.observe(end - request.last_token_at)
            produced += self._emit(request, 1 + self._accepted(request, step.k), end)
        if in_step:
            tally.inter_token_latency.observe(end - step.start, in_step)
        computed = 0
        for request in step.prefilling:
            if request.finish_reason is not None:
                continue
            computed += request.chunk
            request.to_prefill -= request.chunk
            request.chunk = 0
            if not request.to_prefill:
                produced += self._first(request, end)
        tally.generation_tokens += produced
        tally.iteration_tokens.observe(computed + produced)
        tally.steps += 1

    def _accepted(self, request: Request, k: int) -> int:
        """Draft, verify and count; returns the accepted tokens (counted whole even where `max_tokens` cuts them)."""
        counted, speculation = self.tally.speculation, self.setup.speculation
        if counted is None or speculation is None or k == 0:
            return 0
        match = speculation.acceptance.match
        if match < 1 and self._rng.random() >= match:
            return 0
        accepted = 0
        rates, chance, positions = request.conditional, self._rng.random, counted.accepted_per_position
        while accepted < k and not self.draft_lost and chance() < rates[accepted]:
            positions[accepted] += 1
            accepted += 1
        counted.drafts += 1
        counted.draft_tokens += k
        counted.accepted_tokens += accepted
        return accepted

    def _first(self, request: Request, now: float) -> int:
        tally = self.tally
        if request.first_token_at is None:
            request.first_token_at = now
            tally.time_to_first_token.observe(now - request.arrival)
            tally.prompt_tokens += request.prompt_tokens
        else:
            tally.inter_token_latency.observe(now - request.last_token_at)
        return self._emit(request, 1, now)

    def _emit(self, request: Request, tokens: int, now: float) -> int:
        tokens = min(tokens, request.output_tokens - request.generated)
        request.generated += tokens
        request.last_token_at = now
        if request.streamed:
            request.emitted.append(tokens)
        if request.generated >= request.output_tokens:
            self._finish(request, now)
        return tokens

    def _finish(self, request: Request, now: float) -> None:
        self.running.remove(request)
        self._free_blocks += request.blocks
        request.blocks = 0
        request.finish_reason = "length" if request.generated >= request.max_tokens else "stop"
        request.finished_at = now
        self._finished.append(request)
        record_finished(self.tally, request, now)


def record_finished(tally: Tally, request: Request, now: float) -> None:
    """Count one finished request in the per-request families."""
    scheduled = request.scheduled_at if request.scheduled_at is not None else now
    first = request.first_token_at if request.first_token_at is not None else now
    decode = now - first
    tally.finished[request.finish_reason or "length"] += 1
    tally.e2e_latency.observe(now - request.arrival)
    tally.queue_time.observe(scheduled - request.arrival)
    tally.prefill_time.observe(first - scheduled)
    tally.decode_time.observe(decode)
    tally.inference_time.observe(now - scheduled)
    tally.time_per_output_token.observe(decode / (request.generated - 1) if request.generated > 1 else 0.0)
    tally.request_prompt_tokens.observe(request.prompt_tokens)
    tally.request_prefill_computed.observe(request.prompt_tokens)
    tally.request_generation_tokens.observe(request.generated)
    tally.request_max_generation_tokens.observe(request.generated)
    tally.request_params_n.observe(1)
    tally.request_params_max_tokens.observe(request.max_tokens)
    tally.request_preemptions.observe(request.preemptions)


def _blocks(tokens: int) -> int:
    return -(-tokens // BLOCK)
