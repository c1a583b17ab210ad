"""The chart as the real Helm renders it."""

import subprocess
from pathlib import Path
from typing import Any

import yaml

from breakeven.lab.tools.find import require

CHART = Path(__file__).parents[2] / "charts" / "breakeven"
NAMESPACE = "breakeven-system"


def helm(*arguments: str, environment: dict[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(require("helm")["helm"]), *arguments],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
        check=False,
    )


def template(*settings: str, chart: Path = CHART, tests: bool = False) -> list[dict[str, Any]]:
    more = () if tests else ("--skip-tests",)
    result = helm("template", "breakeven", str(chart), "--namespace", NAMESPACE, *more, *settings)
    assert result.returncode == 0, result.stderr
    return [d for d in yaml.safe_load_all(result.stdout) if d]


def only(objects: list[dict[str, Any]], kind: str, name: str = "breakeven") -> dict[str, Any]:
    (found,) = (o for o in objects if (o["kind"], o["metadata"]["name"]) == (kind, name))
    return found
