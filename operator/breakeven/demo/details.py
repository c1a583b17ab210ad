"""The details of a status as programs read them: one text of JSON, `status.details`."""

import json
from collections.abc import Mapping
from typing import Any


def details(status: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the text says; empty before the first report."""
    said: Mapping[str, Any] = json.loads(status.get("details") or "{}")
    return said
