"""The product, switched by its operator under load: the rendered warm pod on one GPU, on a real control plane.

    .venv/bin/python benchmarks/governed.py                  # simulated engine: the mechanism, not its seconds
    .venv/bin/python benchmarks/governed.py --device cuda    # the `vllm` on PATH, on one GPU of this machine

The lab, the operator under its own service account, one replica of the resource of `make demo ENGINE=vllm DEVICE=cuda`,
and streaming clients through its Service all the time. First nobody but the operator decides: it tries the draft, and
switches it off when the traffic turns to temperature 1; what does not come within the time given is said and passed
over. Then `spec.policy.mode` is patched to and fro. Told: from the patch, and from the order, to the first token of the
other variant; requests that failed; the clients' own time per token in the minutes of each variant, beside the
operator's S; host memory, and GPU memory in use when an engine fell asleep.
"""

import argparse
import asyncio
import contextlib
import json
import statistics
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import yaml

from breakeven.demo.operator import Operator, install
from breakeven.demo.stage import HERE, Stage, cuda_stage, simulated_stage
from breakeven.lab.handle import RunningLab
from breakeven.lab.realengine.cuda import find_cuda_engine
from breakeven.lab.settings import LabSettings, NodeSettings
from switching import GIB, answer, say, spread

NAMESPACE, NAME = "inference", "llama-8b"
LOOK_S = 0.25
"""Between two looks at the replica's page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a client saw of one request. Unix seconds."""

    first: float
    end: float
    tokens: int
    temperature: float


@dataclass(slots=True)
class Seen:
    """Everything that is told in the end."""

    requests: list[Request] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    temperature: float = 0.0
    orders: list[dict[str, Any]] = field(default_factory=list)
    patched: dict[str, float] = field(default_factory=dict)
    """When the mode was patched, by the id of the order that came of it."""
    page: dict[str, Any] = field(default_factory=dict)
    speedups: dict[str, str] = field(default_factory=dict)
    """The operator's figures when it promoted and when it switched off."""


def stage_of(device: str) -> Stage:
    """One GPU, both variants on it."""
    if device == "cuda":
        return cuda_stage(find_cuda_engine(say, cards=1))
    base = simulated_stage()
    resource = yaml.safe_load((HERE / "cuda.yaml").read_text())
    resource["spec"] |= {"replicas": 1}
    resource["spec"]["engine"]["image"] = "vllm/vllm-openai:v0.26.0"
    resource["spec"]["hardware"] |= {"accelerators": ["H200"]}
    resource["spec"]["policy"] |= {"switching": {"mode": "Warm"}, "holdback": {"mode": "Auto"}}
    nodes = (NodeSettings(name="h200", product=base.lab.nodes[0].product, gpus=1),)
    return Stage(
        title=base.title,
        provenance="simulated engine: its seconds are set, not measured",
        resource=resource,
        lab=LabSettings(name="governed", nodes=nodes),
        predictable=base.predictable,
        creative=base.creative,
        ready_s=base.ready_s,
        verdict_s=300,
        comes_back=True,
    )


class Governed:
    """The lab with a warm replica under load."""

    def __init__(self, lab: RunningLab, seen: Seen, session: aiohttp.ClientSession) -> None:
        self.lab, self.seen, self.session = lab, seen, session

    async def kubectl(self, *arguments: str) -> str:
        """Without holding the clients up."""
        return (await asyncio.to_thread(self.lab.kubectl, *arguments)).stdout

    async def status(self) -> dict[str, Any]:
        """Of the resource."""
        found = json.loads(await self.kubectl("get", "spd", NAME, "-n", NAMESPACE, "-o", "json"))
        status: dict[str, Any] = found.get("status") or {}
        return status

    async def until(self, what: str, seconds: float, *states: str) -> dict[str, Any]:
        """Wait for a state, so long and no longer."""
        began, said = time.monotonic(), ""
        while time.monotonic() - began < seconds:
            status = await self.status()
            if (message := str(status.get("message"))) != said:
                said = message
                say(f"{status.get('state')}: {message}")
            if status.get("state") in states:
                say(f"{what} after {time.monotonic() - began:.0f} s")
                return status
            await asyncio.sleep(1)
        say(f"not within {seconds:g} s: {what}; {json.dumps(status)[:3000]}")
        return status

    async def until_resident(self, seconds: float) -> None:
        """Both engines loaded, one awake."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            held = {c["type"]: c for c in (await self.status()).get("conditions", [])}.get("WarmSwitching", {})
            if held.get("status") == "True":
                say(f"both engines are resident after {time.monotonic() - began:.0f} s")
                return
            await asyncio.sleep(1)
        raise SystemExit(f"not resident within {seconds:g} s: {held.get('message')}")

    async def watch(self, address: str) -> None:
        """Take down each order that the replica carried out."""
        while True:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with self.session.get(f"http://{address}:8001/state") as response:
                    self.seen.page = await response.json()
                last = self.seen.page.get("last")
                if last and last["to"] and last["id"] not in [o["id"] for o in self.seen.orders]:
                    self.seen.orders.append(last)
                    say(f"order {len(self.seen.orders)}: {json.dumps(last)}")
            await asyncio.sleep(LOOK_S)

    async def client(self, url: str, number: int) -> None:
        """One stream after the other."""
        turn = 0
        while True:
            turn += 1
            prompt = " ".join(f"t{1000 + (number * 7919 + turn * 31 + i) % 20000}" for i in range(100))
            began, temperature = time.time(), self.seen.temperature
            try:
                first, total, tokens, _ = await answer(
                    self.session, url, NAME_SERVED, tokens=120, prompt=prompt, temperature=temperature
                )
            except (aiohttp.ClientError, ValueError, TimeoutError) as error:
                self.seen.failed.append(repr(error)[:200])
                await asyncio.sleep(0.2)
            else:
                self.seen.requests.append(
                    Request(first=began + first, end=began + total, tokens=tokens, temperature=temperature)
                )

    async def toggle(self, times: int, stay: float) -> None:
        """Patch the mode, so that the other variant serves, so many times."""
        for number in range(times):
            before, patched = len(self.seen.orders), time.time()
            mode = "AlwaysOff" if number % 2 else "AlwaysOn"
            patch = {"spec": {"policy": {"mode": mode, "holdback": {"mode": "Never"}}}}
            await self.kubectl("patch", "spd", NAME, "-n", NAMESPACE, "--type=merge", "-p", json.dumps(patch))
            for _ in range(int(30 / LOOK_S)):
                if len(self.seen.orders) > before:
                    self.seen.patched[self.seen.orders[-1]["id"]] = patched
                    break
                await asyncio.sleep(LOOK_S)
            else:
                say("the variant that is wanted was awake already")
            await asyncio.sleep(stay)


NAME_SERVED = yaml.safe_load((HERE / "cuda.yaml").read_text())["spec"]["target"]["model"]


async def govern(lab: RunningLab, args: argparse.Namespace) -> Seen:
    """The run."""
    seen = Seen()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=300)) as session:
        governed = Governed(lab, seen, session)
        await governed.until_resident(900)
        pods = json.loads(await governed.kubectl("get", "pods", "-n", NAMESPACE, "-o", "json"))["items"]
        url = lab.service_url(NAMESPACE, NAME)
        async with background(
            governed.watch(pods[0]["status"]["podIP"]), *(governed.client(url, n) for n in range(args.clients))
        ):
            status = await governed.until("promoted", args.patience, "Speculating")
            seen.speedups["promoted at"] = status.get("figures", "")
            await asyncio.sleep(args.stay)
            seen.temperature = 1.0
            status = await governed.until("switched off", args.patience, "Cooldown", "Baseline")
            seen.speedups["after the traffic turned"] = str(status.get("message"))
            seen.temperature = 0.0
            await governed.toggle(args.toggles, args.stay)
        say(await governed.kubectl("get", "spd", "-n", NAMESPACE, "-o", "wide"))
    return seen


@contextlib.asynccontextmanager
async def background(*works: Any) -> AsyncIterator[None]:
    """Tasks that are cancelled at the end."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def first_token_after(seen: Seen, order: Mapping[str, Any]) -> float | None:
    """When the first token of the other variant reached a client: the first after the former one fell asleep."""
    began = order["at"] - order["seconds"]
    asleep = began + sum(order["phases"].get(name, 0.0) for name in ("drain", "sleep"))
    return min((r.first for r in seen.requests if r.first > asleep), default=None)


def by_variant(seen: Seen) -> dict[str, list[Request]]:
    """Requests at temperature 0 by the variant that served all of their tokens."""
    found: dict[str, list[Request]] = {}
    ends = [*seen.orders[1:], {"at": time.time(), "seconds": 0.0}]
    for order, following in zip(seen.orders, ends, strict=True):
        until = following["at"] - following["seconds"]
        found.setdefault(order["to"], []).extend(
            r for r in seen.requests if not r.temperature and r.first > order["at"] and r.end < until
        )
    return found


def report(stage: Stage, seen: Seen) -> None:
    """Print it."""
    orders = [o for o in seen.orders if not o["error"]]
    asked = len(seen.requests) + len(seen.failed)
    print(
        f"\n{stage.provenance}: {len(orders)} switches by the operator, {len(seen.failed)} of {asked} requests failed"
    )
    for error in seen.failed[:3]:
        print(f"  failed: {error}")
    firsts = {o["id"]: at for o in orders if (at := first_token_after(seen, o)) is not None}
    from_order = [firsts[o["id"]] - o["at"] + o["seconds"] for o in orders if o["id"] in firsts]
    from_patch = [firsts[which] - at for which, at in seen.patched.items() if which in firsts]
    print(f"  order → first token of the other variant: {spread(from_order)} s")
    print(f"  kubectl patch → first token of the other variant: {spread(from_patch)} s")
    for name in ("drain", "sleep", "wake"):
        print(f"    {name}: {spread([o['phases'].get(name, 0.0) for o in orders])} s")
    page = seen.page
    left, host = ((page.get(name) or 0) / GIB for name in ("leftBehindBytes", "hostMemoryBytes"))
    print(f"  in use on the GPU when the last one fell asleep {left:.2f} GiB; host memory {host:.1f} GiB")
    for when, words in seen.speedups.items():
        print(f"  {when}: {words}")
    for variant, requests in by_variant(seen).items():
        tokens = sum(r.tokens - 1 for r in requests)
        if tokens:
            mean = 1000 * sum(r.end - r.first for r in requests) / tokens
            middle = statistics.median(1000 * (r.end - r.first) / (r.tokens - 1) for r in requests)
            print(
                f"  {variant}: {len(requests)} requests, mean {mean:.2f} ms a token by the clients, median {middle:.2f}"
            )


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("simulated", "cuda"), default="simulated")
    parser.add_argument("--toggles", type=int, default=20, help="Patches of the mode at the end.")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--stay", type=float, default=5.0, help="Seconds between two patches.")
    parser.add_argument("--patience", type=float, default=240.0, help="Seconds that a decision may take.")
    args = parser.parse_args()
    stage = stage_of(args.device)
    with RunningLab.start(stage.lab, progress=say) as lab:
        install(lab)
        lab.kubectl("create", "namespace", NAMESPACE)
        with Operator(lab, lease_s=6):
            lab.kubectl("apply", "--server-side", "--filename", "-", input=yaml.safe_dump(stage.resource))
            seen = asyncio.run(govern(lab, args))
        report(stage, seen)


if __name__ == "__main__":
    main()
