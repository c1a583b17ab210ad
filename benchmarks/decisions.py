"""How well the operator decides, in simulation: every shipped scenario at three request rates against two simple rules.

    .venv/bin/python benchmarks/decisions.py            # a few minutes on one core
    .venv/bin/python benchmarks/decisions.py --seeds 5 --rates 0.5 5 --json decisions.json

Columns: false transitions per 30 days; losses of more than 5 % that were never switched off; median and 95th percentile
of the minutes until they were; Lorden's bound on that delay for any detector with as few false alarms, and the median
over it (the bound counts as one minute at least, the length of a batch); share of replica-minutes in the better state;
decoding capacity delivered over an oracle's, which is always and at once in the better state; restarts and decisions
per day.
"""

import argparse
import json
import math
import sys
import time
from pathlib import Path

from breakeven.simulation.policies import Article, Breakeven, ThreeBadChecks
from breakeven.simulation.report import scores_document, table
from breakeven.simulation.run import run, world
from breakeven.simulation.scenario import load_shipped, shipped
from breakeven.simulation.scores import Scores, score

POLICIES = (Breakeven, Article, ThreeBadChecks)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--rates", type=float, nargs="+", default=[0.05, 0.5, 5.0])
    parser.add_argument("--scenarios", nargs="+", default=list(shipped()))
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    began, days, found = time.monotonic(), 0.0, []
    everything: list[tuple[float, str, list[Scores]]] = []
    for rate in args.rates:
        for name in args.scenarios:
            scenario = load_shipped(name).model_copy(update={"requests_per_second": rate})
            worlds = [world(scenario, seed) for seed in range(1, args.seeds + 1)]
            scores = [score([run(made, policy(made.spec)) for made in worlds]) for policy in POLICIES]
            days += sum(s.days for s in scores)
            everything.append((rate, name, scores))
            print(f"\n{name} at {rate:g} requests/s (simulated, {scores[0].days:g} days): {scenario.title}")
            print(table(scores), flush=True)
            found += [{"scenario": name, "rate": rate, **scores_document(s)} for s in scores]
    print("\nAll scenarios together (simulated):")
    for rate in args.rates:
        print(f"  {rate:g} requests/s")
        for index, policy in enumerate(POLICIES):
            print("    " + _summary([scores[index] for r, _, scores in everything if r == rate]), flush=True)
            del policy
    spent = time.monotonic() - began
    print(f"\n{days:.0f} simulated days in {spent:.0f} s on one core ({sys.version.split()[0]}).")
    if args.json:
        args.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def _summary(scores: list[Scores]) -> str:
    delays = sorted(d for s in scores for d in s.delays)
    middle = delays[len(delays) // 2] if delays else math.nan
    days = sum(s.days for s in scores)
    wrong = sum(s.false_per_30_days * s.days for s in scores) / days
    delivered = math.fsum(s.delivered for s in scores) / len(scores)
    missed, losses = sum(s.misses for s in scores), sum(s.losses for s in scores)
    return (
        f"{scores[0].policy:<18} false/30d {wrong:6.2f}  missed {missed}/{losses}  median delay {middle:4.0f} min  "
        f"delivered {delivered:.1%} of the oracle's"
    )


if __name__ == "__main__":
    main()
