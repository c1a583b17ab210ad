"""Percentiles and sums of a run."""

from breakeven.lab.load.summary import Outcome, merged, percentiles


def test_percentiles_are_the_nearest_ranks() -> None:
    assert percentiles([float(i) for i in range(1, 101)]) == {"mean": 50.5, "p50": 50.0, "p95": 95.0, "p99": 99.0}
    assert percentiles([3.0]) == {"mean": 3.0, "p50": 3.0, "p95": 3.0, "p99": 3.0}


def test_nothing_observed_is_told_as_absent() -> None:
    assert percentiles([]) is None


def test_merging_adds_everything_up() -> None:
    one, two = Outcome(sent=3, latency=[1.0, 2.0]), Outcome(sent=2, skipped=1, latency=[3.0])
    one.errors["HTTP 500"] += 1
    whole = merged([one, two])
    assert (whole.sent, whole.skipped, whole.finished, whole.failed) == (5, 1, 3, 1)
