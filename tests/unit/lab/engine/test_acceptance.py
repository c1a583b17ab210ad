"""Acceptance by temperature, between requests and by position."""

from random import Random
from statistics import fmean, stdev

import pytest

from breakeven.lab.engine.acceptance import DEFAULTS, Acceptance, conditional, loosened, probabilistic


def test_curve_is_straight_between_points_and_flat_outside() -> None:
    acceptance = Acceptance(points=((0.0, 0.8), (1.0, 0.4)))
    assert [acceptance.mean(t) for t in (0.0, 0.5, 1.0, 2.0)] == pytest.approx([0.8, 0.6, 0.4, 0.4])


@pytest.mark.parametrize("method", sorted(DEFAULTS))
def test_default_acceptance_falls_with_temperature(method: str) -> None:
    rates = [rate for _, rate in DEFAULTS[method].points]
    assert rates == sorted(rates, reverse=True)


def test_requests_differ_by_the_spread() -> None:
    acceptance = Acceptance(points=((0.0, 0.6),), spread=0.1)
    drawn = [acceptance.draw(0.0, 1, Random(i))[0] for i in range(2000)]
    assert fmean(drawn) == pytest.approx(0.6, abs=0.01)
    assert stdev(drawn) == pytest.approx(0.1, abs=0.01)


def test_without_spread_every_request_is_the_same() -> None:
    assert Acceptance(points=((0.0, 0.6),), spread=0.0, decay=0.5).draw(0.0, 3, Random(0)) == (0.6, 0.3, 0.15)


def test_probabilistic_drafting_hardly_feels_temperature() -> None:
    acceptance = probabilistic(DEFAULTS["draft_model"])
    assert acceptance.mean(1.0) > 0.9 * acceptance.mean(0.0)


def test_lossy_verification_accepts_part_of_what_was_rejected() -> None:
    assert loosened(Acceptance(points=((0.0, 0.5),)), 0.3).mean(0.0) == pytest.approx(0.65)


def test_synthetic_rates_become_conditional() -> None:
    assert conditional((0.8, 0.4, 0.0, 0.0)) == pytest.approx((0.8, 0.5, 0.0, 0.0))
