"""What watching costs: resources on hollow nodes in steady state, with hours of past, and how fast an operator starts.

    .venv/bin/python benchmarks/steady.py [--sizes 1000] [--minutes 2] [--past 4] [--window 600] [--runs 1] [-o json]

Real etcd, kube-apiserver, scheduler, controller-manager and Prometheus; the pods are hollow (marked Ready without a
process), their series are simulated by one exporter, and the smoke test of a canary is answered by the one address that
they share. From one scrape to the next a pod's time per token varies by 5 %, as traffic makes it, and the operator's
own page is scraped every 15 s, as Prometheus would. Every resource has two replicas and speculates with a live control,
so every one is judged all the time, in windows of the default length that end at different moments. The pods pretend to
be four hours old, and Prometheus is given their past first, in one sample a minute: a start reads all of it, and memory
is that at full evidence. API requests are counted from the API server's audit log, Prometheus queries from Prometheus's
own counter (divided by the operator's count of its cycles), CPU (user and system) and memory from /proc. The operator
runs under its own service account with the rights it ships with. With several runs, each a new process in the same lab,
every figure is their median.

CPU seconds depend on what else the machine does, because two hardware threads share a core. So the table says the load,
and how long a fixed loop took beside it.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import median

import yaml

from breakeven.demo.operator import OPERATOR_ACCOUNT, Operator, install
from breakeven.lab.handle import RunningLab
from breakeven.lab.settings import H200, HollowSettings, LabSettings, NodeSettings

NAMESPACE = "steady"
SCRAPE_S = 15.0
NOISE = 0.05
"""Relative standard deviation of a pod's time per token from one scrape to the next."""
WINDOW_S = 600.0
"""The default."""
PAST_H = 4.0
LEASE_S = 6.0
"""The default."""
QUIET_S = 45.0
"""Seconds without a write after which the state is steady."""
LOOP = 1_000_000
"""Turns of the loop that tells how fast the machine is at the moment."""
Status = Mapping[str, object]
QUERIES = 'sum(prometheus_http_requests_total{handler=~"/api/v1/query(_range)?"})'


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table."""

    resources: int
    reads_per_resource_minute: float
    writes_per_resource_minute: float
    lease_writes_per_minute: float
    prometheus_queries_per_cycle: float
    cpu_seconds_per_minute: float
    resident_mib: float
    start_up_s: float
    """From `kill -9` until every resource was looked at with its metrics; the Lease runs out in it."""
    start_up_cpu_s: float
    """CPU time of that."""
    load: float
    """Processes that ran or waited, over a minute."""
    loop_ms: float
    """CPU time of a fixed loop at the end."""


def resource(index: int, mode: str, window_s: float) -> dict[str, object]:
    """One resource; two replicas, so that one speculates and one is the control.

    It begins with mode AlwaysOn, which spares it the trial, and is set to Auto before anything is measured.
    """
    return {
        "apiVersion": "breakeven.dev/v1alpha1",
        "kind": "SpeculativeDeployment",
        "metadata": {"name": f"steady-{index:04d}", "namespace": NAMESPACE},
        "spec": {
            "replicas": 2,
            "engine": {"image": "vllm/vllm-openai:v0.33.0"},
            # Another name in each: what resources have in common is kept once, and real ones differ.
            "target": {"model": "meta-llama/Llama-3.1-8B-Instruct", "servedName": f"model-{index:04d}"},
            "draft": {"method": "Eagle3", "model": "yuhuili/EAGLE3-LLaMA3.1-Instruct-8B", "numSpeculativeTokens": 3},
            "evidence": {"window": f"{window_s:.0f}s", "warmup": "15s", "promoteWindows": 1, "minRequests": 1},
            "policy": {"mode": mode, "holdback": {"mode": "Always"}, "maxTransitionsPerDay": 100},
        },
    }


def measure(size: int, options: argparse.Namespace) -> Row:
    """Bring up a lab with so many resources, wait until they are steady, and count."""
    with lab(size, past_s=3600 * options.past) as running, operator_of(running) as operator:
        bring_up(running, operator, size, options.window)
        return median_of([run(running, operator, size, options.minutes) for _ in range(options.runs)])


def lab(size: int, *, past_s: float) -> RunningLab:
    """A lab with room for so many resources, whose pods pretend to be so old."""
    nodes = NodeSettings(
        name="hollow", product=H200, gpus=250, pods=250, count=max(1, size * 2 // 200 + 1), hollow=True
    )
    settings = LabSettings(
        name=f"steady-{size}",
        nodes=(nodes,),
        audit=True,
        scrape_hollow_interval_seconds=SCRAPE_S,
        hollow=HollowSettings(scrape_noise=NOISE, past_seconds=past_s),
    )
    return RunningLab.start(settings, progress=say)


def operator_of(lab: RunningLab, **settings: str) -> Operator:
    """An operator with the settings that are measured, installed and not started."""
    install(lab)
    return Operator(lab, interval_s=SCRAPE_S, lease_s=LEASE_S, settings=settings)


def bring_up(lab: RunningLab, operator: Operator, size: int, window_s: float) -> None:
    """Have all of them speculate, and their past in Prometheus; the operator is stopped then."""
    lab.kubectl("create", "namespace", NAMESPACE)
    apply(lab, size, "AlwaysOn", window_s)

    def speculates(status: Status) -> bool:
        return status.get("state") == "Speculating" and status.get("readyReplicas") == 2

    wait_until(lab, operator, size, "speculate", speculates)
    operator.stop()
    apply(lab, size, "Auto", window_s)
    replay(lab, size)


def run(lab: RunningLab, operator: Operator, size: int, minutes: float) -> Row:
    """Start the operator anew after `kill -9`, and measure it."""
    if operator.pid is None:  # the first: what the new mode and the past have to say once is not the steady state
        operator.start()
        wait_until(lab, operator, size, "are judged", lambda s: s.get("observedGeneration") == 2)
        wait_for_quiet(lab)
    operator.kill()
    started = time.monotonic()
    operator.start()
    start_up = wait_for_start(lab, operator, size, started)
    start_up_cpu = cpu_seconds(pid_of(operator))
    say(f"started in {start_up:.1f} s with {start_up_cpu:.1f} s of CPU")
    wait_for_quiet(lab)
    return count(lab, operator, size, minutes, (start_up, start_up_cpu))


def replay(lab: RunningLab, size: int) -> None:
    """Give Prometheus the past, and return when it has the present."""
    lab.set_hollow(replay=True)

    def shown() -> bool:
        found = lab.query("count(vllm:generation_tokens_total)")
        there = int(found[0]["value"][1]) if found else 0
        say(f"{there} of {2 * size} pods have shown their past")
        return there == 2 * size

    lab.wait_for("the past of every pod", shown, timeout=1800, every=10)


def wait_for_quiet(lab: RunningLab) -> None:
    """Until nothing but the Lease was written for a while."""
    offset, since = lab.audit_log.stat().st_size, time.monotonic()
    while time.monotonic() - since < QUIET_S:
        time.sleep(5)
        end = lab.audit_log.stat().st_size
        writes = audited(lab.audit_log, offset)[1]
        offset = end
        if writes:
            say(f"{writes} writes")
            since = time.monotonic()


def median_of(rows: Sequence[Row]) -> Row:
    """The median of each figure."""
    return Row(**{f.name: median(getattr(row, f.name) for row in rows) for f in fields(Row)})


def apply(lab: RunningLab, size: int, mode: str, window_s: float) -> None:
    """kubectl apply of all of them."""
    say(f"applying {size} resources with mode {mode}")
    for first in range(0, size, 100):
        documents = [resource(i, mode, window_s) for i in range(first, min(size, first + 100))]
        lab.kubectl("apply", "--server-side", "--filename", "-", input=yaml.safe_dump_all(documents), timeout=300)


def statuses(lab: RunningLab) -> list[Status]:
    """Status of each resource."""
    listed = json.loads(lab.kubectl("get", "spd", "-n", NAMESPACE, "-o", "json", timeout=120).stdout)
    return [item.get("status") or {} for item in listed["items"]]


def wait_until(lab: RunningLab, operator: Operator, size: int, what: str, reached: Callable[[Status], bool]) -> None:
    """Until the status of every resource is so."""

    def all_of_them() -> bool:
        if operator.pid is None:
            say("the operator ended, as it must without its Lease; started again, as its Deployment would")
            operator.start()
        done = sum(map(reached, statuses(lab)))
        say(f"{done} of {size} {what}")
        return done == size

    lab.wait_for(f"every resource to {what}", all_of_them, timeout=1800, every=10)


def wait_for_start(lab: RunningLab, operator: Operator, size: int, started: float) -> float:
    """Seconds until the new process reports a state for every resource on its own metric page."""
    lab.wait_for(
        "the first pass over every resource",
        lambda: len(operator.series("breakeven_speculation_active")) >= size,
        timeout=600,
        every=0.25 if size <= 100 else 2.0,  # the page of a thousand resources is 40,000 lines
    )
    return time.monotonic() - started


def pid_of(operator: Operator) -> int:
    """Its process. Raises SystemExit when it has ended."""
    if operator.pid is None:
        raise SystemExit("error: the operator has ended; its log is in the lab's folder")
    return operator.pid


def count(lab: RunningLab, operator: Operator, size: int, minutes: float, start: tuple[float, float]) -> Row:
    """Differences over the minutes."""
    pid = pid_of(operator)
    audit_at = lab.audit_log.stat().st_size
    cycles, queries = operator.series("breakeven_prometheus_cycles_total")[0], queries_so_far(lab)
    cpu, began = cpu_seconds(pid), time.time()
    say(f"measuring {minutes:g} minutes")
    while (left := began + minutes * 60 - time.time()) > 0:
        operator.series("breakeven_resources")  # the whole page, as Prometheus would scrape it
        time.sleep(min(SCRAPE_S, left))
    passed, cpu = (time.time() - began) / 60, cpu_seconds(pid) - cpu
    cycles = operator.series("breakeven_prometheus_cycles_total")[0] - cycles
    # The benchmark's own first reading is one of the queries between the two.
    queries = queries_so_far(lab) - queries - 1
    reads, writes, leases = audited(lab.audit_log, audit_at)
    return Row(
        resources=size,
        reads_per_resource_minute=reads / size / passed,
        writes_per_resource_minute=writes / size / passed,
        lease_writes_per_minute=leases / passed,
        prometheus_queries_per_cycle=queries / cycles,
        cpu_seconds_per_minute=cpu / passed,
        resident_mib=resident_mib(pid),
        start_up_s=start[0],
        start_up_cpu_s=start[1],
        load=os.getloadavg()[0],
        loop_ms=loop_ms(),
    )


def loop_ms() -> float:
    """CPU milliseconds of a loop that does nothing: some 25 on a core of its own."""
    begun = time.process_time()
    for _ in range(LOOP):
        pass
    return 1000 * (time.process_time() - begun)


def queries_so_far(lab: RunningLab) -> float:
    """Prometheus's own count of queries."""
    time.sleep(2)  # its count is itself scraped once a second
    return float(lab.query(QUERIES)[0]["value"][1])


def audited(log: Path, offset: int, user: str = OPERATOR_ACCOUNT) -> tuple[int, int, int]:
    """Reads, writes and Lease writes of a user since an offset in the audit log; watches are not reads."""
    reads = writes = leases = 0
    with log.open("rb") as lines:
        lines.seek(offset)
        for line in lines:
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if event.get("user", {}).get("username") != user or event.get("stage") != "ResponseComplete":
                continue
            kind, verb = event.get("objectRef", {}).get("resource"), event["verb"]
            if kind == "leases":
                leases += verb not in ("get", "list", "watch")
            elif verb in ("get", "list"):
                reads += 1
            elif verb != "watch":
                writes += 1
    return reads, writes, leases


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid: int) -> float:
    """Resident memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def say(line: str) -> None:
    """Progress, on standard error."""
    print(f"steady: {line}", file=sys.stderr, flush=True)


def table(rows: Sequence[Row]) -> str:
    """Markdown."""
    head = (
        "| resources | API reads / res-min | API writes / res-min | Lease writes / min | Prometheus queries / cycle "
        "| CPU s/min | RSS MiB | start-up, last resource s | its CPU s | load | loop ms |\n" + "| --: " * 11 + "|\n"
    )
    return head + "\n".join(
        f"| {r.resources:,} | {r.reads_per_resource_minute:.3f} | {r.writes_per_resource_minute:.3f} "
        f"| {r.lease_writes_per_minute:.1f} | {r.prometheus_queries_per_cycle:.2f} | {r.cpu_seconds_per_minute:.2f} "
        f"| {r.resident_mib:.0f} | {r.start_up_s:.1f} | {r.start_up_cpu_s:.1f} | {r.load:.1f} | {r.loop_ms:.0f} |"
        for r in rows
    )


def main() -> None:
    """Run the sizes and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1000", help="resources, comma-separated")
    parser.add_argument("--minutes", type=float, default=2.0, help="length of each measurement")
    parser.add_argument("--past", type=float, default=PAST_H, help="hours that the pods pretend to have run")
    parser.add_argument("--window", type=float, default=WINDOW_S, help="seconds of a window")
    parser.add_argument("--runs", type=int, default=1, help="starts of the operator, whose median is told")
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    options = parser.parse_args()
    rows = [measure(int(size), options) for size in options.sizes.split(",")]
    print(json.dumps([asdict(r) for r in rows], indent=2) if options.output == "json" else table(rows))


if __name__ == "__main__":
    main()
