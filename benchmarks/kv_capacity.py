"""Planned KV capacity against what real engines reported at start-up: `python benchmarks/kv_capacity.py [-o json]`."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "operator"))

from breakeven.planning.startup import start_ups


def main(arguments: Sequence[str] | None = None, echo: Callable[[str], None] = print) -> int:
    """Print one line per start-up report with its error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    options = parser.parse_args(arguments)
    rows = start_ups()
    if options.output == "json":
        echo(json.dumps([row.document() for row in rows], indent=2))
        return 0
    echo(f"{'engine':42} {'reported':>9} {'planned':>9}  error   weights GiB, reported/planned   constants")
    for row in rows:
        weights = (
            "–" if row.weights_planned_gib is None else f"{row.weights_reported_gib} / {row.weights_planned_gib:.2f}"
        )
        echo(f"{row.engine:42} {row.reported:9,} {row.planned:9,} {row.error:+7.2%}  {weights:>24}         {row.role}")
    echo(
        "No report of an engine on more than one GPU was available: the 3.8 GiB per GPU used there is a planning value."
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
