"""How fast many losses at once are acted on: from the reading that shows them to the patch of the Deployment.

    .venv/bin/python benchmarks/reaction.py [--sizes 100,1000] [--share 1.0]

The lab of `steady.py` (a real API server and Prometheus, hollow pods with simulated series), with the operator in this
process, so that the moment is known at which a reading asked for the pass. All speculating pods become slower than the
controls at the same moment. Three times are told, each P50 and P99 over the resources:

* breach to patch: all of it, the statistical window and the scrape intervals included;
* reading to patch: from the end of the reading after which the resource was asked to be looked at, to the moment at
  which the API server had answered the first patch of one of its Deployments: what is ours beyond the window;
* pass to patch: from the beginning of that pass, so without waiting for others.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import steady
from breakeven import app
from breakeven.control.ports import Key
from breakeven.control.screening import Screening
from breakeven.control.workers import Workers
from breakeven.demo.operator import NAMESPACE as OPERATOR_NAMESPACE
from breakeven.demo.operator import OPERATOR_ACCOUNT
from breakeven.lab.handle import RunningLab
from breakeven.settings import Settings

SLOW = 0.7
"""Speed-up of speculating pods after the breach."""
MOST_S = 600.0
"""How long is waited for the last patch."""
asked: dict[str, float] = {}
"""When a reading last asked for a pass, by resource; Unix seconds."""
begun: dict[str, float] = {}
"""When the pass after that began."""


class TimedScreening(Screening):
    """Notes the end of the reading that first asked for a pass."""

    async def screen(self, keys: Sequence[Key]) -> None:
        """Look at these resources."""
        ended, needs = time.time(), self._needs_a_pass
        for key in keys:
            if key.name not in asked and needs(key):
                asked[key.name] = ended
        await super().screen(keys)


class TimedWorkers(Workers):
    """Notes when a pass began."""

    async def work(self, key: Key) -> None:
        """One pass for one key."""
        if key.name in asked:
            begun.setdefault(key.name, time.time())
        await super().work(key)


def patched(log: Path, offset: int) -> dict[str, float]:
    """When the first patch of a Deployment of each resource was answered, Unix seconds."""
    found: dict[str, float] = {}
    with log.open("rb") as lines:
        lines.seek(offset)
        for line in lines:
            try:
                event = json.loads(line)
            except ValueError:
                continue
            of_ours = event.get("user", {}).get("username") == OPERATOR_ACCOUNT and event.get("verb") == "patch"
            about = event.get("objectRef", {})
            if of_ours and about.get("resource") == "deployments" and event.get("stage") == "ResponseComplete":
                name = about["name"].rpartition("-")[0]
                found.setdefault(name, datetime.fromisoformat(event["stageTimestamp"]).timestamp())
    return found


def watch_and_breach(lab: RunningLab, size: int, share: float) -> tuple[float, dict[str, float]]:
    """Wait until nothing is written, slow the pods down, and wait for the patches."""
    steady.wait_for_quiet(lab)
    offset, breach = lab.audit_log.stat().st_size, time.time()
    asked.clear()
    begun.clear()
    lab.set_hollow(speedup=SLOW)
    while time.time() - breach < MOST_S:
        time.sleep(5)
        found = patched(lab.audit_log, offset)
        steady.say(f"{len(found)} of {size} patched after {time.time() - breach:.0f} s")
        if len(found) >= share * size:
            break
    return breach, patched(lab.audit_log, offset)


async def operate(lab: RunningLab, size: int, share: float) -> tuple[float, dict[str, float]]:
    """Run the operator here, and the rest beside it."""
    app.Screening, app.Workers = TimedScreening, TimedWorkers  # type: ignore[misc]  # seen, not changed
    stop = asyncio.Event()
    settings = Settings(
        prometheus_url=lab.prometheus_url, lease_namespace=OPERATOR_NAMESPACE, health_host="127.0.0.1", health_port=0
    )
    kubeconfig = lab.kubeconfig_for(OPERATOR_ACCOUNT)
    running = asyncio.create_task(app.run(settings, kubeconfig=kubeconfig, stop=stop))
    try:
        return await asyncio.to_thread(watch_and_breach, lab, size, share)
    finally:
        stop.set()
        await running


def percentiles(name: str, values: Sequence[float], size: int) -> str:
    """One line of the table."""
    ordered = sorted(values)
    at = [ordered[min(len(ordered) - 1, round(q * (len(ordered) - 1)))] for q in (0.5, 0.99)] if ordered else [0.0, 0.0]
    return f"| {size:,} | {name} | {at[0]:.2f} | {at[1]:.2f} | {len(ordered):,} |"


def measure(size: int, options: argparse.Namespace) -> list[str]:
    """The three times with so many resources."""
    with steady.lab(size, past_s=1800.0) as lab:
        with steady.operator_of(lab) as operator:
            steady.bring_up(lab, operator, size, steady.WINDOW_S)
            operator.start()
            steady.wait_until(lab, operator, size, "are judged", lambda s: s.get("observedGeneration") == 2)
        breach, found = asyncio.run(operate(lab, size, options.share))
    times = {
        "breach to patch": [at - breach for at in found.values()],
        "reading to patch": [at - asked[name] for name, at in found.items() if name in asked],
        "pass to patch": [at - begun[name] for name, at in found.items() if name in begun],
    }
    return [percentiles(name, values, size) for name, values in times.items()]


def main() -> None:
    """Run the sizes and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="100,1000", help="resources, comma-separated")
    parser.add_argument("--share", type=float, default=1.0, help="of them that have to be patched before it ends")
    options = parser.parse_args()
    lines = [line for size in options.sizes.split(",") for line in measure(int(size), options)]
    print("\n".join(("| resources | time | P50 s | P99 s | of |", "| --: | --- | --: | --: | --: |", *lines)))


if __name__ == "__main__":
    main()
