"""Whether two checkouts decide the same: every scenario of the classic set on the same seeds, one line a run.

    .venv/bin/python benchmarks/same_decisions.py > after.txt
    git worktree add /tmp/before REVISION
    PYTHONPATH=/tmp/before/operator .venv/bin/python benchmarks/same_decisions.py > before.txt
    diff before.txt after.txt && echo the same decisions

A line has the decisions taken, the share delivered, and a digest over what was decided (minute, action and reason), in
which minutes speculation served, and how long each reason held judging back. Figures in words are not part of it, so
that a text may be mended. Simulated; about four minutes on one core.
"""

import argparse
import hashlib
import json

from breakeven.simulation.policies import Breakeven
from breakeven.simulation.run import Run, run, scraping_of, world
from breakeven.simulation.scenario import load_shipped, shipped

EXACT_DAYS = 0.5
"""Exact runs scrape each replica every 15 s: half a day takes as long as many days of the fast mode."""


def digest(found: Run) -> str:
    """What was decided, in sixteen characters."""
    told = [
        [(c.minute, c.action, c.reason) for c in found.changes],
        [int(on) for on in found.speculating],
        found.holds,
        found.restarts,
    ]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--rates", type=float, nargs="+", default=[0.05, 0.5, 5.0])
    parser.add_argument("--scenarios", nargs="+", default=list(shipped("classic")))
    parser.add_argument("--exact", type=float, default=0.5, help="Requests per second of the exact runs; 0: none.")
    args = parser.parse_args()
    for name in args.scenarios:
        for rate in args.rates:
            for seed in range(1, args.seeds + 1):
                made = world(load_shipped(name).model_copy(update={"requests_per_second": rate}), seed)
                found = run(made, Breakeven(made.spec))
                print(f"{name:<22} {rate:>5g}/s seed {seed}  {_line(found)}", flush=True)
        if args.exact:
            changed = {"requests_per_second": args.exact, "days": min(EXACT_DAYS, load_shipped(name).days)}
            made = world(load_shipped(name).model_copy(update=changed), 1, exact=True)
            found = run(made, scraping=scraping_of(made))
            print(f"{name:<22} {args.exact:>5g}/s exact   {_line(found)}", flush=True)


def _line(found: Run) -> str:
    return f"{len(found.changes):>3} decisions  {found.delivered:.6f} delivered  {digest(found)}"


if __name__ == "__main__":
    main()
