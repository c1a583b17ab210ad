"""A simulated engine with a finite KV cache: requests wait for room, and are preempted when it runs out.

Time goes in short ticks. Waiting requests are admitted in the order in which they came; when the cache is full, the one
that came last gives up its room, keeps what it has emitted and waits before the others, as in vLLM. A step takes longer
the more requests run. The time to compute a prompt, again after a preemption, is left out but for the first token.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from breakeven.domain.counters.vllm_metrics import Series
from breakeven.simulation.engine import PREFILL_STEPS, PROMPT_TOKENS, Bounds, Levels, Requests, SimulatedEngine
from breakeven.simulation.scenario import Cache
from breakeven.simulation.traffic import Floats

PAGES_APART_S = 15.0
"""Seconds between two pages, at most."""
TICKS = 15
"""Between two pages."""
FIRST_TOKEN_WITHIN_S = 2.0
PER_TOKEN_WITHIN_S = 0.15
"""A request that keeps both has been served as its user wants: bounds of an interactive service."""


@dataclass(slots=True)
class Tally:
    """What the requests of all engines of a run came to."""

    finished: int = 0
    kept: int = 0
    """Of them, those within both bounds."""
    tokens: float = 0.0
    """Output tokens of the finished ones."""
    seconds: float = 0.0
    """From request to last token, summed."""

    @property
    def goodput(self) -> float | None:
        """Share of the finished requests within both bounds. None: none finished."""
        return self.kept / self.finished if self.finished else None


class QueueingEngine(SimulatedEngine):
    """The process of one replica with a finite cache."""

    def __init__(
        self,
        cache: Cache,
        tally: Tally,
        *,
        speculating: bool,
        k: int,
        slope: float,
        bounds: Bounds | None = None,
        prompt: float = PROMPT_TOKENS,
    ) -> None:
        super().__init__(speculating=speculating, k=k, bounds=bounds, prompt=prompt)
        self._cache, self._tally, self._slope = cache, tally, slope
        self._capacity = cache.tokens * (1 - cache.draft_share if speculating else 1)
        self._emitted = np.zeros(0)
        self._begun = np.zeros(0)
        """When the first token came; nan before."""
        self._runs = np.zeros(0, dtype=bool)

    def admit(self, requests: Requests) -> None:
        """Take requests that arrive after the last page; their duration is that of a batch of one."""
        count = len(requests.tokens)
        super().admit(requests)
        self._emitted = np.concatenate((self._emitted, np.zeros(count)))
        self._begun = np.concatenate((self._begun, np.full(count, np.nan)))
        self._runs = np.concatenate((self._runs, np.zeros(count, dtype=bool)))

    def page(self, at: float, *, per_token: bool) -> dict[Series, float]:
        """Let time pass up to a scrape and show the counters."""
        now, begin = self._under_way, max(self._until, at - PAGES_APART_S)
        length = (at - begin) / TICKS
        for turn in range(1, TICKS + 1):
            self._tick(now, begin + turn * length, length, per_token=per_token)
        self._until = at
        left = self._emitted < now.tokens
        self._under_way = now.only(left)
        self._emitted, self._begun, self._runs = self._emitted[left], self._begun[left], self._runs[left]
        arrived = self._under_way.first - self._under_way.waited <= at
        used = float(self._room(self._under_way)[self._runs].sum())
        waiting = float((arrived & ~self._runs).sum())
        return self._values(Levels(float(self._runs.sum()), waiting, min(1.0, used / self._capacity)))

    def _room(self, requests: Requests) -> Floats:
        """Tokens of the cache that each request takes, or would."""
        return self._prompt + (self._emitted if self._cache.preempts else requests.tokens)

    def _tick(self, now: Requests, at: float, length: float, *, per_token: bool) -> None:
        arrived = now.first - now.waited
        self._let_in(now, arrived, at, length)
        running = np.flatnonzero(self._runs)
        slower = 1 + self._slope * len(running)
        share = np.minimum(length / (now.duration[running] * slower), 1 - self._emitted[running] / now.tokens[running])
        gained = share * now.tokens[running]
        steps = share * now.steps[running]
        self._emitted[running] += gained
        self._tokens += float(gained.sum())
        self._steps += float(steps.sum())
        self._observed += float((gained if per_token else steps).sum())
        # A request that was put off waits for its next token, and the engine counts that wait between two tokens.
        put_off = ~self._runs & ~np.isnan(self._begun) & (self._emitted < now.tokens)
        self._seconds += float((share * now.duration[running] * slower).sum()) + length * float(put_off.sum())
        self._accepted += (now.survival[:, running] * steps).sum(axis=1)
        self._take_out(now, arrived, running, at)
        self._preempt(now)

    def _let_in(self, now: Requests, arrived: Floats, at: float, length: float) -> None:
        waiting = np.flatnonzero(~self._runs & (arrived <= at) & (self._emitted < now.tokens))
        if not len(waiting):
            return
        room = self._room(now)
        fits = np.searchsorted(np.cumsum(room[waiting]), self._capacity - room[self._runs].sum(), side="right")
        chosen = waiting[: max(0, min(int(fits), self._cache.most_running - int(self._runs.sum())))]
        self._runs[chosen] = True
        fresh = chosen[np.isnan(self._begun[chosen])]
        prefill = PREFILL_STEPS * now.duration[fresh] / now.steps[fresh] * (1 + self._slope * float(self._runs.sum()))
        # Room is given at the end of the tick in which it became free; who found some at once did not wait for it.
        at_once = at - arrived[fresh] <= length + 1e-9
        self._begun[fresh] = np.where(at_once, arrived[fresh], at) + prefill
        self._begin(self._begun[fresh] - arrived[fresh])

    def _take_out(self, now: Requests, arrived: Floats, running: NDArray[np.int64], at: float) -> None:
        over = running[self._emitted[running] >= now.tokens[running] - 1e-6]
        if not len(over):
            return
        self._emitted[over], self._runs[over] = now.tokens[over], False
        pace = np.maximum(at - self._begun[over], 1e-9) / now.tokens[over]
        self._finish(pace)
        waited = self._begun[over] - arrived[over]
        self._tally.finished += len(over)
        self._tally.kept += int(((waited < FIRST_TOKEN_WITHIN_S) & (pace < PER_TOKEN_WITHIN_S)).sum())
        self._tally.tokens += float(now.tokens[over].sum())
        self._tally.seconds += float((at - arrived[over]).sum())

    def _preempt(self, now: Requests) -> None:
        running = np.flatnonzero(self._runs)
        kept = np.cumsum(self._room(now)[running]) <= self._capacity
        kept[:1] = True  # one request is served even where it alone is too long
        self._runs[running[~kept]] = False
        self._preempted += float((~kept).sum())
