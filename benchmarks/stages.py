"""What each stage of watching costs, in one process: no cluster, no sockets, no Prometheus; made-up answers.

    .venv/bin/python benchmarks/stages.py [--resources 1000] [--cycles 12] [--noise 0.05]

Every resource has two pods, one that speculates and its control, windows of the default length, and noise in its time
per token. Figures are CPU time of this process (user and system), which a busy machine makes somewhat larger.
"""

import argparse
import asyncio
import gc
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from breakeven.adapters.clock import SystemClock
from breakeven.adapters.prometheus import answers
from breakeven.adapters.prometheus.answers import Result
from breakeven.adapters.prometheus.metrics_feed import FeedSettings, MetricsFeed
from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.api.status import Memory, State
from breakeven.api.variant import declared_variant
from breakeven.app import GARBAGE
from breakeven.control.ports import Key, MetricsQuery, MetricsReading, Pod
from breakeven.domain.counters.observation import Arm, Fleet, Observation
from breakeven.domain.counters.windows import batch_length, history
from breakeven.domain.decide import decide
from breakeven.domain.decision import Declared
from breakeven.lab.hollow.counters import HollowPod
from breakeven.lab.settings import HollowSettings

BEGIN = 1_800_000_000.0
SCRAPE_S = 15.0
Asks = Callable[[Mapping[str, Arm], datetime], bool]
LINE = re.compile(r"([\w:]+)\{(.*)\} (\S+)")
SPEC = SpeculativeDeploymentSpec.model_validate(
    {
        "replicas": 2,
        "engine": {"image": "vllm/vllm-openai:v0.33.0"},
        "target": {"model": "meta-llama/Llama-3.1-8B-Instruct"},
        "draft": {"method": "Eagle3", "model": "yuhuili/EAGLE3-LLaMA3.1-Instruct-8B", "numSpeculativeTokens": 3},
        "policy": {"holdback": {"mode": "Always"}},
    }
)
ON = declared_variant(SPEC)
OFF = ON.baseline


class Pages:
    """The samples of all pods, as Prometheus writes them: the newest few, and those at the ends of batches before."""

    def __init__(self, resources: int, noise: float, past_s: float) -> None:
        self.at = BEGIN
        self._settings = HollowSettings(scrape_noise=noise)
        self._pods = {
            f"{variant.name}-{n}": HollowPod(
                "stages", f"{variant.name}-{n}", f"model-{n}", variant.speculates, BEGIN, 1.0
            )
            for n in range(resources)
            for variant in (ON, OFF)
        }
        self._samples: dict[str, dict[str, list[str]]] = {}
        """By pod and labels."""
        self._past = {on: self._ends(on, past_s) for on in (True, False)} if past_s else {}
        for pod in self._pods.values():
            pod.at = self.at

    def _ends(self, on: bool, past_s: float) -> dict[str, list[str]]:
        """The samples at the ends of batches of one pod, by labels; those of all others are the same."""
        pod, length = HollowPod("stages", "POD", "MODEL", on, BEGIN, 1.0), batch_length(SPEC.evidence).total_seconds()
        found: dict[str, list[str]] = {}
        self.at = BEGIN
        while self.at < BEGIN + past_s:
            self.at += length
            for labels, value in self._page(pod):
                found.setdefault(labels, []).append(f'[{self.at:.3f},"{value}"]')
        return found

    def _page(self, pod: HollowPod) -> Iterator[tuple[str, str]]:
        """Labels and values of all series, now."""
        pod.advance(self.at, self._settings)
        for lines in pod.values(self._settings).values():
            for line in lines:
                found = LINE.fullmatch(line)
                assert found is not None
                yield f'"__name__":"{found[1]}",' + re.sub(r'(\w+)=(".*?")', r'"\1":\2', found[2]), found[3]

    def scrape(self) -> None:
        """One more scrape of every pod."""
        self.at += SCRAPE_S
        for name, pod in self._pods.items():
            for labels, value in self._page(pod):
                samples = self._samples.setdefault(name, {}).setdefault(labels, [])
                samples.append(f'[{self.at:.3f},"{value}"]')
                del samples[:-3]

    def query(self, text: str, *, at: float) -> Result:
        """The newest samples, or with a subquery those at the ends of batches, of the pods that are named, or all."""
        named = re.search(r'pod=~"([^"]*)"', text)
        pods = named[1].replace("\\\\", "").split("|") if named else list(self._pods)
        series: Iterator[tuple[str, list[str]]]
        if text.startswith("last_over_time"):
            series = (
                (labels.replace("POD", pod).replace("MODEL", self._pods[pod].model), samples)
                for pod in pods
                for labels, samples in self._past[self._pods[pod].speculating].items()
            )
        else:
            series = (each for pod in pods for each in self._samples[pod].items())
        rows = ",".join(f'{{"metric":{{{labels}}},"values":[{",".join(s)}]}}' for labels, s in series)
        body = f'{{"status":"success","data":{{"resultType":"matrix","result":[{rows}]}}}}'.encode()
        return answers.read(bytearray(body), at=max(at, self.at))

    def close(self) -> None:
        """Nothing is open."""


def wanted(n: int) -> MetricsQuery:
    """What resource n asks for."""
    ready = datetime.fromtimestamp(BEGIN, UTC)
    return MetricsQuery(
        url="",
        prefix=None,
        namespace_label=None,
        pod_label=None,
        pods={
            v.name: [Pod(namespace="stages", name=f"{v.name}-{n}", ready_since=ready, started_at=ready)]
            for v in (ON, OFF)
        },
        batch=batch_length(SPEC.evidence),
        history=history(SPEC.evidence),
        warmup=timedelta(0),
    )


def decided(reading: MetricsReading, now: datetime) -> Asks | None:
    """One full decision; what may ask for the next."""
    settled = datetime.fromtimestamp(BEGIN, UTC)
    fleet = {v.name: Fleet(variant=v.name, wanted=1, existing=1, ready=1, settled_since=settled) for v in (ON, OFF)}
    memory = Memory(generation=1, state=State.SPECULATING, stable=ON, holdback=True)
    observation = Observation(arms=reading.arms, fleet=fleet, outage=reading.outage)
    return decide(Declared(spec=SPEC, generation=1), memory, observation, now).asks


class Spent:
    """CPU seconds by stage, and how often it ran."""

    def __init__(self) -> None:
        self.stages: dict[str, list[float]] = {}
        self.passes: list[int] = []
        """Full passes in each cycle."""

    @contextmanager
    def on(self, stage: str) -> Iterator[None]:
        """Count what runs inside."""
        before = time.process_time()
        yield
        self.stages.setdefault(stage, []).append(time.process_time() - before)


async def measure(resources: int, cycles: int, noise: float, past_s: float) -> Spent:
    """Read the past, then run the cycles; the first two are not counted."""
    pages, spent = Pages(resources, noise, past_s), Spent()
    clock = SystemClock(lambda: pages.at, lambda: pages.at)
    feed = MetricsFeed(FeedSettings(url="http://prometheus:9090"), connect=lambda _: pages, clock=clock)
    keys = [Key("stages", f"r{n}") for n in range(resources)]
    for n, key in enumerate(keys):
        feed.watch(key, wanted(n))
    watched: list[Asks | None] = [None for _ in keys]
    if past_s:
        pages.scrape()
        before = resident_mib()
        with spent.on(f"reading {past_s / 3600:.3g} hours of past, once"):
            await feed.cycle(pages.at + 1.0)
        print(f"evidence: {resident_mib() - before:.0f} MiB more than without")
    for cycle in range(cycles + 2):
        pages.scrape()
        now = pages.at + 1.0
        moment = datetime.fromtimestamp(now, UTC)
        counted = spent if cycle >= 2 else Spent()
        with counted.on("one cycle: read, gather, keep"):
            await feed.cycle(now)
        with counted.on("reading every resource from memory"):
            readings = [feed.read(key, moment) for key in keys]
        with counted.on("screening every resource"):
            asking = [
                asks is None or asks(reading.arms, moment) for asks, reading in zip(watched, readings, strict=True)
            ]
        with counted.on("deciding on those that ask"):
            for n, reading in enumerate(readings):
                watched[n] = decided(reading, moment) if asking[n] else watched[n]
        counted.passes.append(sum(asking))
    feed.close()
    return spent


def resident_mib() -> float:
    """Resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resources", type=int, default=1000)
    parser.add_argument("--cycles", type=int, default=12)
    parser.add_argument("--noise", type=float, default=0.05)
    parser.add_argument("--past", type=float, default=4.0, help="hours")
    options = parser.parse_args()
    gc.set_threshold(*GARBAGE)
    spent = asyncio.run(measure(options.resources, options.cycles, options.noise, 3600 * options.past))
    print(f"| {options.resources:,} resources, {options.cycles} cycles | median ms | mean ms |\n| --- | --: | --: |")
    passes = sorted(spent.passes)
    for stage, seconds in spent.stages.items():
        median, mean = sorted(seconds)[len(seconds) // 2], sum(seconds) / len(seconds)
        print(f"| {stage} | {median * 1000:.0f} | {mean * 1000:.0f} |")
    print(f"\nfull passes a cycle: median {passes[len(passes) // 2]}, mean {sum(passes) / len(passes):.0f}")


if __name__ == "__main__":
    main()
