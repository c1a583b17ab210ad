"""One simulated engine process: requests under way, and the counters that vLLM would show at a scrape.

A request emits its first token `PREFILL_STEPS` steps after it arrives and then the rest at an even pace, across as many
scrapes and batches as it lasts. Counters are named and incremented as docs/metrics.md says.
"""

import json
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from breakeven.api.objective import ObjectiveSpec, histogram_bounds
from breakeven.domain.counters import vllm_metrics
from breakeven.domain.counters.vllm_metrics import Series
from breakeven.lab.engine.buckets import INTER_TOKEN_LATENCY, TIME_TO_FIRST_TOKEN
from breakeven.render.buckets import custom_histogram_buckets
from breakeven.simulation.traffic import Floats

PREFILL_STEPS = 8.0
"""Time to first token, in steps: a prompt of some hundred tokens and no queue."""
MOST_TOKENS_IN_CACHE = 400_000.0
"""Tokens that the simulated KV cache holds."""
PROMPT_TOKENS = 300.0
"""Of a request, unless a scenario says otherwise."""
ACCEPTED_GRID = np.linspace(0.0, 1.0, 1001)


class Bounds(NamedTuple):
    """Bucket bounds of the two histograms, seconds."""

    first_token: tuple[float, ...] = TIME_TO_FIRST_TOKEN
    per_token: tuple[float, ...] = INTER_TOKEN_LATENCY


def rendered(objective: ObjectiveSpec) -> Bounds:
    """Those that the operator renders for an objective, where vLLM lets them be chosen."""
    families = json.loads(custom_histogram_buckets(histogram_bounds(objective)))
    return Bounds(tuple(families["time_to_first_token"]), tuple(families["inter_token_latency"]))


class Levels(NamedTuple):
    """Gauges of one page."""

    running: float
    waiting: float
    kv_usage: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """Requests that are under way, one entry each."""

    first: Floats
    """When the first token comes, Unix seconds."""
    waited: Floats
    """Time to first token."""
    duration: Floats
    """Time from the first token to the last, seconds."""
    tokens: Floats
    """Tokens after the first."""
    steps: Floats
    """Steps that emit them."""
    survival: Floats
    """[position, request]: share of steps in which this position was accepted."""

    def only(self, chosen: np.ndarray) -> "Requests":
        """Those of them."""
        return Requests(
            first=self.first[chosen],
            waited=self.waited[chosen],
            duration=self.duration[chosen],
            tokens=self.tokens[chosen],
            steps=self.steps[chosen],
            survival=self.survival[:, chosen],
        )

    def and_(self, other: "Requests") -> "Requests":
        """Both."""
        return Requests(
            first=np.concatenate((self.first, other.first)),
            waited=np.concatenate((self.waited, other.waited)),
            duration=np.concatenate((self.duration, other.duration)),
            tokens=np.concatenate((self.tokens, other.tokens)),
            steps=np.concatenate((self.steps, other.steps)),
            survival=np.concatenate((self.survival, other.survival), axis=1),
        )


def survival_of(acceptance: Floats, k: int, *, drafted: int | None = None) -> Floats:
    """[position, request] for a mean accepted / drafted at k, each position as likely as the one before (constant α).

    The mean over k positions of α^i is the acceptance; α is read from a table. `drafted` positions are given, k unless
    another draft length serves.
    """
    powers = np.array([ACCEPTED_GRID**position for position in range(1, k + 1)])
    alpha = np.interp(acceptance, powers.mean(axis=0), ACCEPTED_GRID)
    shape = np.array([alpha**position for position in range(1, (drafted or k) + 1)])
    sums = np.maximum(np.array([alpha**position for position in range(1, k + 1)]).sum(axis=0), 1e-12)
    return np.asarray(shape * (k * acceptance / sums))


class SimulatedEngine:
    """The process of one replica from its start to its end; all counters begin at zero."""

    def __init__(
        self, *, speculating: bool, k: int, bounds: Bounds | None = None, prompt: float = PROMPT_TOKENS
    ) -> None:
        self._speculating = speculating
        self._k = k
        self._bounds = bounds or Bounds()
        self._prompt = prompt
        nothing = np.zeros(0)
        self._under_way = Requests(
            first=nothing,
            waited=nothing,
            duration=nothing,
            tokens=nothing,
            steps=nothing,
            survival=np.zeros((k, 0)),
        )
        self._first_tokens = self._ttft = self._finished = self._tpot = 0.0
        self._tokens = self._steps = self._observed = self._seconds = self._preempted = 0.0
        self._accepted = np.zeros(k)
        self._ttft_at = np.zeros(len(self._bounds.first_token) + 1)
        self._tpot_at = np.zeros(len(self._bounds.per_token) + 1)
        self._until = float("-inf")

    def admit(self, requests: Requests) -> None:
        """Take requests that arrive after the last page."""
        self._under_way = self._under_way.and_(requests)

    def page(self, at: float, *, per_token: bool) -> dict[Series, float]:
        """Let time pass up to a scrape and show the counters. Scrapes come in order of time."""
        now = self._under_way
        before, after = self._share(now, self._until), self._share(now, at)
        gained = after - before
        self._tokens += float((now.tokens * gained).sum())
        self._steps += float((now.steps * gained).sum())
        self._observed += float(((now.tokens if per_token else now.steps) * gained).sum())
        self._seconds += float((now.duration * gained).sum())
        self._accepted += (now.survival * (now.steps * gained)).sum(axis=1)
        self._begin(now.waited[(now.first <= at) & (now.first > self._until)])
        over = after >= 1.0
        self._finish(now.duration[over] / now.tokens[over])
        self._under_way = now.only(~over)
        self._until = at
        arrived = float((self._under_way.first - self._under_way.waited <= at).sum())
        in_cache = float((self._under_way.tokens * after[~over]).sum()) + self._prompt * arrived
        return self._values(Levels(arrived, 0.0, min(1.0, in_cache / MOST_TOKENS_IN_CACHE)))

    def _begin(self, waited: Floats) -> None:
        """Count first tokens by the time that they took."""
        self._first_tokens += len(waited)
        self._ttft += float(waited.sum())
        self._ttft_at += _histogram(waited, self._bounds.first_token)

    def _finish(self, pace: Floats) -> None:
        """Count finished requests by their time per token."""
        self._finished += len(pace)
        self._tpot += float(pace.sum())
        self._tpot_at += _histogram(pace, self._bounds.per_token)

    def _share(self, requests: Requests, at: float) -> Floats:
        return np.clip((at - requests.first) / requests.duration, 0.0, 1.0)

    def _values(self, levels: Levels) -> dict[Series, float]:
        found = {
            Series(vllm_metrics.ANCHOR): np.floor(self._tokens) + self._first_tokens,
            Series("prompt_tokens"): self._prompt * self._first_tokens,
            Series("num_preemptions"): self._preempted,
            Series(vllm_metrics.FINISHED, "stop"): self._finished,
            Series(f"{vllm_metrics.FIRST_TOKEN}_count"): self._first_tokens,
            Series(f"{vllm_metrics.FIRST_TOKEN}_sum"): self._ttft,
            Series(f"{vllm_metrics.STEP[0]}_count"): np.floor(self._observed),
            Series(f"{vllm_metrics.STEP[0]}_sum"): self._seconds,
            Series(f"{vllm_metrics.REQUEST_TPOT}_count"): self._finished,
            Series(f"{vllm_metrics.REQUEST_TPOT}_sum"): self._tpot,
            Series("num_requests_running"): levels.running,
            Series("num_requests_waiting"): levels.waiting,
            Series(vllm_metrics.KV_USAGE[0]): levels.kv_usage,
        }
        found |= _cumulative(vllm_metrics.FIRST_TOKEN, self._bounds.first_token, self._ttft_at)
        found |= _cumulative(vllm_metrics.REQUEST_TPOT, self._bounds.per_token, self._tpot_at)
        if self._speculating:
            accepted = np.floor(self._accepted)
            found |= {Series(vllm_metrics.PER_POSITION, str(i)): float(n) for i, n in enumerate(accepted)}
            found[Series("spec_decode_num_drafts")] = np.floor(self._steps)
            found[Series("spec_decode_num_draft_tokens")] = self._k * np.floor(self._steps)
            found[Series("spec_decode_num_accepted_tokens")] = accepted.sum()
        return {series: float(value) for series, value in found.items()}


def _histogram(values: Floats, bounds: tuple[float, ...]) -> Floats:
    """Observations by bucket; a bound belongs to the bucket it closes, as in Prometheus."""
    return np.bincount(np.searchsorted(np.array(bounds), values, side="left"), minlength=len(bounds) + 1).astype(float)


def _cumulative(family: str, bounds: tuple[float, ...], counts: Floats) -> dict[Series, float]:
    labels = [*(repr(bound) for bound in bounds), "+Inf"]
    cumulative = np.cumsum(counts)
    return {Series(f"{family}_bucket", le): float(n) for le, n in zip(labels, cumulative, strict=True)}
