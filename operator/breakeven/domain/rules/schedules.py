"""Whether an engine can stop drafting at large batches by itself, and above which one it should.

Speculation that pays at low load and loses at high load crosses break-even at some batch size. An engine that skips
drafting above it needs no restart at the crossing (vLLM up to 0.9 on its V0 engine, and from 0.24.0 by a schedule).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from breakeven.api.spec import AcceptanceMethod, DraftMethod
from breakeven.api.status import LoadBand
from breakeven.api.variant import Variant
from breakeven.domain.counters.observation import Batch
from breakeven.domain.evidence.control_profile import VALID
from breakeven.engines.engine import Engine
from breakeven.engines.table import load

ON_RUNNER_V1 = frozenset(
    {
        DraftMethod.NGRAM,
        DraftMethod.EAGLE,
        DraftMethod.EAGLE3,
        DraftMethod.MTP,
        DraftMethod.DRAFT_MODEL,
        DraftMethod.DFLASH,
    }
)
"""Methods whose drafter obeys the schedule on model runner V1 (0.33.0 config/vllm.py:1088-1097)."""
ON_RUNNER_V2 = frozenset({DraftMethod.EAGLE, DraftMethod.EAGLE3, DraftMethod.MTP})
"""Methods whose drafter obeys it on model runner V2, from 0.32.0 (PR 57053); before, only verification is cut."""
SMALLEST, LARGEST = 2, 100_000
"""A smaller limit leaves no batch to draft in; a larger one the API refuses."""
APART = 1.2
"""Batch sizes nearer to each other than this say nothing about load."""
BUSIER = 1.25
"""Offered loads nearer to each other than this are the same: a slower step alone makes more requests run at a time."""
ROSE = 1.05
"""Step-time inflation that differs by less is the same: then acceptance fell, and no limit by batch size helps."""
PAID = 1.1
"""S in a band of load from which on a failure in that band is not the load's: S changes by less within half a band."""


def obeys(variant: Variant) -> bool:
    """Whether this engine version takes a limit by batch size for this draft and really stops drafting above it."""
    draft, engine = variant.draft, load().engine_of(variant.engine)
    if draft is None or not isinstance(engine, Engine) or not engine.supports(draft.method):
        return False
    forced = next((str(e.get("value", "")) for e in variant.engine.env if e.get("name") == "VLLM_USE_V1"), "")
    if engine.generation(draft.method, forced=forced) == "v0":
        return "honoured" in engine.disable_by_batch_size
    if engine.dynamic_k_key is None or _parallel_or_pinned(variant):
        return False
    if draft.method is DraftMethod.DRAFT_MODEL:
        # from 0.31.0 rendering pins model runner V1 for it, which block acceptance does not run on
        return draft.acceptance.method is not AcceptanceMethod.BLOCK
    if engine.runs_on_v2(draft.method):
        return draft.method in ON_RUNNER_V2 and engine.at_least("0.32.0")
    return draft.method in ON_RUNNER_V1


def _parallel_or_pinned(variant: Variant) -> bool:
    """Whether the schedule is dropped (data parallelism) or the user chose the runner, so that it is unknown."""
    words = [argument.replace("_", "-") for argument in variant.engine.extra_args]
    parallel = any(word == "-dp" or word.startswith(("--data-parallel", "-dp=")) for word in words)
    pinned = any(e.get("name") == "VLLM_USE_V2_MODEL_RUNNER" for e in variant.engine.env)
    return parallel or pinned or "VLLM_USE_V2_MODEL_RUNNER" in str(variant.pod_template or "")


def running(batches: Sequence[Batch]) -> float | None:
    """Mean running requests per replica. None when the gauge is absent in any batch."""
    values = [batch.gauges.running for batch in batches]
    present = [value for value in values if value is not None and math.isfinite(value)]
    return math.fsum(present) / len(present) if present and len(present) == len(values) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class AtLoad:
    """How a variant did at one load."""

    running: float
    """Requests per replica."""
    speedup: float
    inflation: float
    load: float
    """Offered load: output tokens per second and replica."""


def crossover(profile: Sequence[LoadBand], *, variant: str, present: AtLoad, now: datetime) -> int | None:
    """Running requests at which S of this variant crosses 1, between the busiest band that pays and what loses.

    `present` is the window that showed the loss. On the scale of logarithms, a line between the two points. None when
    speculation was never measured to pay at a clearly smaller batch and R (then load is not the cause), or
    when the limit would leave nothing to draft in.
    """
    points = [p for band in profile if (p := _point(band, variant, now)) is not None]
    losing = min((p for p in [*points, present] if p.speedup < 1), default=None, key=lambda p: p.running)
    if losing is None or min(losing.running, losing.speedup) <= 0:
        return None
    calmer = (p for p in points if p.speedup > 1 and p.running > 0 and p.load * BUSIER <= losing.load)
    paying = max(calmer, default=None, key=lambda p: p.running)
    if paying is None or losing.running < APART * paying.running or losing.inflation < ROSE * paying.inflation:
        return None
    share = math.log(paying.speedup) / (math.log(paying.speedup) - math.log(losing.speedup))
    limit = round(math.exp(math.log(paying.running) + share * math.log(losing.running / paying.running)))
    return limit if SMALLEST <= limit <= LARGEST else None


def rises_with_load(profile: Sequence[LoadBand], *, failed: float, apart: float, now: datetime) -> bool:
    """Whether a variant was measured to pay at a load so many times below the one at which it failed, and its step-time
    inflation to rise above. Not where it was measured to pay at that load too: then something else has changed since.
    """
    for variant in {band.variant for band in profile}:
        points = [p for band in profile if (p := _point(band, variant, now)) is not None]
        if any(p.speedup >= PAID and p.load >= failed for p in points):
            continue
        calm = min(
            (p for p in points if p.speedup > 1 and p.load * apart <= failed), default=None, key=lambda p: p.load
        )
        if calm is not None and any(
            p.load > calm.load and p.inflation >= ROSE * calm.inflation and p.speedup < calm.speedup for p in points
        ):
            return True
    return False


def _point(band: LoadBand, variant: str, now: datetime) -> AtLoad | None:
    if band.variant != variant or now - band.measured_at > VALID:
        return None
    if band.running is None or band.speedup is None or band.inflation is None:
        return None
    point = AtLoad(
        running=float(band.running),
        speedup=float(band.speedup),
        inflation=float(band.inflation),
        load=float(band.load),
    )
    return point if min(point.running, point.speedup, point.inflation, point.load) > 0 else None
