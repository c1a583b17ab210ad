"""Shipped scenarios, simulated scrape by scrape, through a real Prometheus and `breakeven backtest`.

The simulator and the backtest must come to the same decisions: from the same samples, once as they were made and once
as promtool and Prometheus give them back. What happens a day into a scenario happens after four hours here.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tests.support.prometheus import prometheus
from typer.testing import CliRunner

from breakeven.cli.main import app
from breakeven.simulation.export import resource, selectors, write
from breakeven.simulation.fleet import EPOCH
from breakeven.simulation.run import Run, run, scraping_of, world
from breakeven.simulation.scenario import Scenario, load_shipped

pytestmark = pytest.mark.lab

BATCH = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Case:
    """A shipped scenario with a shorter beginning."""

    name: str
    sooner: float
    """Hours by which everything happens sooner."""
    hours: float
    """Length."""
    expected: tuple[str, ...]
    """Promotions and switch-offs."""
    speedup: float | None = None
    """S in its place: an S that is hardly above the threshold takes more hours than a test has."""


CASES = (
    Case("temperature-shift", 21, 5, ("Promote", "Disable")),
    Case("outage", 18, 3.5, ("Promote",)),
    Case("rolling-restart", 18, 3.5, ("Promote",)),
    Case("mixture", 0, 2.5, ("Promote",), speedup=1.3),
    # ends before the next trial: that waits for replicas that load, and a history shows only those that serve
    Case("bad-image", 21, 3.4, ("Promote", "Disable")),
)


def shortened(case: Case) -> Scenario:
    """The scenario, and a ladder without the rungs that no history can answer."""
    scenario = load_shipped(case.name)
    sooner = timedelta(hours=case.sooner)
    events = tuple(e.model_copy(update={"at": e.at - sooner}) for e in scenario.events)
    spec = {**scenario.spec, "policy": {**scenario.spec.get("policy", {}), "onBelowBreakEven": ["Disable"]}}
    changed = {"events": events, "days": case.hours / 24, "spec": spec, "speedup": case.speedup or scenario.speedup}
    return scenario.model_copy(update=changed)


def simulated(case: Case, folder: Path) -> tuple[Run, Path, tuple[str, str]]:
    """The simulator's run, its samples as OpenMetrics, and the selectors of its arms."""
    made = world(shortened(case), 1, exact=True)
    scraping = scraping_of(made, record=True)
    found = run(made, scraping=scraping)
    assert scraping.samples is not None
    text = folder / "samples.om"
    with text.open("w") as file:
        write(scraping.samples, file)
    (folder / "spd.yaml").write_text(json.dumps(resource(made.spec)))
    return found, text, selectors(made.spec)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_a_backtest_decides_what_the_simulator_decided(case: Case, tmp_path: Path) -> None:
    found, text, (on, off) = simulated(case, tmp_path)
    assert tuple(c.action for c in found.changes if c.action in ("Promote", "Disable")) == case.expected
    end = EPOCH + timedelta(hours=case.hours) - BATCH
    with prometheus(tmp_path, recorded=text.read_text()) as url:
        arguments = ["-f", str(tmp_path / "spd.yaml"), "--prometheus", url, "--on", on, "--off", off, "-o", "json"]
        times = ["--start", EPOCH.isoformat(), "--end", end.isoformat()]
        result = CliRunner().invoke(app, ["backtest", *arguments, *times])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    decided = [(d["action"], d["reason"], d["at"]) for d in document["decisions"]]
    assert [d[:2] for d in decided] == [(c.action, c.reason) for c in found.changes]
    # A history begins to be replayed when both arms have samples: what needs none of them is decided only then.
    begun = [change.action in ("Begin", "StartTrial") for change in found.changes]
    firsts = begun.index(False) if False in begun else len(begun)
    for (_, _, at), change in list(zip(decided, found.changes, strict=True))[firsts:]:
        assert abs(datetime.fromisoformat(at) - (EPOCH + timedelta(minutes=change.minute))) <= BATCH
