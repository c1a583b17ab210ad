"""Decisions from the ledger and, before it, from the operator's own counters."""

from datetime import UTC, datetime, timedelta

from breakeven.adapters.prometheus.answers import RawSeries
from breakeven.api.status import DecisionRecord
from breakeven.plugin.history import joined, of_ledger, of_series

T0 = 1_790_000_000.0
STEP = 60.0


def counter(action: str, *values: float | None) -> RawSeries:
    """A counter looked at once a step; None is a look that saw nothing."""
    samples = [(T0 + place * STEP, value) for place, value in enumerate(values) if value is not None]
    return RawSeries({"__name__": "breakeven_decisions_total", "action": action, "reason": "R"}, samples)


def actions(*series: RawSeries) -> list[tuple[str, int]]:
    entries = of_series(series, [], begin=T0, step=STEP)
    return [(e.action, round((datetime.fromisoformat(e.at).timestamp() - T0) / STEP)) for e in entries]


def test_a_counter_that_grows_is_a_decision_and_so_is_one_that_begins() -> None:
    assert actions(counter("Promote", None, None, None, 1, 1, 2)) == [("Promote", 5), ("Promote", 3)]


def test_what_was_counted_before_the_range_is_not_decided_in_it() -> None:
    assert actions(counter("Promote", 7, 7, 7)) == []
    assert actions(counter("Promote", None, 7, 8)) == [("Promote", 2)]


def test_a_restart_of_the_operator_is_no_decision_and_what_comes_after_it_is() -> None:
    assert actions(counter("Promote", 5, 5, None, None, 1, 1)) == [("Promote", 4)]
    assert actions(counter("Promote", 2, 2, None, None, 3)) == [("Promote", 4)]


def test_several_counters_come_newest_first_and_two_decisions_between_looks_are_two() -> None:
    found = actions(counter("Promote", None, None, None, 1), counter("Disable", 0, 0, 0, 0, 2))
    assert found == [("Disable", 4), ("Disable", 4), ("Promote", 3)]


def test_a_counter_gone_wrong_does_not_fill_the_screen() -> None:
    assert len(actions(counter("Promote", None, None, None, 1e12))) == 50


def test_a_decision_carries_the_figure_that_was_measured_by_then() -> None:
    speedups = [RawSeries({}, [(T0 + 2 * STEP, 1.6158), (T0 + 9 * STEP, 0.7)])]
    (entry,) = of_series([counter("Promote", None, None, None, 1)], speedups, begin=T0, step=STEP)
    assert entry.message == "S 1.62"
    (bare,) = of_series([counter("Promote", None, None, None, 1)], [], begin=T0, step=STEP)
    assert bare.message == ""


def test_the_ledger_wins_where_both_know_and_prometheus_goes_on_before_it() -> None:
    newest = datetime.fromtimestamp(T0 + 5 * STEP, UTC)
    records = [
        DecisionRecord(at=newest - timedelta(minutes=back), action="Disable", reason="R", message="m", generation=1)
        for back in (0, 1)
    ]
    ledger = of_ledger(records)
    older = of_series([counter("Promote", None, None, 1, 1, 2, 3)], [], begin=T0 - 9 * STEP, step=STEP)
    assert [(e.source, e.action) for e in joined(ledger, older)] == [
        ("ledger", "Disable"), ("ledger", "Disable"), ("prometheus", "Promote"),
    ]  # fmt: skip
    assert joined([], older) == older
