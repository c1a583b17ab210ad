"""Everything that a report says, in whatever form."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from breakeven.domain.measures.verdict import Bounds
from breakeven.measure.advice import Advice
from breakeven.measure.figures import CellFigures, Slo
from breakeven.measure.grid import Arm
from breakeven.measure.preflight import Identity
from breakeven.measure.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One finished, or ended, measurement."""

    title: str
    verdict: Verdict
    figures: Sequence[CellFigures]
    bounds: Bounds
    advice: Advice
    remarks: Sequence[str]
    ending: str
    """Why it ended, in words."""
    identities: Mapping[Arm, Identity]
    addresses: Mapping[Arm, str]
    """Where each server was."""
    method: Mapping[str, str]
    """How it was measured: name → value, for people."""
    slo: Slo = field(default_factory=Slo)
    one_after_the_other: bool = False
