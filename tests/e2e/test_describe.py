"""`kubectl describe` of a resource fits on two screens, and programs still get the whole report."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.reports import full_reports

from breakeven.api.status import State, Status
from breakeven.lab.handle import RunningLab

pytestmark = pytest.mark.lab
SAMPLE = Path(__file__).parents[2] / "manifests" / "samples" / "llama-70b-draft-model.yaml"
TWO_SCREENS = 130


def resource(namespace: str) -> dict[str, Any]:
    """The sample in a namespace."""
    sample: dict[str, Any] = yaml.safe_load(SAMPLE.read_text(encoding="utf-8"))
    sample["metadata"]["namespace"] = namespace
    return sample


def report(server: RunningLab, sample: dict[str, Any], status: dict[str, Any]) -> dict[str, Any]:
    """Write the status as the operator does, by server-side apply; returns what is stored."""
    manifest = {key: sample[key] for key in ("apiVersion", "kind", "metadata")} | {"status": status}
    where = ("-n", sample["metadata"]["namespace"])
    how = ("apply", "--server-side", "--subresource=status", "--field-manager=breakeven", "-f", "-")
    server.kubectl(*how, *where, input=json.dumps(manifest))
    stored = server.kubectl("get", "spd", sample["metadata"]["name"], *where, "-o", "json").stdout
    found: dict[str, Any] = json.loads(stored)["status"]
    return found


@pytest.mark.parametrize("state", [State.BASELINE, State.TRIAL, State.SPECULATING, State.COOLDOWN])
def test_describe_fits_on_two_screens_and_programs_get_the_whole_report(
    server: RunningLab, namespace: str, state: State
) -> None:
    sample = resource(namespace)
    server.kubectl("apply", "-f", "-", input=json.dumps(sample))
    full = full_reports(sample["spec"])[state]
    stored = report(server, sample, full.written())
    described = server.kubectl("describe", "spd", sample["metadata"]["name"], "-n", namespace).stdout
    assert len(described.splitlines()) <= TWO_SCREENS, described
    assert Status.model_validate(stored) == Status.model_validate(full.written())
    assert json.loads(stored["details"])["variants"]


def test_a_status_of_the_layout_before_is_replaced_field_by_field(server: RunningLab, namespace: str) -> None:
    sample = resource(namespace)
    server.kubectl("apply", "-f", "-", input=json.dumps(sample))
    full = full_reports(sample["spec"])[State.SPECULATING]
    wire = full.written()
    for name in ("arms", "history", "gain", "outlook", "figures", "waiting", "remarks"):
        del wire[name]
    before = report(server, sample, wire | json.loads(wire.pop("details")))
    assert isinstance(before["variants"], list) and "latency" in before["evidence"]
    assert Status.model_validate(before).details == Status.model_validate(full.written()).details
    assert report(server, sample, full.written()) == full.written()
