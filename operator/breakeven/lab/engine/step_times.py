"""Measured step times of real engines (one H200, vLLM 0.26.0), looked up by target, method, k and batch."""

import csv
from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Literal, NamedTuple

Scheduling = Literal["async", "sync"]
"""Whether the engine prepares the next step while this one runs. It changes the cost of drafting a good deal."""

BASELINE = "baseline"
SCHEDULED = "+schedule"


class Engine(NamedTuple):
    """One measured engine: what was loaded, and how it scheduled."""

    target: str
    method: str
    k: int
    k_effective: int
    scheduling: Scheduling


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory and prefill figures from one measured engine on one GPU."""

    kv_tokens: int
    kv_gib: float
    weights_gib: float
    prefill_tokens_per_s: float

    def tokens_on(self, gpus: int) -> int:
        """KV capacity in tokens on that many GPUs: weights are loaded once (computed, not measured)."""
        free = gpus * (self.kv_gib + self.weights_gib) - self.weights_gib
        return round(self.kv_tokens * free / self.kv_gib)


@dataclass(slots=True)
class Curve:
    """Step time in seconds over batch size: straight lines between measured points, the last one continued."""

    batches: list[int]
    seconds: list[float]
    _seen: dict[int, float] = field(default_factory=dict)

    def at(self, batch: int) -> float:
        """Seconds of one step with this many sequences; under the smallest measured batch, that one's."""
        known = self._seen.get(batch)
        if known is None:
            known = self._seen[batch] = self._between(batch)
        return known

    def _between(self, batch: int) -> float:
        if batch <= self.batches[0]:
            return self.seconds[0]
        right = min(bisect_left(self.batches, batch), len(self.batches) - 1)
        left = right - 1
        span = self.batches[right] - self.batches[left]
        slope = (self.seconds[right] - self.seconds[left]) / span
        return self.seconds[left] + slope * (batch - self.batches[left])


@cache
def _tables() -> tuple[dict[Engine, Curve], dict[Engine, Memory]]:
    text = resources.files(__package__).joinpath("step_times.csv").read_text(encoding="utf-8")
    points: dict[Engine, list[tuple[int, float]]] = defaultdict(list)
    memory: dict[Engine, Memory] = {}
    for row in csv.DictReader(line for line in text.splitlines() if not line.startswith("#")):
        scheduling: Scheduling = "async" if row["scheduling"] == "async" else "sync"
        engine = Engine(row["target"], row["method"], int(row["k"]), int(row["k_effective"]), scheduling)
        points[engine].append((int(row["batch"]), float(row["step_ms"]) / 1000))
        memory[engine] = Memory(
            kv_tokens=int(row["kv_tokens"]),
            kv_gib=float(row["kv_gib"]),
            weights_gib=float(row["weights_gib"]),
            prefill_tokens_per_s=float(row["prefill_tokens_per_s"]),
        )
    curves = {}
    for engine, measured in points.items():
        measured.sort()
        curves[engine] = Curve([batch for batch, _ in measured], [seconds for _, seconds in measured])
    return curves, memory


@dataclass(frozen=True, slots=True)
class StepTimes:
    """Step times of one engine configuration.

    `source` says in words which measured engine stands behind the figures, and what was interpolated.
    """

    target: str
    method: str
    k: int
    scheduling: Scheduling
    measured_k: tuple[int, ...]
    memory: Memory
    source: str

    def seconds(self, batch: int, k: int) -> float:
        """One step of `batch` sequences, k drafted tokens each; k = 0 while drafting is the idle machinery."""
        if self.method == BASELINE:
            return self._curve(BASELINE, 0, 0).at(batch)
        if k == 0:
            return self._idle(batch)
        return self._over_k(batch, k)

    def _curve(self, method: str, k: int, effective: int) -> Curve:
        curves, _ = _tables()
        wanted = Engine(self.target, method, k, effective, self.scheduling)
        other: Scheduling = "sync" if self.scheduling == "async" else "async"
        return curves.get(wanted) or curves[wanted._replace(scheduling=other)]

    def _idle(self, batch: int) -> float:
        curves, _ = _tables()
        idle = curves.get(Engine(self.target, self.method + SCHEDULED, 3, 0, "sync"))
        plain = self._curve(BASELINE, 0, 0)
        if idle is None:
            return plain.at(batch)
        return idle.at(batch) if batch >= idle.batches[0] else idle.seconds[0]

    def _over_k(self, batch: int, k: int) -> float:
        known = self.measured_k
        if k in known:
            return self._curve(self.method, k, k).at(batch)
        points = (0, *known) if len(known) == 1 else known
        right = min(max(bisect_left(points, k), 1), len(points) - 1)
        low, high = points[right - 1], points[right]
        at_low = self._curve(BASELINE, 0, 0).at(batch) if low == 0 else self._curve(self.method, low, low).at(batch)
        at_high = self._curve(self.method, high, high).at(batch)
        return max(at_low + (at_high - at_low) * (k - low) / (high - low), 0.0005)


MEASURED_AS = {"draft_model": "draft_model", "ngram": "ngram", "ngram_gpu": "ngram", "suffix": "ngram"}
"""Which measured method stands in for a method; those not named here run as an EAGLE-3 head."""


def step_times(target: str, method: str, k: int, scheduling: Scheduling) -> StepTimes:
    """The table of one configuration: the asked scheduling when it covers k, otherwise the other one.

    `target` is "8B" or "70B"; `method` is vLLM's name, or "baseline".
    """
    curves, memories = _tables()
    row = BASELINE if method == BASELINE else MEASURED_AS.get(method, "eagle3")
    options: list[Scheduling] = ["async", "sync"] if scheduling == "async" else ["sync", "async"]
    measured = {
        option: tuple(
            sorted(e.k for e in curves if (e.target, e.method, e.scheduling) == (target, row, option) and e.k)
        )
        for option in options
    }
    present = [
        option for option in options if any((e.target, e.method, e.scheduling) == (target, row, option) for e in curves)
    ]
    covering = [o for o in present if row == BASELINE or (measured[o] and measured[o][0] <= k <= measured[o][-1])]
    chosen = (covering or present)[0]
    nearest = min(
        (e for e in curves if (e.target, e.method, e.scheduling) == (target, row, chosen)), key=lambda e: abs(e.k - k)
    )
    return StepTimes(
        target=target,
        method=row,
        k=k,
        scheduling=chosen,
        measured_k=measured[chosen],
        memory=memories[nearest],
        source=_source(target, method, row, k, scheduling, chosen, measured[chosen]),
    )


def _source(
    target: str, method: str, row: str, k: int, asked: Scheduling, chosen: Scheduling, known: tuple[int, ...]
) -> str:
    text = f"step times of {target} {row}"
    if row != BASELINE:
        text += f" k={k}" if k in known else f" k={k} (interpolated from k={', '.join(map(str, known))})"
    text += f", {chosen} scheduling, measured on one H200 with vLLM 0.26.0"
    if chosen != asked:
        text += f" ({asked} was not measured for it)"
    if method not in (BASELINE, row):
        text += f"; {method} itself was not measured"
    return text
