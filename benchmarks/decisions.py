"""How well the operator decides, in simulation: every shipped scenario at three request rates against two simple rules.

    .venv/bin/python benchmarks/decisions.py            # a few minutes on one core
    .venv/bin/python benchmarks/decisions.py --seeds 5 --rates 0.5 5 --json decisions.json
    .venv/bin/python benchmarks/decisions.py --from decisions.json     # the tables of docs/benchmarks.md

Columns: false transitions per 30 days; losses of more than 5 % that were never switched off; median and 95th percentile
of the minutes until they were; Lorden's bound on that delay for any detector with as few false alarms, and the median
over it (the bound counts as 15 s at least: nothing is known between two scrapes); share of replica-minutes in the
better state; decoding capacity delivered over an oracle's, which is always and at once in the better state; restarts
and decisions per day.
"""

import argparse
import json
import math
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from breakeven.simulation.policies import Article, Breakeven, ThreeBadChecks
from breakeven.simulation.report import scores_document, table
from breakeven.simulation.run import run, world
from breakeven.simulation.scenario import load_shipped, shipped
from breakeven.simulation.scores import Scores, score

SCRAPE = 0.25
"""Minutes between two scrapes."""
POLICIES = (Breakeven, Article, ThreeBadChecks)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--rates", type=float, nargs="+", default=[0.05, 0.5, 5.0])
    parser.add_argument("--scenarios", nargs="+", default=list(shipped()))
    parser.add_argument("--policies", type=int, default=len(POLICIES), help="So many of the policies, ours first.")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--from", dest="results", type=Path, nargs="+", help="Print tables of earlier --json files.")
    args = parser.parse_args()
    if args.results:
        rows = [row for path in args.results for row in json.loads(path.read_text(encoding="utf-8"))]
        print(markdown(rows))
        return
    began, days, found = time.monotonic(), 0.0, []
    everything: list[tuple[float, str, list[Scores]]] = []
    for rate in args.rates:
        for name in args.scenarios:
            scenario = load_shipped(name).model_copy(update={"requests_per_second": rate})
            worlds = [world(scenario, seed) for seed in range(1, args.seeds + 1)]
            scores = [score([run(made, policy(made.spec)) for made in worlds]) for policy in POLICIES[: args.policies]]
            days += sum(s.days for s in scores)
            everything.append((rate, name, scores))
            print(f"\n{name} at {rate:g} requests/s (simulated, {scores[0].days:g} days): {scenario.title}")
            print(table(scores), flush=True)
            found += [{"scenario": name, "rate": rate, **scores_document(s)} for s in scores]
            if args.json:
                args.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print("\nAll scenarios together (simulated):")
    for rate in args.rates:
        print(f"  {rate:g} requests/s")
        for index in range(args.policies):
            print("    " + _summary([scores[index] for r, _, scores in everything if r == rate]), flush=True)
    spent = time.monotonic() - began
    print(f"\n{days:.0f} simulated days in {spent:.0f} s on one core ({sys.version.split()[0]}).")


def markdown(rows: list[dict[str, Any]]) -> str:
    """A short table over all scenarios, then one line for each scenario, rate and policy."""
    rates, policies = (list(dict.fromkeys(row[key] for row in rows)) for key in ("rate", "policy"))
    lines = [
        "| requests/s | policy | false transitions per 30 days | missed losses "
        "| median of the scenarios' median delays, min | longest P95 delay, min "
        "| in the better state | delivered of the oracle's | restarts a day |",
        "| --: | --- | --: | --: | --: | --: | --: | --: | --: |",
    ]
    for rate in rates:
        lines += [_total([r for r in rows if (r["rate"], r["policy"]) == (rate, policy)]) for policy in policies]
    lines += [
        "",
        "| scenario | requests/s | policy | false per 30 days | missed | median delay, min | P95 | Lorden's bound, min "
        "| median / max(bound, 1 scrape) | better state | delivered | restarts a day |",
        "| --- | --: | --- | --: | --: | --: | --: | --: | --: | --: | --: | --: |",
    ]
    order = {name: index for index, name in enumerate(sorted({row["scenario"] for row in rows}))}
    for row in sorted(rows, key=lambda r: (order[r["scenario"]], r["rate"])):
        middle, bound = row["medianDelayMinutes"], row["lordenMinutes"]
        ratio = middle / max(SCRAPE, bound) if middle is not None and bound is not None else None
        cells = [
            row["scenario"],
            f"{row['rate']:g}",
            row["policy"],
            f"{row['falsePer30Days']:.1f}",
            f"{row['misses']} of {row['losses']}" if row["losses"] else "–",
            *(_minutes(value) for value in (middle, row["p95DelayMinutes"])),
            _cell(bound, 2),
            _cell(ratio, 1),
            f"{row['inBetterState']:.1%}",
            f"{row['delivered']:.1%}",
            f"{row['restartsPerDay']:.1f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _total(rows: list[dict[str, Any]]) -> str:
    days = sum(r["days"] for r in rows)
    wrong, restarts = (sum(r[key] * r["days"] for r in rows) / days for key in ("falsePer30Days", "restartsPerDay"))
    medians = sorted(r["medianDelayMinutes"] for r in rows if r["medianDelayMinutes"] is not None)
    slowest = max((r["p95DelayMinutes"] for r in rows if r["p95DelayMinutes"] is not None), default=None)
    better, delivered = (math.fsum(r[key] for r in rows) / len(rows) for key in ("inBetterState", "delivered"))
    cells = [
        f"{rows[0]['rate']:g}",
        rows[0]["policy"],
        f"{wrong:.2f}",
        f"{sum(r['misses'] for r in rows)} of {sum(r['losses'] for r in rows)}",
        _minutes(median(medians) if medians else None),
        _minutes(slowest),
        f"{better:.1%}",
        f"{delivered:.1%}",
        f"{restarts:.1f}",
    ]
    return f"| {' | '.join(cells)} |"


def _cell(value: float | None, digits: int = 0) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _minutes(value: float | None) -> str:
    return _cell(value, 2 if value is not None and value < 10 else 0)


def _summary(scores: list[Scores]) -> str:
    delays = sorted(d for s in scores for d in s.delays)
    middle = delays[len(delays) // 2] if delays else math.nan
    days = sum(s.days for s in scores)
    wrong = sum(s.false_per_30_days * s.days for s in scores) / days
    delivered = math.fsum(s.delivered for s in scores) / len(scores)
    missed, losses = sum(s.misses for s in scores), sum(s.losses for s in scores)
    return (
        f"{scores[0].policy:<18} false/30d {wrong:6.2f}  missed {missed}/{losses}  median delay {middle:5.2f} min  "
        f"delivered {delivered:.1%} of the oracle's"
    )


if __name__ == "__main__":
    main()
