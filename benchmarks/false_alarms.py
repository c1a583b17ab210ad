"""How often the operator switches off, in simulation, what has just fallen to S = 1.05 and still pays.

    .venv/bin/python benchmarks/false_alarms.py --rates 0.5 --days 8

S is 1.3 and falls to 1.05 for six hours twice a day: the jump is real, the loss is not. With a control that is always
kept, and with one that is returned; requests of one kind, and a mixture of code and prose.
"""

import argparse
import json

from breakeven.simulation.run import run, world
from breakeven.simulation.scenario import Scenario, parse

TASKS = {
    "one kind": [{"acceptance": 0.45, "spread": 0.11}],
    "mixture": [
        {"share": 0.6, "acceptance": 0.82, "spread": 0.10},
        {"share": 0.4, "acceptance": 0.38, "spread": 0.10},
    ],
}
BEFORE = 1.3


def story(*, days: int, rate: float, tasks: str, mode: str, speedup: float) -> Scenario:
    """Half of every day but the first at the lower S."""
    falls = [
        {"at": f"{hour}h", "lasts": "6h", "inflationFactor": BEFORE / speedup} for hour in range(30, days * 24, 12)
    ]
    document = {
        "title": "S falls and still pays",
        "days": days,
        "speedup": BEFORE,
        "requestsPerSecond": rate,
        "tasks": TASKS[tasks],
        "events": falls,
        "spec": {"policy": {"holdback": {"mode": mode}}},
    }
    return parse(json.dumps(document), name="false_alarms")


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", type=float, nargs="+", default=[0.05, 0.5, 5.0])
    parser.add_argument("--days", type=int, default=8)
    parser.add_argument("--speedup", type=float, default=1.05)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    for rate in args.rates:
        for mode in ("Always", "Auto"):
            for tasks in TASKS:
                scenario = story(days=args.days, rate=rate, tasks=tasks, mode=mode, speedup=args.speedup)
                found = run(world(scenario, args.seed))
                wrong = [round(c.minute / 60, 1) for c in found.changes if c.action == "Disable"]
                falls = len(scenario.events)
                print(
                    f"{rate:g} requests/s, holdback {mode}, {tasks}: {len(wrong)} switched off in {args.days} days and"
                    f" {falls} falls to S {args.speedup:g} (simulated) {wrong or ''}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
