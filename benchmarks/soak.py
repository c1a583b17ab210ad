"""Whether an operator grows: hours of churn and faults, with its memory, descriptors, threads and tasks each minute.

    .venv/bin/python benchmarks/soak.py [--minutes 120] [--resources 100]

The lab of `steady.py`. Every minute some resources are deleted and made again, some are scaled, and the speed of the
speculating pods changes between gain and loss; every five minutes Prometheus is away for 40 s, every seven the API
server for 20 s. The operator has no Lease, because one that cannot renew it ends, as it must. The first ten minutes
are not counted. Growth is the slope of a line through the rest; it fails when memory grows by more than 5 MiB an hour,
or descriptors, threads or tasks by more than two.
"""

import argparse
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import linear_regression

import yaml

import steady
from breakeven.demo.operator import Operator
from breakeven.lab.errors import LabError
from breakeven.lab.handle import RunningLab

WARM_MINUTES = 10
AT_ONCE = 5
"""Resources that are deleted, and that are scaled, in a minute."""
MOST = {"MiB": 5.0, "descriptors": 2.0, "threads": 2.0, "tasks": 2.0}
"""Growth an hour that is no growth."""
Reading = dict[str, float]


def reading(operator: Operator) -> Reading:
    """What may grow."""
    process = Path(f"/proc/{steady.pid_of(operator)}")
    tasks = operator.series("breakeven_tasks")
    return {
        "MiB": steady.resident_mib(steady.pid_of(operator)),
        "descriptors": float(len(list((process / "fd").iterdir()))),
        "threads": float(len(list((process / "task").iterdir()))),
        "tasks": tasks[0] if tasks else 0.0,
    }


def churn(lab: RunningLab, size: int, minute: int) -> None:
    """One minute's changes by users and by traffic."""
    chosen = random.Random(minute).sample(range(size), min(size, 2 * AT_ONCE))
    gone, scaled = chosen[:AT_ONCE], chosen[AT_ONCE:]
    names = [f"steady-{n:04d}" for n in gone]
    lab.kubectl("delete", "spd", "-n", steady.NAMESPACE, "--wait=false", "--ignore-not-found", *names)
    time.sleep(5)
    documents = [steady.resource(n, "Auto", steady.WINDOW_S) for n in gone]
    for n in scaled:
        documents.append(steady.resource(n, "Auto", steady.WINDOW_S))
        documents[-1]["spec"] |= {"replicas": 2 + minute % 2}  # type: ignore[operator]  # a mapping
    lab.kubectl("apply", "--server-side", "--filename", "-", input=yaml.safe_dump_all(documents))
    lab.set_hollow(speedup=1.6 if minute % 6 < 4 else 0.7)


def fault(lab: RunningLab, minute: int) -> None:
    """Something is away for a while."""
    for every, away, stop, start in (
        (5, 40, lab.stop_prometheus, lab.start_prometheus),
        (7, 20, lab.stop_apiserver, lab.start_apiserver),
    ):
        if minute % every == every - 1:
            steady.say(f"{stop.__name__} for {away} s")
            stop()
            time.sleep(away)
            start()


def tried(what: Callable[[], None]) -> None:
    """Do it; a lab that is too busy is told and gone on with."""
    try:
        what()
    except LabError as error:
        steady.say(f"passed over: {error}"[:200])


def soak(size: int, minutes: int) -> list[Reading]:
    """Readings of each minute after the first ones."""
    found = []
    with steady.lab(size, past_s=0.0) as lab, steady.operator_of(lab, BREAKEVEN_LEADER_ELECTION="false") as operator:
        lab.kubectl("create", "namespace", steady.NAMESPACE)
        steady.apply(lab, size, "Auto", steady.WINDOW_S)
        for minute in range(minutes):
            begun = time.monotonic()
            tried(lambda m=minute: churn(lab, size, m))  # type: ignore[misc]  # bound now
            tried(lambda m=minute: fault(lab, m))  # type: ignore[misc]  # bound now
            time.sleep(max(0.0, begun + 60 - time.monotonic()))
            now = reading(operator)
            steady.say(f"minute {minute}: " + ", ".join(f"{v:.0f} {k}" for k, v in now.items()))
            if minute >= WARM_MINUTES:
                found.append(now)
    return found


def growth(found: Sequence[Reading]) -> Reading:
    """By how much each grew in an hour."""
    minutes = [float(n) for n in range(len(found))]
    return {what: 60 * linear_regression(minutes, [r[what] for r in found]).slope for what in MOST}


def main() -> None:
    """Soak, print the table, and fail when something grew."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=120)
    parser.add_argument("--resources", type=int, default=100)
    options = parser.parse_args()
    found = soak(options.resources, max(options.minutes, WARM_MINUTES + 3))
    grew = growth(found)
    print("| | least | most | last | growth an hour |\n| --- | --: | --: | --: | --: |")
    for what in MOST:
        values = [r[what] for r in found]
        print(f"| {what} | {min(values):.0f} | {max(values):.0f} | {values[-1]:.0f} | {grew[what]:+.1f} |")
    if any(grew[what] > most for what, most in MOST.items()):
        raise SystemExit("error: it grows")


if __name__ == "__main__":
    main()
