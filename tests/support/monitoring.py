"""The questions that the dashboard asks."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_FILE = Path(__file__).parents[2] / "charts" / "breakeven" / "dashboards" / "breakeven.json"
DASHBOARD: dict[str, Any] = json.loads(_FILE.read_text(encoding="utf-8"))


def queries() -> Iterator[tuple[str, str]]:
    """Each query with the panel or variable that it is of."""
    for panel in DASHBOARD["panels"]:
        yield from ((panel["title"], target["expr"]) for target in panel.get("targets", ()))
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], variable["definition"]
