"""What each stage of watching costs, in one process: no cluster, no sockets, no Prometheus; made-up answers.

    .venv/bin/python benchmarks/stages.py [--resources 1000] [--cycles 12] [--noise 0.05]

Every resource has two pods, one that speculates and its control, windows of the default length, and noise in its time
per token. Figures are CPU time of this process (user and system), which a busy machine makes somewhat larger.
"""

import argparse
import asyncio
import gc
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

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
    """The newest samples of all pods, as Prometheus writes them."""

    def __init__(self, resources: int, noise: float) -> None:
        self.at = BEGIN
        self._random = random.Random(1)
        self._noise = noise
        self._pods = [
            HollowPod("stages", f"{variant.name}-{n}", f"model-{n}", variant.speculates, BEGIN, 1.0)
            for n in range(resources)
            for variant in (ON, OFF)
        ]
        self._samples: dict[str, list[str]] = {}
        self._body = b""

    def scrape(self) -> None:
        """One more scrape of every pod."""
        self.at += SCRAPE_S
        settings, lines = HollowSettings(), []
        for pod in self._pods:
            pod.pace = max(0.1, self._random.gauss(1.0, self._noise))
            pod.advance(self.at, settings)
            for family in pod.values(settings).values():
                lines += family
        for line in lines:
            found = LINE.fullmatch(line)
            assert found is not None
            labels = f'"__name__":"{found[1]}",' + re.sub(r'(\w+)=(".*?")', r'"\1":\2', found[2])
            self._samples.setdefault(labels, []).append(f'[{self.at:.3f},"{found[3]}"]')
            del self._samples[labels][:-3]
        rows = (f'{{"metric":{{{labels}}},"values":[{",".join(s)}]}}' for labels, s in self._samples.items())
        self._body = f'{{"status":"success","data":{{"resultType":"matrix","result":[{",".join(rows)}]}}}}'.encode()

    def query(self, text: str, *, at: float) -> Result:
        """Everything, whatever is asked; nothing is older than the first scrape."""
        del text
        return answers.read(bytearray(self._body), at=at) if at >= self.at else []

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


async def measure(resources: int, cycles: int, noise: float) -> Spent:
    """Run the cycles; the first two are not counted."""
    pages, spent = Pages(resources, noise), Spent()
    feed = MetricsFeed(FeedSettings(url="http://prometheus:9090"), connect=lambda _: pages)
    keys = [Key("stages", f"r{n}") for n in range(resources)]
    for n, key in enumerate(keys):
        feed.watch(key, wanted(n))
    watched: list[Asks | None] = [None for _ in keys]
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


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resources", type=int, default=1000)
    parser.add_argument("--cycles", type=int, default=12)
    parser.add_argument("--noise", type=float, default=0.05)
    options = parser.parse_args()
    gc.set_threshold(*GARBAGE)
    spent = asyncio.run(measure(options.resources, options.cycles, options.noise))
    print(f"| {options.resources:,} resources, {options.cycles} cycles | median ms | mean ms |\n| --- | --: | --: |")
    passes = sorted(spent.passes)
    for stage, seconds in spent.stages.items():
        median, mean = sorted(seconds)[len(seconds) // 2], sum(seconds) / len(seconds)
        print(f"| {stage} | {median * 1000:.0f} | {mean * 1000:.0f} |")
    print(f"\nfull passes a cycle: median {passes[len(passes) // 2]}, mean {sum(passes) / len(passes):.0f}")


if __name__ == "__main__":
    main()
