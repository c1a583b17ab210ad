"""The short past of a resource stays short, and ends with the resource."""

from datetime import datetime, timedelta
from decimal import Decimal

from prometheus_client import CollectorRegistry
from tests.support.reports import NOW

from breakeven.api.status import Details, EvidenceStatus, Memory, Role, Status, VariantStatus
from breakeven.control.ports import Key
from breakeven.domain.decision import Decision
from breakeven.page.history import MOST, Past, Remembering, Sample, sample_of
from breakeven.telemetry.figures import Figures

KEY = Key("inference", "llama")


def variant(ready: int, *, speculates: bool) -> VariantStatus:
    return VariantStatus(name="a", role=Role.STABLE, speculation="", wanted=ready, ready=ready, speculates=speculates)


def decided(end: datetime) -> Decision:
    evidence = EvidenceStatus(speedup=Decimal("1.25"), acceptance=Decimal("0.6"), window_end=end)
    return Decision(memory=Memory(), placements=(), evidence=evidence)


def status(speculating: int = 3) -> Status:
    arms = [variant(speculating, speculates=True), variant(1, speculates=False)]
    return Status(details=Details(variants=arms))


def test_a_sample_has_the_figures_of_its_own_pass_only() -> None:
    stale = EvidenceStatus(speedup=Decimal("9"), window_end=NOW)
    old = Status(details=status().details.model_copy(update={"evidence": stale}))
    assert sample_of(old, None, NOW) == Sample(NOW, 3, 1)
    assert sample_of(old, decided(NOW), NOW)[3:5] == (NOW, 1.25)


def test_a_window_is_drawn_once_and_a_change_of_replicas_at_once() -> None:
    past = Past()
    for second in (0, 1, 20):
        at = NOW + timedelta(seconds=second)
        past.add(sample_of(status(), decided(NOW), at))
    past.add(sample_of(status(2), decided(NOW), NOW + timedelta(seconds=21)))
    kept = past.samples()
    assert [(s.at - NOW).seconds for s in kept] == [0, 20, 21]
    assert [s.speedup for s in kept] == [1.25, None, None]


def test_a_long_past_is_thinned_out_and_reaches_back_as_far_as_before() -> None:
    past = Past()
    for step in range(20 * MOST):
        past.add(Sample(NOW + timedelta(seconds=15 * step), 1, 1))
    kept = past.samples()
    assert MOST // 2 <= len(kept) <= MOST
    assert kept[-1].at - kept[0].at > timedelta(hours=18)


def test_what_is_older_than_a_week_goes() -> None:
    past = Past()
    for hour in range(3 * MOST):
        past.add(Sample(NOW + timedelta(hours=hour), 1, 1))
    kept = past.samples()
    assert kept[-1].at - kept[0].at <= timedelta(days=7)


def test_the_past_ends_with_its_resource_and_the_figures_go_on() -> None:
    figures = Figures(CollectorRegistry())
    recorder = Remembering(figures, lambda: NOW)
    recorder.reports(KEY, status(), decided(NOW))
    recorder.passed(KEY, seconds=0.1, error="")
    recorder.decided(KEY, action="Promote", reason="Pays")
    recorder.wrote("Deployment", verb="apply")
    assert [s.speedup for s in recorder.samples(KEY)] == [1.25]
    page = figures.page().decode()
    for name in ("breakeven_passes_total", "breakeven_decisions_total", "breakeven_api_writes_total"):
        assert f"{name}{{" in page
    recorder.forgot(KEY)
    assert recorder.samples(KEY) == ()
    assert "llama" not in figures.page().decode()
