"""The stored control: time per output token without speculation, by band of offered load.

A live control costs its replicas' gain for ever. What it measures changes slowly, so it is stored by load and used
until it ages, the load leaves the measured bands, or live figures contradict it. Bands are of offered load (output
tokens per second and replica) and not of running requests, because faster service lowers the latter.
"""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from breakeven.api.status import LoadBand
from breakeven.domain.measures.figures import Sums, rounded
from breakeven.domain.measures.statistics import LogRatio

STEP = 1.5
"""Ratio of neighbouring bands. On measured H200 tables the step time moves by less than 10 % over such a step."""
VALID = timedelta(days=7)
"""A figure older than this is not used."""
REFRESHED = timedelta(days=1)
"""A figure younger than this is not measured again while it still agrees."""
BAND_ERROR = 0.03
"""Relative error inside one band: the load moves by a factor of 1.5, the step time by up to a tenth."""
STORED_FREEDOM = 60.0
"""The error inside a band is a bound from tables, not an estimate from ten batches: its quantile is near normal."""
MOST_BANDS = 32


def band_of(load: float) -> int:
    """Index of the band a load lies in."""
    return round(math.log(load) / math.log(STEP))


def middle(band: int) -> float:
    """Load in the middle of a band."""
    return float(STEP**band)


def find(profile: Sequence[LoadBand], load: float | None, now: datetime) -> LoadBand | None:
    """The stored figure for a load; None when that load was never measured or the figure is too old."""
    if load is None or load <= 0:
        return None
    wanted = band_of(load)
    for stored in profile:
        if band_of(float(stored.load)) == wanted and now - stored.measured_at <= VALID:
            return stored
    return None


def expected_tpot(stored: LoadBand) -> LogRatio:
    """Seconds per output token that would be seen without speculation, with its stored error."""
    error = math.hypot(float(stored.spread), BAND_ERROR)
    return LogRatio(value=float(stored.off_tpot_ms) / 1000, error=error, freedom=STORED_FREEDOM)


def learned(
    profile: Sequence[LoadBand],
    *,
    off: Sums,
    off_tpot: LogRatio,
    on: Sums | None,
    variant: str,
    now: datetime,
    speedup: LogRatio | None = None,
    running: float | None = None,
) -> list[LoadBand] | None:
    """The profile with a newly measured band; None when it says nothing new, so that nothing is written.

    `speedup` and `running` (requests per replica) are those of the variant at this load, where it speculated meanwhile.
    """
    load = off.load
    if load is None or load <= 0 or off_tpot.error > 0.2:
        return None
    known = find(profile, load, now)
    says_enough = speedup is None or running is None or (known is not None and _tells(known, variant))
    if known is not None and now - known.measured_at < REFRESHED and agrees(known, off_tpot) and says_enough:
        return None
    tpot = rounded(off_tpot.value * 1000)
    middle_load = rounded(middle(band_of(load)))
    spread = rounded(off_tpot.error)
    if not tpot or not middle_load or spread is None:  # a time that rounds to nothing was never measured
        return None
    inflation = None
    if on is not None and on.step_seconds and off.step_seconds:
        inflation = rounded(on.step_seconds / off.step_seconds) or None
    fresh = LoadBand(
        load=middle_load,
        off_tpot_ms=tpot,
        inflation=inflation,
        spread=spread,
        measured_at=now,
        variant=variant,
        speedup=(rounded(speedup.value) if speedup is not None else None) or None,
        running=rounded(running, 3),
    )
    others = [band for band in profile if band_of(float(band.load)) != band_of(load)]
    newest = sorted([fresh, *others], key=lambda band: band.measured_at, reverse=True)[:MOST_BANDS]
    return sorted(newest, key=lambda band: band.load)


def _tells(known: LoadBand, variant: str) -> bool:
    """Whether a stored band already says how this variant did in it."""
    return known.variant == variant and known.speedup is not None and known.running is not None


def agrees(known: LoadBand, measured: LogRatio) -> bool:
    """Whether a time is the stored one, within a tenth or three times the error of both."""
    stored = expected_tpot(known)
    distance = abs(math.log(stored.value / measured.value))
    return distance <= 0.1 or distance <= 3 * math.hypot(stored.error, measured.error)
