"""What a warm switch changes in the decisions, in simulation: the same days with Reload and with Warm.

    .venv/bin/python benchmarks/warm_decisions.py                # a few minutes on one core
    .venv/bin/python benchmarks/warm_decisions.py --seeds 3 --scenarios one-replica --rates 0.5 5

Columns: decoding capacity delivered over an oracle's, which is always and at once in the better state; what knowing
cost of that (replicas that ran what is slower than what serves, to be compared, and the time of warm switches); false
transitions per 30 days; trials, promotions and times switched off; replicas restarted a day; warm switches of one
replica a day.

Not simulated: requests in flight that have to end before a switch, those that wait meanwhile, and the prefix cache that
is cold after it.
"""

import argparse
import time

from breakeven.simulation.run import Run, run, world
from breakeven.simulation.scenario import Scenario, load_shipped
from breakeven.simulation.scores import score

SCENARIOS = ("diurnal-knee", "one-replica", "same-but-for-a-node")
MODES = ("Reload", "Warm")


def main() -> None:
    """Run and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--rates", type=float, nargs="+", help="Instead of the scenario's own.")
    parser.add_argument("--scenarios", nargs="+", default=SCENARIOS)
    parser.add_argument("--days", type=float, help="Instead of the scenario's own.")
    args = parser.parse_args()
    began = time.monotonic()
    print(
        "| scenario | requests/s | mode | delivered of the oracle's | cost of knowing | false transitions per 30 days "
        "| trials | promoted | switched off | restarts a day | switches a day and replica |\n"
        "| --- | --: | --- | --: | --: | --: | --: | --: | --: | --: | --: |",
        flush=True,
    )
    for name in args.scenarios:
        for rate in args.rates or (load_shipped(name).requests_per_second,):
            for mode in MODES:
                shipped = load_shipped(name)
                changed = {"requests_per_second": rate, "days": args.days or shipped.days}
                scenario = in_mode(shipped, mode).model_copy(update=changed)
                runs = [run(world(scenario, seed)) for seed in range(1, args.seeds + 1)]
                print(f"| {name} | {rate:g} | {mode} | {_cells(runs)} |", flush=True)
    print(f"\nSimulated, {args.seeds} seed(s) a row, in {time.monotonic() - began:.0f} s.")


def in_mode(scenario: Scenario, mode: str) -> Scenario:
    """The same scenario with another `spec.policy.switching.mode`."""
    policy = scenario.spec.get("policy", {})
    switching = {**policy.get("switching", {}), "mode": mode}
    return scenario.model_copy(update={"spec": {**scenario.spec, "policy": {**policy, "switching": switching}}})


def _cells(runs: list[Run]) -> str:
    found, replicas = score(runs), runs[0].scenario.resource.replicas
    cells = (
        f"{found.delivered:.1%}",
        f"{sum(r.knowing for r in runs) / len(runs):.2%}",
        f"{found.false_per_30_days:.1f}",
        str(found.trials),
        str(found.promotions),
        str(found.switch_offs),
        f"{found.restarts_per_day:.1f}",
        f"{sum(r.switches for r in runs) / found.days / replicas:.0f}",
    )
    return " | ".join(cells)


if __name__ == "__main__":
    main()
