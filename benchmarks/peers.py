"""What Breakeven and Argo Rollouts cost beside each other: same pods, Prometheus, API server and interval, in one run.

    .venv/bin/python benchmarks/peers.py [--sizes 100,1000] [--minutes 2]

The lab of `steady.py`. First Breakeven is measured as there, with hours of past. Then it is stopped, and the controller
of Argo Rollouts, built from its Go module with default flags but for its API limits (`--qps 400 --burst 800`: with its
defaults it falls behind above some 600), watches one AnalysisRun for each of the same resources: one number from the
same Prometheus every 15 s, the ratio of both arms' times per token, without end. That is less than what Breakeven does
with the same pods (bounds, causes, value), so this tells what watching costs, not who is better. Argo Rollouts runs
with all rights, and without leader election. The first minute of either is left out.
"""

import argparse
import json
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

import steady
from breakeven.lab.handle import RunningLab
from breakeven.lab.process import end_with_parent
from breakeven.lab.tools.find import cache_directory

MODULE, VERSION = "github.com/argoproj/argo-rollouts", "v1.10.1"
SUM = "h1:6oyVPGiHHxu3ixkT6mngemh88HLPDoTX1IwO6KNR1Y4="
"""What the Go checksum database says of it."""
ACCOUNT = "lab-admin"
"""Whose kubeconfig the controller gets: nobody else uses it while it is measured."""
SETTLE_S = 60.0
RATIO = (
    "sum(rate(vllm:inter_token_latency_seconds_sum{{model_name='{name}'}}[10m]))"
    " / sum(rate(vllm:inter_token_latency_seconds_count{{model_name='{name}'}}[10m]))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One controller with so many resources."""

    controller: str
    resources: int
    cpu_seconds_per_minute: float
    resident_mib: float
    reads_per_resource_minute: float
    writes_per_resource_minute: float
    queries_per_resource_minute: float


def controller() -> tuple[Path, Path]:
    """Its binary and its definitions, built once into the per-user cache. Raises SystemExit."""
    folder = cache_directory() / f"argo-rollouts-{VERSION}"
    binary, source = folder / "rollouts-controller", folder / "source"
    if not binary.exists():
        steady.say(f"building Argo Rollouts {VERSION} (some minutes, once)")
        answer = subprocess.run(
            ["go", "mod", "download", "-json", f"{MODULE}@{VERSION}"], capture_output=True, text=True, check=False
        )
        found = json.loads(answer.stdout or "{}")
        if found.get("Sum") != SUM:
            raise SystemExit(f"error: {MODULE}@{VERSION}: {found.get('Error') or answer.stderr or 'another checksum'}")
        shutil.rmtree(source, ignore_errors=True)
        shutil.copytree(found["Dir"], source, copy_function=shutil.copyfile)
        for path in (source, *source.rglob("*")):
            path.chmod(0o700 if path.is_dir() else 0o600)
        (source / "server" / "static").mkdir(exist_ok=True)
        (source / "server" / "static" / "index.html").touch()  # its dashboard, which a release builds with npm
        command = ["go", "build", "-trimpath", "-o", str(binary), "./cmd/rollouts-controller"]
        subprocess.run(command, cwd=source, check=True)
    return binary, source / "manifests" / "crds"


def analysis(index: int, prometheus: str) -> dict[str, object]:
    """An AnalysisRun that asks every 15 s and never ends."""
    query = RATIO.format(name=f"model-{index:04d}")
    metric = {
        "name": "ratio",
        "interval": f"{steady.SCRAPE_S:.0f}s",
        "successCondition": "len(result) == 0 || result[0] < 1000",
        "provider": {"prometheus": {"address": prometheus, "query": query}},
    }
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisRun",
        "metadata": {"name": f"steady-{index:04d}", "namespace": steady.NAMESPACE},
        "spec": {"metrics": [metric]},
    }


def argo(lab: RunningLab, size: int, minutes: float) -> Row:
    """Run it on this lab and count."""
    binary, definitions = controller()
    lab.kubectl("apply", "--server-side", "-f", str(definitions), check=False)  # its kustomization.yaml is no object
    for first in range(0, size, 100):
        documents = [analysis(n, lab.prometheus_url) for n in range(first, min(size, first + 100))]
        lab.kubectl("apply", "--server-side", "-f", "-", input=yaml.safe_dump_all(documents), timeout=300)
    command = [str(binary), "--kubeconfig", str(lab.kubeconfig), "--leader-elect=false", "--loglevel=warn"]
    with (lab.directory / "logs" / "argo.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--qps", "400", "--burst", "800"], stdout=log, stderr=log, preexec_fn=end_with_parent()
        )
    try:
        lab.wait_for("every AnalysisRun to be judged", lambda: judged(lab) >= size, timeout=600, every=5)
        time.sleep(SETTLE_S)
        return count(lab, process.pid, size, minutes)
    finally:
        process.kill()
        process.wait()


def judged(lab: RunningLab) -> int:
    """How many AnalysisRuns have a measurement."""
    listed = json.loads(lab.kubectl("get", "analysisruns", "-n", steady.NAMESPACE, "-o", "json", timeout=120).stdout)
    return sum(bool((item.get("status") or {}).get("metricResults")) for item in listed["items"])


def count(lab: RunningLab, pid: int, size: int, minutes: float) -> Row:
    """Differences over the minutes."""
    offset, queries = lab.audit_log.stat().st_size, steady.queries_so_far(lab)
    cpu, began = steady.cpu_seconds(pid), time.monotonic()
    time.sleep(60 * minutes)
    passed, cpu = (time.monotonic() - began) / 60, steady.cpu_seconds(pid) - cpu
    queries = steady.queries_so_far(lab) - queries - 1
    reads, writes, _leases = steady.audited(lab.audit_log, offset, user=ACCOUNT)
    return Row(
        controller=f"Argo Rollouts {VERSION}",
        resources=size,
        cpu_seconds_per_minute=cpu / passed,
        resident_mib=steady.resident_mib(pid),
        reads_per_resource_minute=reads / size / passed,
        writes_per_resource_minute=writes / size / passed,
        queries_per_resource_minute=queries / size / passed,
    )


def measure(size: int, options: argparse.Namespace) -> list[Row]:
    """Both in one lab, one after the other."""
    controller()
    with steady.lab(size, past_s=3600 * options.past) as lab:
        with steady.operator_of(lab) as operator:
            steady.bring_up(lab, operator, size, steady.WINDOW_S)
            ours = steady.run(lab, operator, size, options.minutes)
        cycles = 60 / steady.SCRAPE_S
        return [
            Row(
                controller="Breakeven",
                resources=size,
                cpu_seconds_per_minute=ours.cpu_seconds_per_minute,
                resident_mib=ours.resident_mib,
                reads_per_resource_minute=ours.reads_per_resource_minute,
                writes_per_resource_minute=ours.writes_per_resource_minute,
                queries_per_resource_minute=ours.prometheus_queries_per_cycle * cycles / size,
            ),
            argo(lab, size, options.minutes),
        ]


def table(rows: Sequence[Row]) -> str:
    """Markdown."""
    head = (
        "| controller | resources | CPU s/min | RSS MiB | API reads / res-min | API writes / res-min "
        "| Prometheus queries / res-min |\n| --- |" + " --: |" * 6 + "\n"
    )
    return head + "\n".join(
        f"| {r.controller} | {r.resources:,} | {r.cpu_seconds_per_minute:.2f} | {r.resident_mib:.0f} "
        f"| {r.reads_per_resource_minute:.3f} | {r.writes_per_resource_minute:.3f} "
        f"| {r.queries_per_resource_minute:.3f} |"
        for r in rows
    )


def main() -> None:
    """Run the sizes and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="100,1000", help="resources, comma-separated")
    parser.add_argument("--minutes", type=float, default=2.0, help="length of each measurement")
    parser.add_argument("--past", type=float, default=steady.PAST_H, help="hours that the pods pretend to have run")
    options = parser.parse_args()
    print(table([row for size in options.sizes.split(",") for row in measure(int(size), options)]))


if __name__ == "__main__":
    main()
