"""Sums over scored rows: ours, the fixed 0.5 rule and "always on", side by side on the same rows."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from breakeven.planning.calibration import FITTED_ROWS
from breakeven.planning.scoring.assumptions import length_of
from breakeven.planning.scoring.predict import Guess, predict
from breakeven.planning.scoring.row import Case

TIE = 0.03
"""A measured speed-up within this of 1 decides nothing: counted, not scored for its sign."""
_ROUNDING = 1e-9
"""1.03 - 1 is a little above 0.03 in binary."""
FIXED_RULE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """One row with its prediction."""

    case: Case
    guess: Guess
    measured: float

    @property
    def tie(self) -> bool:
        """Whether the measurement decides nothing."""
        return abs(self.measured - 1.0) <= TIE + _ROUNDING

    @property
    def faster(self) -> bool:
        """Whether speculation was measured faster."""
        return self.measured > 1.0

    @property
    def rule(self) -> bool:
        """What the fixed rule says: on at accepted / drafted of 0.5 or more."""
        return (self.guess.tokens - 1.0) / length_of(self.case) >= FIXED_RULE

    @property
    def error(self) -> float:
        """Relative error of S."""
        return abs(self.guess.speedup / self.measured - 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How often one judge was right."""

    faster_right: int
    slower_right: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Rows that share something."""

    name: str
    rows: int
    ties: int
    faster: int
    slower: int
    ours: Tally
    rule: Tally
    always: Tally
    mean_error: float | None
    """Mean relative error of S over all rows, ties included."""
    missed: tuple[str, ...]
    """Ids of slow-downs that ours calls faster."""

    def document(self) -> dict[str, Any]:
        """Plain data for JSON."""

        def judge(tally: Tally) -> dict[str, Any]:
            right, decided = tally.faster_right + tally.slower_right, self.faster + self.slower
            return {
                "speedUpsRight": tally.faster_right,
                "slowDownsRight": tally.slower_right,
                "signAccuracy": round(right / decided, 3) if decided else None,
                "balancedAccuracy": round((tally.faster_right / self.faster + tally.slower_right / self.slower) / 2, 3)
                if self.faster and self.slower
                else None,
            }

        return {
            "name": self.name,
            "rows": self.rows,
            "ties": self.ties,
            "speedUps": self.faster,
            "slowDowns": self.slower,
            "model": judge(self.ours),
            "fixedHalfRule": judge(self.rule),
            "alwaysOn": judge(self.always),
            "meanRelativeErrorOfSpeedup": None if self.mean_error is None else round(self.mean_error, 3),
            "missedSlowDowns": list(self.missed),
        }


class LeftOut(StrEnum):
    """Why a row is not scored."""

    FITTED = "fitted"
    """Constants of the model were fitted on it."""
    RELATIVE = "comparesTwoLengths"
    """Its speed-up is over another draft length, not over no speculation."""
    UNMEASURED = "noSpeedup"
    """It holds no speed-up that can be read."""
    UNKNOWN = "sizeOfTargetUnknown"
    """Nothing tells the size of its target, so nothing can be predicted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The whole result."""

    groups: tuple[Group, ...]
    """All rows first, then by what was given, provenance and source."""
    left_out: Mapping[LeftOut, tuple[str, ...]]
    """Ids of the rows that are not in any group, by why; every reason has an entry."""
    rows: tuple[Scored, ...]

    @property
    def read(self) -> int:
        """Rows of the file: every one is scored or left out for a reason."""
        return len(self.rows) + sum(len(ids) for ids in self.left_out.values())


Predictor = Callable[[Case], Guess | None]


def score(cases: Iterable[Case], *, predictor: Predictor = predict, hold_fitted: bool = True) -> Score:
    """Score rows; those that constants were fitted on (unless `hold_fitted` is false, for a predictor that was fitted
    otherwise), that compare two draft lengths, hold no figure or no size are left out."""
    scored: list[Scored] = []
    left: dict[LeftOut, list[str]] = {reason: [] for reason in LeftOut}
    for case in cases:
        if case.measured is None:
            left[LeftOut.UNMEASURED].append(case.id)
        elif case.relative:
            left[LeftOut.RELATIVE].append(case.id)
        elif hold_fitted and was_fitted(case):
            left[LeftOut.FITTED].append(case.id)
        elif (guess := predictor(case)) is None:
            left[LeftOut.UNKNOWN].append(case.id)
        else:
            scored.append(Scored(case=case, guess=guess, measured=case.measured))
    return Score(
        groups=tuple(_groups(scored)),
        left_out=MappingProxyType({reason: tuple(ids) for reason, ids in left.items()}),
        rows=tuple(scored),
    )


def was_fitted(case: Case) -> bool:
    """Whether constants were fitted on this measurement, by what it says; by its id when it does not say whose it
    is."""
    content = (case.source, case.method, case.k, case.load, case.measured)
    return content in FITTED_ROWS.values() or (case.source == "unnamed" and case.id in FITTED_ROWS)


def _groups(rows: Sequence[Scored]) -> Iterable[Group]:
    yield group("all", rows)
    yield group("acceptance given", [row for row in rows if "acceptance" not in row.guess.assumed])
    yield group("acceptance assumed", [row for row in rows if "acceptance" in row.guess.assumed])
    keys: tuple[tuple[str, Callable[[Scored], str]], ...] = (
        ("provenance", lambda row: row.case.provenance),
        ("source", lambda row: row.case.source),
        ("engine", lambda row: row.guess.generation),
    )
    for title, key in keys:
        for name in sorted({key(row) for row in rows}):
            yield group(f"{title}: {name}", [row for row in rows if key(row) == name])


def group(name: str, rows: Sequence[Scored]) -> Group:
    """Sums over some rows."""
    decided = [row for row in rows if not row.tie]
    faster = [row for row in decided if row.faster]
    slower = [row for row in decided if not row.faster]

    def tally(on: Callable[[Scored], bool]) -> Tally:
        return Tally(faster_right=sum(on(row) for row in faster), slower_right=sum(not on(row) for row in slower))

    return Group(
        name=name,
        rows=len(rows),
        ties=len(rows) - len(decided),
        faster=len(faster),
        slower=len(slower),
        ours=tally(lambda row: row.guess.speedup > 1.0),
        rule=tally(lambda row: row.rule),
        always=tally(lambda _row: True),
        mean_error=sum(row.error for row in rows) / len(rows) if rows else None,
        missed=tuple(row.case.id for row in slower if row.guess.speedup > 1.0),
    )
