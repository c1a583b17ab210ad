"""How well the operator decides, in simulation: every shipped scenario against simple rules, and the error of evidence.

    .venv/bin/python benchmarks/decisions.py            # the classic set at three request rates, a few minutes
    .venv/bin/python benchmarks/decisions.py --set hostile --seeds 1     # worlds that are built to mislead
    .venv/bin/python benchmarks/decisions.py --error --months 1000       # errors by correlation of minutes
    .venv/bin/python benchmarks/decisions.py --seeds 5 --rates 0.5 5 --json decisions.json
    .venv/bin/python benchmarks/decisions.py --from decisions.json     # the tables of docs/benchmarks.md

Columns: false transitions per 30 days; losses of more than 5 % that were never switched off; median and 95th percentile
of the minutes until they were; Lorden's bound on that delay for any detector with as few false alarms, and the median
over it (the bound counts as 15 s at least: nothing is known between two scrapes); share of replica-minutes in the
better state; decoding capacity delivered over an oracle's, which is always and at once in the better state; restarts
and decisions per day. The hostile set runs at the rates of its scenarios and against leaving speculation on or off, and
those of its scenarios that need scraped replicas are run as with `breakeven simulate --exact`.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from breakeven.simulation.months import Setting, measure
from breakeven.simulation.policies import AlwaysOff, AlwaysOn, Article, Breakeven, Policy, ThreeBadChecks
from breakeven.simulation.report import scores_document, table
from breakeven.simulation.run import Run, World, run, scraping_of, world
from breakeven.simulation.scenario import load_shipped, shipped
from breakeven.simulation.scores import Scores, score

SCRAPE = 0.25
"""Minutes between two scrapes."""
RATES = (0.05, 0.5, 5.0)
POLICIES = {
    "classic": (Breakeven, Article, ThreeBadChecks),
    "hostile": (Breakeven, AlwaysOn, AlwaysOff),
}
SPEEDUPS = (0.98, 1.0, 1.02, 1.05)
CORRELATIONS = (0.0, 0.5, 0.7, 0.9)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", dest="suite", choices=("classic", "hostile", "all"), default="classic")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--rates", type=float, nargs="+", help="Instead of 0.05, 0.5 and 5, or of the scenario's own.")
    parser.add_argument("--days", type=float, help="Instead of the scenario's own: the first days of it.")
    parser.add_argument("--scenarios", nargs="+", help="Instead of the whole set.")
    parser.add_argument("--policies", type=int, default=9, help="So many of the policies, ours first.")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--from", dest="results", type=Path, nargs="+", help="Print tables of earlier --json files.")
    parser.add_argument("--error", action="store_true", help="Errors of windows and alarm instead of scenarios.")
    parser.add_argument("--correlations", type=float, nargs="+", default=CORRELATIONS, help="Of minutes, of --error.")
    parser.add_argument("--months", type=int, default=1000, help="Simulated months of each row of --error.")
    parser.add_argument("--speedups", type=float, nargs="+", default=SPEEDUPS, help="True S of --error.")
    args = parser.parse_args()
    if args.error:
        errors(args.speedups, args.correlations, args.months)
        return
    if args.results:
        rows = [row for path in args.results for row in json.loads(path.read_text(encoding="utf-8"))]
        for suite, show in (("classic", markdown), ("hostile", hostile)):
            chosen = [row for row in rows if row["scenario"] in shipped(suite)]
            if chosen:
                print(show(chosen))
        return
    began, days, found = time.monotonic(), 0.0, []
    everything: list[tuple[float, str, list[Scores]]] = []
    for rate, name in _asked(args):
        scenario = load_shipped(name)
        changes = {"requests_per_second": rate, "days": args.days or scenario.days}
        scenario = scenario.model_copy(update=changes)
        worlds = [world(scenario, seed, exact=scenario.exact) for seed in range(1, args.seeds + 1)]
        kinds = POLICIES[scenario.suite][: args.policies]
        scores = [score([_run(made, kind) for made in worlds]) for kind in kinds]
        days += sum(s.days for s in scores)
        everything.append((rate, name, scores))
        print(f"\n{name} at {rate:g} requests/s (simulated, {scores[0].days:g} days): {scenario.title}")
        print(table(scores), flush=True)
        found += [{"scenario": name, "rate": rate, **scores_document(s)} for s in scores]
        if args.json:
            args.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    for suite in ("classic", "hostile"):
        _together(suite, [(rate, scores) for rate, name, scores in everything if name in shipped(suite)])
    spent = time.monotonic() - began
    print(f"\n{days:.0f} simulated days in {spent:.0f} s on one core ({sys.version.split()[0]}).")


def _asked(args: argparse.Namespace) -> list[tuple[float, str]]:
    """Rates and names to run: the classic scenarios at every rate, the hostile ones at their own."""
    names = args.scenarios or shipped(args.suite)
    own = {name: load_shipped(name) for name in names}
    rates = {
        name: args.rates or (RATES if s.suite == "classic" else (s.requests_per_second,)) for name, s in own.items()
    }
    ordered = sorted({rate for each in rates.values() for rate in each})
    return [(rate, name) for rate in ordered for name in names if rate in rates[name]]


def _run(made: World, kind: type[Policy]) -> Run:
    scraping = scraping_of(made) if made.scenario.exact else None
    if kind is Breakeven:
        return run(made, scraping=scraping)
    return run(made, kind(made.spec), scraping=scraping)


def _together(suite: str, found: list[tuple[float, list[Scores]]]) -> None:
    if not found:
        return
    print(f"\nThe {suite} set together (simulated):")
    for rate in sorted({rate for rate, _ in found}) if suite == "classic" else [None]:
        rows = [scores for each, scores in found if rate in (None, each)]
        if rate is not None:
            print(f"  {rate:g} requests/s")
        for index in range(len(rows[0])):
            print("    " + _summary([scores[index] for scores in rows]), flush=True)


def errors(speedups: Sequence[float], correlations: Sequence[float], months: int) -> None:
    """Print what windows and alarm err by correlation of minutes, as a table."""
    began = time.monotonic()
    print(
        "| correlation of minutes | true S | error of the bound of one window "
        "| switch-offs a month by windows | by the alarm | months with one |\n| --: | --: | --: | --: | --: | --: |"
    )
    for correlation in correlations:
        for e in measure(Setting(correlation=correlation), speedups, months=months):
            cells = (f"{e.bound:.6f}", f"{e.by_windows:.3g}", f"{e.by_alarm:.3g}", f"{e.wrong:.1%}")
            print(f"| {correlation:g} | {e.speedup:g} | {' | '.join(cells)} |", flush=True)
    spent = time.monotonic() - began
    print(f"\n{months} simulated months a row, s.d. of a minute 5 %, in {spent:.0f} s on one core.")


def hostile(rows: list[dict[str, Any]]) -> str:
    """One line for each scenario of the hostile set, what it delivers beside leaving speculation on or off."""
    lines = [
        "| scenario | delivered of the oracle's | always on | always off | false transitions per 30 days "
        "| missed losses | median delay, min | trials promoted | switched off | restarts a day "
        "| goodput: ours / on / off |",
        "| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |",
    ]
    for name in dict.fromkeys(row["scenario"] for row in rows):
        by = {row["policy"]: row for row in rows if row["scenario"] == name}
        ours, others = by["breakeven"], [by.get(policy) for policy in ("always on", "always off")]
        kept = [row["goodput"] for row in (ours, *others) if row is not None and row["goodput"] is not None]
        cells = [
            name,
            *("–" if row is None else f"{row['delivered']:.1%}" for row in (ours, *others)),
            f"{ours['falsePer30Days']:.1f}",
            f"{ours['misses']} of {ours['losses']}" if ours["losses"] else "–",
            _minutes(ours["medianDelayMinutes"]),
            f"{ours['promotions']} of {ours['trials']}",
            str(ours["switchOffs"]),
            f"{ours['restartsPerDay']:.1f}",
            " / ".join(f"{share:.0%}" for share in kept) or "–",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


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
