"""What follows for a resource: draft length, where to stop drafting, thresholds; step times for the planner. Pure."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from breakeven.api.calibration import CalibrationSpec
from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.domain.measures.verdict import Bounds
from breakeven.domain.measures.verdict import Verdict as Judged
from breakeven.measure.figures import CellFigures
from breakeven.measure.verdict import Kind, Verdict, judged

WORTH = 1.05
"""Predicted gain in S from which another draft length is advised: R of a shorter one is on a straight line only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What to write into a resource. None: leave it as it is."""

    k: int | None = None
    """Draft length that was measured."""
    better_k: int | None = None
    """Shorter draft length that is predicted to be faster where it pays; None: none is."""
    gain: float | None = None
    """Predicted factor on S of that length."""
    disable_above: int | None = None
    """Running requests at and above which to stop drafting."""
    caution: float | None = None
    """Acceptance below which speculation pays nowhere that it was measured to pay: worth a warning."""
    mode: str | None = None
    """Off where it pays nowhere."""


def advice(figures: Sequence[CellFigures], verdict: Verdict, bounds: Bounds) -> Advice:
    """What follows from the verdict."""
    pays = [c for c in figures if not c.cell.prompts and judged(c.speedup, bounds) is Judged.PAYS]
    lengths = [round(c.on.draft_length) for c in figures if c.on is not None and c.on.draft_length]
    k = max(lengths, default=None)
    better = _better_length(pays, k) if k is not None else None
    limit = max(2, round(verdict.crossover)) if verdict.crossover is not None else None
    needed = [c.break_even.value for c in pays if c.break_even is not None]
    return Advice(
        k=k,
        better_k=better[0] if better else None,
        gain=better[1] if better else None,
        disable_above=limit if verdict.kind in (Kind.BELOW_LOAD, Kind.BELOW_BOTH) else None,
        caution=min(1.0, max(needed)) if needed and max(needed) > 0.01 else None,
        mode="Off" if verdict.kind is Kind.LEAVE_OFF else None,
    )


def _better_length(cells: Sequence[CellFigures], k: int) -> tuple[int, float] | None:
    """The length from 1 to k with the largest predicted S over these cells, if it is worth a change."""
    known = [c for c in cells if c.on is not None and len(c.on.acceptance_at) == k and c.inflation is not None]
    if not known or k < 2:
        return None
    scores = {length: sum(math.log(_predicted(c, length, k)) for c in known) / len(known) for length in range(1, k + 1)}
    best = max(scores, key=lambda length: scores[length])
    gain = math.exp(scores[best] - scores[k])
    return (best, gain) if best < k and gain >= WORTH else None


def _predicted(figures: CellFigures, length: int, k: int) -> float:
    """S at a shorter length: the survival that was measured, and R on a straight line from 1 to the measured one."""
    assert figures.on is not None and figures.inflation is not None, "callers have both"
    tokens = 1.0 + math.fsum(each.value for each in figures.on.acceptance_at[:length])
    return tokens / max(0.1, 1.0 + (figures.inflation.value - 1.0) * length / k)


def profile_csv(figures: Sequence[CellFigures], labels: dict[str, str]) -> str:
    """Step times by batch as `breakeven plan --profile` reads them; empty when none were measured.

    One row a load: step times hardly depend on temperature, so its temperatures are averaged. `plain_load` is what the
    server without speculation served, in output tokens a second after the first of each answer. The planner passes over
    it and over `labels`, columns that say what was measured.
    """
    by_load: dict[float, list[CellFigures]] = {}
    for each in figures:
        complete = each.off is not None and each.on is not None and each.off.step and each.on.step
        if complete and not each.cell.arrivals and not each.cell.prompts and each.on and each.on.draft_length:
            by_load.setdefault(each.cell.load, []).append(each)
    if not by_load:
        return ""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["batch", "k", "plain_ms", "speculating_ms", "plain_load", *labels])
    for load, cells in sorted(by_load.items()):
        plain = [c.off.step.value for c in cells if c.off and c.off.step]
        speculating = [c.on.step.value for c in cells if c.on and c.on.step]
        lengths = [c.on.draft_length for c in cells if c.on and c.on.draft_length]
        means = [1000 * sum(times) / len(times) for times in (plain, speculating)]
        k = round(sum(lengths) / len(lengths))
        served = [c.off.load for c in cells if c.off and c.off.load]
        offered = f"{sum(served) / len(served):.1f}" if served else ""
        writer.writerow([f"{load:g}", k, f"{means[0]:.4f}", f"{means[1]:.4f}", offered, *labels.values()])
    return out.getvalue()


def resource(
    spec: SpeculativeDeploymentSpec,
    name: str,
    namespace: str,
    found: Advice,
    calibration: CalibrationSpec | None = None,
) -> dict[str, Any]:
    """The resource with what follows from the measurement written into it; a new calibration replaces an older one."""
    body = spec.model_dump(mode="json", by_alias=True, exclude_unset=True)
    body = _merged(body, changes(found))
    if calibration is not None:
        body["calibration"] = calibration.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {
        "apiVersion": "breakeven.dev/v1alpha1",
        "kind": "SpeculativeDeployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": body,
    }


def changes(found: Advice) -> dict[str, Any]:
    """The fields of `spec` that follow, as a merge patch."""
    draft: dict[str, Any] = {}
    if (k := found.better_k or found.k) is not None:
        draft["numSpeculativeTokens"] = k
    if found.disable_above is not None:
        draft["disableAboveBatchSize"] = found.disable_above
    spec: dict[str, Any] = {"draft": draft} if draft else {}
    if found.caution is not None:
        spec["thresholds"] = {"acceptance": {"caution": f"{found.caution:.2f}"}}
    if found.mode is not None:
        spec["policy"] = {"mode": found.mode}
    return spec


def _merged(base: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in patch.items():
        below = result.get(key)
        result[key] = _merged(below, value) if isinstance(value, dict) and isinstance(below, dict) else value
    return result
