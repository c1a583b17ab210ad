"""Alerts and dashboard, as far as they can be read: each series exists, and each alert has its runbook."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.monitoring import DASHBOARD, queries

ROOT = Path(__file__).parents[2]
CHART, MANIFESTS = ROOT / "charts" / "breakeven", ROOT / "manifests" / "monitoring"
RULES: dict[str, Any] = yaml.safe_load((CHART / "rules" / "breakeven.yaml").read_text(encoding="utf-8"))
ALERTS: list[dict[str, Any]] = [rule for group in RULES["groups"] for rule in group["rules"]]


def test_every_series_that_is_asked_for_is_one_of_the_operators() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    known = set(re.findall(r"`(breakeven_[a-z_]+)(?:\{[a-z,]+\})?`", page)) | {"breakeven_pass_seconds_bucket"}
    asked = {name for _, text in queries() for name in re.findall(r"breakeven_[a-z_]+", text)}
    asked |= {name for alert in ALERTS for name in re.findall(r"breakeven_[a-z_]+", alert["expr"])}
    assert asked <= known
    # What is known of a resource is on the dashboard.
    shown = {name for _, text in queries() for name in re.findall(r"breakeven_[a-z_]+", text)}
    assert {n for n in known if "value" in n or "ratio" in n or "state" in n} <= shown


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_every_alert_has_a_severity_a_summary_and_a_runbook_that_is_there(alert: dict[str, Any]) -> None:
    page = (ROOT / "docs" / "runbooks.md").read_text(encoding="utf-8")
    assert alert["labels"]["severity"] in ("critical", "warning", "info")
    assert alert["annotations"]["summary"] and alert["annotations"]["description"]
    assert alert["annotations"]["runbook_url"] == f"docs/runbooks.md#{alert['alert'].lower()}"
    assert f"\n### {alert['alert']}\n" in page


def test_every_runbook_is_of_an_alert() -> None:
    page = (ROOT / "docs" / "runbooks.md").read_text(encoding="utf-8")
    assert re.findall(r"^### (\w+)$", page, re.MULTILINE) == [alert["alert"] for alert in ALERTS]


def test_the_manifests_have_the_charts_rules_and_dashboard() -> None:
    rule = yaml.safe_load((MANIFESTS / "prometheusrule.yaml").read_text(encoding="utf-8"))
    assert rule["spec"] == RULES
    assert json.loads((MANIFESTS / "breakeven.json").read_text(encoding="utf-8")) == DASHBOARD
    listed = yaml.safe_load((MANIFESTS / "kustomization.yaml").read_text(encoding="utf-8"))
    assert {p.name for p in MANIFESTS.glob("*.yaml")} - {"kustomization.yaml"} == set(listed["resources"])


def test_panels_stand_apart_and_have_a_title_and_a_question() -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in DASHBOARD["panels"]:
        assert panel["title"]
        assert panel["type"] == "row" or panel["targets"]
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]
    assert max(x for x, _ in taken) == 23
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
