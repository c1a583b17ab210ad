"""Times without speculation by offered load, as `spec.calibration` of a resource takes them. Pure.

So many requests kept running are no offered load: what a server without speculation then serves is. Traffic of just
that many tokens a second keeps as many requests running there (Little's law), so that its time per output token is
the one that was measured.
"""

import math
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from breakeven.api.calibration import LEAST_ERROR, MOST_LOADS, CalibratedLoad, CalibrationSpec
from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.domain.evidence.control_profile import band_of
from breakeven.domain.measures.figures import rounded
from breakeven.engines.versions import Version
from breakeven.measure.figures import CellFigures, Side

NORMAL = 1.96
"""Bounds at 95 % are so many standard errors wide to either side."""
LARGEST_ERROR = 0.2
"""A time that is known worse is none."""


def calibration(
    figures: Sequence[CellFigures], spec: SpeculativeDeploymentSpec, *, version: str, measured_at: datetime
) -> CalibrationSpec | str:
    """What a measurement without speculation says, or why it cannot be said of what, as a sentence.

    `version` is the release that the server names.
    """
    draft, gpus, release = spec.draft, spec.hardware.accelerators, Version.parse(version)
    loads = _loads([each.off for each in figures if each.off is not None and not each.cell.prompts])
    if not loads:
        return "times without speculation were not measured well enough"
    if draft is None:
        return "spec.draft is missing"
    if len(gpus) != 1:
        return f"name the one GPU model that was measured as spec.hardware.accelerators, not {', '.join(gpus)}"
    if release is None:
        return "the server without speculation does not tell its vLLM version"
    return CalibrationSpec(
        engine_version=str(release),
        accelerator=gpus[0],
        gpus_per_replica=spec.hardware.gpus_per_replica,
        target=spec.target.model,
        method=draft.method,
        draft=draft.model,
        measured_at=measured_at.replace(microsecond=0),
        loads=loads,
    )


def _loads(sides: Sequence[Side]) -> list[CalibratedLoad]:
    """One a band of the stored control: temperatures hardly change a step without speculation and are averaged."""
    by_band: dict[int, list[tuple[float, Side]]] = {}
    for each in sides:
        if each.load and each.tpot is not None and each.tpot.value > 0:
            by_band.setdefault(band_of(each.load), []).append((each.load, each))
    made = [_load(own) for _, own in sorted(by_band.items())]
    return [each for each in made if each is not None][:MOST_LOADS]


def _load(own: Sequence[tuple[float, Side]]) -> CalibratedLoad | None:
    times = [side.tpot.value for _, side in own if side.tpot is not None]
    load = rounded(math.exp(math.fsum(math.log(load) for load, _ in own) / len(own)))
    time = rounded(1000 * math.fsum(times) / len(times))
    known = max(side.tpot.precision if side.tpot is not None else math.inf for _, side in own) / NORMAL
    apart = (max(times) - min(times)) / (max(times) + min(times))
    error = math.hypot(known, apart)
    if not load or not time or error > LARGEST_ERROR:
        return None
    return CalibratedLoad(load=load, plain_ms=time, error=max(LEAST_ERROR, Decimal(f"{error:.4f}")))
