"""Whether predictions are as often right as they say: intervals and verdicts against measurements."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from breakeven.planning.confidence import PUBLISHED, TIMED_HERE, Calibration, Interval, Kind, Verdict, spread_from
from breakeven.planning.scoring.score import Scored


@dataclass(frozen=True, slots=True, kw_only=True)
class Trusted:
    """One row, the interval it was given and what that allows to say."""

    row: Scored
    interval: Interval

    @property
    def inside(self) -> bool:
        """Whether the interval contains the measurement."""
        return self.interval.low <= self.row.measured <= self.interval.high

    @property
    def right(self) -> bool:
        """Whether the measurement lies on the side that was called likely; a tie is no side."""
        said = self.interval.verdict
        return not self.row.tie and self.row.faster == (said is Verdict.PAYS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """How often verdicts and intervals of some rows were right."""

    name: str
    rows: int
    inside: int
    """Rows whose interval contains the measurement."""
    said: dict[Verdict, int]
    right: dict[Verdict, int]
    """Of those, the ones measured on that side; nothing is right or wrong about "unsure"."""

    def document(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "name": self.name,
            "rows": self.rows,
            "insideInterval": self.inside,
            "verdicts": {v.value: {"rows": self.said[v], "right": self.right.get(v)} for v in Verdict},
        }


def calibrate(rows: Sequence[Scored]) -> Calibration:
    """The calibration behind these rows, each source counting once."""
    of_kind = {kind: [row for row in rows if row.guess.kind is kind] for kind in Kind}
    given = [row for row in of_kind[Kind.DENSE] if not _assumed(row)]
    guessed = [row for row in of_kind[Kind.DENSE] if _assumed(row)]
    more = _mean_square(guessed) - _mean_square(given) if given and guessed else 0.0
    of_kind[Kind.DENSE] = given
    spreads = {kind: spread_from((row.case.source, _error(row)) for row in found) for kind, found in of_kind.items()}
    return Calibration(
        spreads=spreads if spreads[Kind.ASYNC].sources > 1 else {**spreads, Kind.ASYNC: TIMED_HERE},
        assumed=math.sqrt(max(0.0, more)),
    )


def trusted(rows: Iterable[Scored], calibration: Calibration = PUBLISHED) -> tuple[Trusted, ...]:
    """Every row with the interval that a calibration gives it."""
    return tuple(Trusted(row=row, interval=row.guess.interval(calibration)) for row in rows)


def left_out_by_source(rows: Sequence[Scored]) -> tuple[Trusted, ...]:
    """Every row with the interval of a calibration that never saw its source."""
    found: list[Trusted] = []
    for source in sorted({row.case.source for row in rows}):
        others = calibrate([row for row in rows if row.case.source != source])
        found += trusted([row for row in rows if row.case.source == source], others)
    return tuple(found)


def trust(rows: Sequence[Trusted]) -> tuple[Trust, ...]:
    """All rows first, then by kind of case; kinds without a row are left out."""
    groups = [("all", list(rows))]
    groups += [(kind.value, [t for t in rows if t.interval.kind is kind]) for kind in Kind]
    return tuple(_trust(name, group) for name, group in groups if group)


def _trust(name: str, rows: Sequence[Trusted]) -> Trust:
    said = {v: [t for t in rows if t.interval.verdict is v] for v in Verdict}
    return Trust(
        name=name,
        rows=len(rows),
        inside=sum(t.inside for t in rows),
        said={v: len(found) for v, found in said.items()},
        right={v: sum(t.right for t in said[v]) for v in (Verdict.PAYS, Verdict.DOES_NOT)},
    )


def _error(row: Scored) -> float:
    return math.log(row.measured / row.guess.speedup)


def _assumed(row: Scored) -> bool:
    return "acceptance" in row.guess.assumed


def _mean_square(rows: Sequence[Scored]) -> float:
    return sum(_error(row) ** 2 for row in rows) / len(rows)
