"""Scraping each simulated replica and cutting batches as the operator does changes no decision of the fast mode."""

import math
from datetime import timedelta
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from breakeven.cli.main import app
from breakeven.domain.counters.observation import Batch, Gauges, Totals
from breakeven.domain.counters.scrapes import scrape_of
from breakeven.domain.measures.figures import sums
from breakeven.simulation.engine import SimulatedEngine, survival_of
from breakeven.simulation.export import write
from breakeven.simulation.fleet import EPOCH
from breakeven.simulation.run import run, scraping_of, world
from breakeven.simulation.scenario import Scenario, load_shipped
from breakeven.simulation.scraping import Pod, Scraping, arriving


def sooner(name: str, *, hours: float, length: float) -> Scenario:
    scenario = load_shipped(name)
    events = tuple(e.model_copy(update={"at": e.at - timedelta(hours=hours)}) for e in scenario.events)
    return scenario.model_copy(update={"events": events, "days": length / 24})


def scraping(*, record: bool = False) -> Scraping:
    return Scraping(length=60.0, warmup=0.0, keep=3600.0, k=3, missed=lambda: 0.0, samples={} if record else None)


def test_the_fast_and_the_exact_run_decide_alike() -> None:
    made = world(sooner("temperature-shift", hours=22, length=3.2), 1, exact=True)
    exact, fast = run(made, scraping=scraping_of(made)), run(made)
    assert [(c.action, c.reason) for c in exact.changes] == [(c.action, c.reason) for c in fast.changes]
    assert len(exact.changes) >= 3
    for a, b in zip(exact.changes, fast.changes, strict=True):
        assert abs(a.minute - b.minute) <= 10


def test_gaps_between_scrapes_toggle_nothing() -> None:
    made = world(sooner("scrape-gaps", hours=22.5, length=2.5), 1, exact=True)
    r = run(made, scraping=scraping_of(made))
    assert [c.action for c in r.changes if c.action in ("Promote", "Disable")] == ["Promote"]


def test_a_request_counts_in_every_batch_that_it_spans() -> None:
    start = EPOCH.timestamp()
    held, pod = scraping(), Pod("a", 0)
    held.start(pod, drafted=3)
    held.appear(pod, start)
    long = np.array([6000.0])
    nothing = np.zeros(0)
    for minute in range(6):
        lengths, steps = (long, long / 2) if minute == 0 else (nothing, nothing)
        at = start + 60 * minute
        arriving_now = arriving(lengths, steps, start=at, step=0.05, drafted=3, k=3)
        held.serve(pod, arriving_now, at, per_token=False, missing=0.0)
    batches = held.batches("v", {"a": start}, start + 360)
    per_batch = [b.totals.generation_tokens or 0.0 for b in batches]
    assert sum(n > 0 for n in per_batch) == 4
    assert per_batch[1] == pytest.approx(60 / 0.05 * 2, rel=0.01)
    assert [b.totals.first_tokens for b in batches].count(1.0) == 1


def test_counters_by_position_add_up_to_the_accepted_tokens() -> None:
    accepted = np.array([0.05, 0.4, 0.9])
    survival = survival_of(accepted, 3)
    assert survival.mean(axis=0) == pytest.approx(accepted)
    assert np.all(np.diff(survival, axis=0) < 0)
    engine = SimulatedEngine(speculating=True, k=3)
    lengths = np.array([100.0, 300.0])
    engine.admit(arriving(lengths, lengths / 2.2, start=0.0, step=0.02, drafted=3, k=3))
    totals = scrape_of(600.0, engine.page(600.0, per_token=False)).totals
    assert totals.accepted == sum(totals.accepted_at)
    assert totals.accepted == pytest.approx(400 - 400 / 2.2, abs=3)
    assert totals.ttft_buckets[-1] == (math.inf, 2.0)
    assert totals.tpot_buckets[-1] == (math.inf, 2.0)
    assert sums([_batch(totals)]).acceptance == pytest.approx(0.4, abs=0.02)


def test_a_shorter_draft_accepts_what_its_positions_accepted_before() -> None:
    lengths = np.array([100.0, 300.0])
    long = arriving(lengths, lengths / 2.2, start=0.0, step=0.02, drafted=3, k=3)
    short = arriving(lengths, lengths / 2.2, start=0.0, step=0.02, drafted=1, k=3)
    assert short.survival == pytest.approx(long.survival[:1])
    assert short.steps == pytest.approx(lengths / (1 + long.survival[0]))


def _batch(totals: Totals) -> Batch:
    return Batch(start=0.0, end=600.0, totals=totals, gauges=Gauges(), replicas=1)


def test_the_export_is_openmetrics_with_a_timestamp_on_every_sample() -> None:
    held, pod, start = scraping(record=True), Pod("x-0-0", 0), EPOCH.timestamp()
    held.start(pod, drafted=0)
    held.appear(pod, start)
    to = StringIO()
    assert held.samples is not None
    count = write(held.samples, to)
    lines = to.getvalue().splitlines()
    assert lines[-1] == "# EOF"
    assert len(lines) == count + 1
    anchor = next(line for line in lines if line.startswith("vllm:generation_tokens_total"))
    assert 'namespace="simulated"' in anchor
    assert anchor.endswith(f" 0.0 {start - 13:.3f}")
    assert not any("spec_decode" in line for line in lines)


def test_the_command_writes_samples_and_the_resource(tmp_path: Path) -> None:
    to = tmp_path / "out.om"
    command = ["simulate", "-f", "spike", "--days", "0.03", "--openmetrics", str(to), "-o", "json"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert to.read_text().endswith("# EOF\n")
    assert "SpeculativeDeployment" in (tmp_path / "out.om.yaml").read_text()
    assert "pod=~" in result.stderr
    assert CliRunner().invoke(app, [*command, "--seeds", "2"]).exit_code == 2
