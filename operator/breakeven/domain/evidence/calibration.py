"""A calibration that the spec brings, as bands of the stored control: for loads that no live control was measured at.

It has no step-time inflation and no S: `breakeven measure` knows those at equal concurrency, the stored control wants
them at equal offered load, and so no alarm and no limit by batch size ever rests on a calibration.
"""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from breakeven.api.calibration import CalibrationSpec
from breakeven.api.scalars import format_time
from breakeven.api.status import LoadBand
from breakeven.api.variant import Variant
from breakeven.domain.evidence.control_profile import STEP, VALID, agrees, band_of, expected_tpot
from breakeven.engines.engine import Engine
from breakeven.engines.table import load
from breakeven.engines.versions import Version

NAME = "calibration"
"""Stands in a band for the variant that it was measured with: no variant has this name."""
AHEAD = timedelta(days=1)
"""A time of measurement further in the future is wrong, and would never age."""


def differs(calibration: CalibrationSpec, variant: Variant) -> str:
    """What is different about this variant, as a sentence without a full stop; empty: it was measured for it."""
    draft, engine = variant.draft, load().engine_of(variant.engine)
    serving = str(engine.version) if isinstance(engine, Engine) else ""
    measured = str(Version.parse(calibration.engine_version) or calibration.engine_version)
    gpus = variant.hardware.accelerators
    pairs = [
        ("vLLM ", measured, serving or "an unknown version"),
        ("", calibration.accelerator, gpus[0] if len(gpus) == 1 else f"any of {', '.join(gpus)}"),
        ("gpusPerReplica ", str(calibration.gpus_per_replica), str(variant.hardware.gpus_per_replica)),
        ("target ", calibration.target, variant.target.model),
    ]
    if draft is not None:
        pairs += [
            ("method ", calibration.method.value, draft.method.value),
            ("draft ", calibration.draft or "none", draft.model or "none"),
        ]
    found = [f"{name}{ours} and not {theirs}" for name, ours, theirs in pairs if ours != theirs]
    return f"it was measured for {', '.join(found)}" if found else ""


def bands(
    calibration: CalibrationSpec | None, variant: Variant, profile: Sequence[LoadBand], now: datetime
) -> tuple[list[LoadBand], str]:
    """The bands of a calibration, the nearest to the middle of each; none, and why, where it must not be used.

    `profile` is what was measured live. Where one of its bands says another time, the calibration is wrong in all.
    """
    if calibration is None:
        return [], ""
    why = differs(calibration, variant) or _age(calibration, now)
    if why:
        return [], f"spec.calibration is ignored: {why}"
    made = {band_of(float(band.load)): band for band in sorted(_read(calibration), key=_off_middle, reverse=True)}
    for live in profile:
        ours = made.get(band_of(float(live.load)))
        if ours is not None and now - live.measured_at <= VALID and not agrees(live, expected_tpot(ours)):
            said, measured = f"{ours.off_tpot_ms:f} ms a token", f"{live.off_tpot_ms:f} ms"
            return (
                [],
                f"spec.calibration is ignored: {said} at {live.load:f} tokens/s, where live traffic had {measured}",
            )
    return sorted(made.values(), key=lambda band: band.load), ""


def _read(calibration: CalibrationSpec) -> list[LoadBand]:
    return [
        LoadBand(
            load=each.load,
            off_tpot_ms=each.plain_ms,
            spread=each.error,
            measured_at=calibration.measured_at,
            variant=NAME,
        )
        for each in calibration.loads
    ]


def _off_middle(band: LoadBand) -> float:
    """How far a load lies from the middle of its band, on the scale of logarithms."""
    place = math.log(float(band.load)) / math.log(STEP)
    return abs(place - round(place))


def _age(calibration: CalibrationSpec, now: datetime) -> str:
    measured = format_time(calibration.measured_at)
    if calibration.measured_at > now + AHEAD:
        return f"measuredAt {measured} lies in the future"
    if now - calibration.measured_at > VALID:
        return f"measured at {measured}, it is older than {VALID.days} days: measure again"
    return ""
