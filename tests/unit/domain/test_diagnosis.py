"""The cause is named apart from the action."""

from decimal import Decimal

import pytest

from breakeven.api.status import EvidenceStatus
from breakeven.domain.diagnosis import diagnosed
from breakeven.domain.figures import Sums

REFERENCE = EvidenceStatus(acceptance=Decimal("0.45"), inflation=Decimal("1.5"), load=Decimal("100"))


def arm(*, step: float, acceptance: float, load: float = 100.0) -> Sums:
    return Sums(
        tokens=load * 600,
        steps=1000.0,
        seconds=1000 * step,
        drafts=1000.0,
        drafted=3000.0,
        accepted=3000 * acceptance,
        finished=100.0,
        failed=0.0,
        length=600.0,
        replicas=1.0,
    )


@pytest.mark.parametrize(
    ("on", "words"),
    [
        (arm(step=0.030, acceptance=0.45), ""),
        (arm(step=0.030, acceptance=0.35), "higher temperature"),
        (arm(step=0.030, acceptance=0.10), "does not fit"),
        (arm(step=0.040, acceptance=0.45, load=300), "load went"),
        (arm(step=0.040, acceptance=0.45), "load is the same"),
    ],
)
def test_the_cause_is_what_changed(on: Sums, words: str) -> None:
    off = arm(step=0.020, acceptance=0.0)
    found = diagnosed(REFERENCE, off, on)
    assert (words in found) if words else found == ""


def test_without_a_reference_nothing_is_claimed() -> None:
    assert diagnosed(None, None, arm(step=0.03, acceptance=0.1)) == ""
