"""The rules as Prometheus's own tool reads them, and each alert with what it is for and what it is not for."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from breakeven.lab.tools.find import require

pytestmark = pytest.mark.lab
ROOT = Path(__file__).parents[2]
RULES = ROOT / "charts" / "breakeven" / "rules" / "breakeven.yaml"
TESTS = ROOT / "tests" / "data" / "alerts.yaml"


def promtool(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(require("promtool")["promtool"]), *arguments], capture_output=True, text=True, timeout=120, check=False
    )


def test_promtool_has_nothing_to_say_about_the_rules() -> None:
    result = promtool("check", "rules", "--lint=all", "--lint-fatal", str(RULES))
    assert result.returncode == 0, result.stdout + result.stderr


def with_summaries_alone(rules: dict[str, Any]) -> dict[str, Any]:
    """The rules without what does not depend on what fired."""
    for rule in (rule for group in rules["groups"] for rule in group["rules"]):
        rule["annotations"] = {"summary": rule["annotations"]["summary"]}
    return rules


def test_each_alert_fires_for_what_it_is_for_and_for_nothing_else(tmp_path: Path) -> None:
    text, rules = TESTS.read_text(encoding="utf-8"), tmp_path / "rules.yaml"
    rules.write_text(yaml.safe_dump(with_summaries_alone(yaml.safe_load(RULES.read_text("utf-8")))), encoding="utf-8")
    written = tmp_path / "alerts.yaml"
    written.write_text(text.replace("RULES", str(rules)), encoding="utf-8")
    result = promtool("test", "rules", str(written))
    assert result.returncode == 0, result.stdout + result.stderr
    fires = {
        case["alertname"]
        for test in yaml.safe_load(text)["tests"]
        for case in test["alert_rule_test"]
        if "exp_alerts" in case
    }
    assert fires == set(re.findall(r"alert: (\w+)", RULES.read_text(encoding="utf-8")))
