"""Decision → first served token of the other variant: Warm against Reload, on one GPU, under load, in one run.

    .venv/bin/python benchmarks/switching.py                        # simulated engine: the mechanism, not its seconds
    .venv/bin/python benchmarks/switching.py --device cuda          # the `vllm` on PATH, on one GPU of this machine

Both arms run what the operator renders for the resource of `make demo ENGINE=vllm DEVICE=cuda`. Warm: the supervisor,
HAProxy and both engines; each switch is ordered on the supervisor's port while clients stream through the proxy, and
its time ends with the first token of a request sent once the order is answered. Reload: the engine ends, the other
starts, and the time ends with its first token; no switch of Kubernetes is in it.

Printed: both times, requests that failed meanwhile (0 wanted), what a sleeping engine keeps of the GPU, host memory,
acceptance and time per token after each waking, S by alternation, and how far the log-probabilities of one greedy
prompt move from waking to waking.
"""

import argparse
import asyncio
import contextlib
import hashlib
import json
import os
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.api.variant import declared_variant
from breakeven.demo.stage import HERE, cuda_stage
from breakeven.lab.engine.image import image_environment
from breakeven.lab.process import end_with_parent
from breakeven.lab.realengine.cuda import find_cuda_engine
from breakeven.lab.tools.debian import HAPROXY, take
from breakeven.render.names import Owner
from breakeven.render.warm import WarmSettings, warm_objects

TOKEN = "benchmark"
PROGRAM = Path(__file__).parents[1] / "operator" / "breakeven" / "warm"
URL, PORT = "http://127.0.0.1:8000", "http://127.0.0.1:8001"
PROMPT = " ".join(f"t{100 + i}" for i in range(64))
"""Made of words that the tokenizer of the models on the spot has."""
ANSWER_TOKENS = 64
GIB = 2**30


@dataclass(slots=True)
class Counts:
    """What clients saw."""

    whole: int = 0
    failed: list[str] = field(default_factory=list)
    per_token: list[float] = field(default_factory=list)
    """Seconds, of answers since the last switch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is run."""

    slots: Mapping[str, Any]
    environment: Mapping[str, str]
    said: str

    @property
    def model(self) -> str:
        """Served name."""
        return str(self.slots["model"])


def setting(device: str, folder: Path) -> Setting:
    """Rendered slots and the environment that stands in for the image."""
    if device == "cuda":
        engine = find_cuda_engine(say, cards=1)
        resource, gpu, said = (
            cuda_stage(engine).resource,
            engine.cards[0].memory_mib << 20,
            cuda_stage(engine).provenance,
        )
        home = {"HOME": engine.home, "HF_HOME": engine.home / "huggingface", "VLLM_CACHE_ROOT": engine.home / "vllm"}
        quiet = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
        environment = {**os.environ, **{k: str(v) for k, v in home.items()}, **quiet}
        environment["CUDA_VISIBLE_DEVICES"] = engine.cards[0].device
    else:
        resource, gpu = yaml.safe_load((HERE / "cuda.yaml").read_text()), 80 * GIB
        resource["spec"]["engine"]["image"] = "vllm/vllm-openai:v0.26.0"
        said = "simulated engine: its seconds of loading, sleeping and waking are set, not measured"
        options = ["--pod-address=127.0.0.1", "--image-version=0.26.0"]
        environment = image_environment({**os.environ, "TMPDIR": str(folder)}, address="127.0.0.1", options=options)
    declared = declared_variant(SpeculativeDeploymentSpec.model_validate(resource["spec"]))
    settings = WarmSettings(
        token_sha256=hashlib.sha256(TOKEN.encode()).hexdigest(), host_memory_bytes=64 * GIB, gpu_memory_bytes=gpu
    )
    made = warm_objects(
        Owner(name="llama", namespace="x"), [declared.baseline, declared], replicas=1, settings=settings
    )
    if made.slots is None:
        raise SystemExit("; ".join(str(refusal) for refusal in made.refusals))
    return Setting(slots=json.loads(made.slots["data"]["slots.json"]), environment=environment, said=said)


@contextlib.asynccontextmanager
async def running(
    log: Path, environment: Mapping[str, str], *command: str, folder: Path | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process of ours, ended at the end."""
    with log.open("ab") as out:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=out, stderr=out, env=dict(environment), cwd=folder, preexec_fn=end_with_parent()
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), 40)
        if process.returncode is None:
            process.kill()
            await process.wait()


async def answer(
    session: aiohttp.ClientSession, url: str, model: str, *, tokens: int, prompt: str = PROMPT, **more: Any
) -> tuple[float, float, int, list[float]]:
    """Seconds to the first token, seconds in all, tokens, log-probabilities. Raises for anything but a whole answer."""
    body = {"model": model, "prompt": prompt, "max_tokens": tokens, "ignore_eos": True, "temperature": 0, **more}
    body |= {"stream": True, "stream_options": {"include_usage": True}}
    began, first, count, found = time.monotonic(), 0.0, 0, []
    async with session.post(f"{url}/v1/completions", json=body, raise_for_status=True) as response:
        async for line in response.content:
            # Reading all lines of 32 streams takes a core, and a client that is late sees a shorter answer.
            if first and "logprobs" not in more and b'"completion_tokens"' not in line:
                continue
            text = line.decode().strip().removeprefix("data: ")
            if not text or text == "[DONE]":
                continue
            part = json.loads(text)
            if part.get("choices"):
                first = first or time.monotonic() - began
                found += (part["choices"][0].get("logprobs") or {}).get("token_logprobs") or []
            count = (part.get("usage") or {}).get("completion_tokens", count)
    if count != tokens:
        raise ValueError(f"{count} of {tokens} tokens")
    return first, time.monotonic() - began, count, found


async def client(session: aiohttp.ClientSession, number: int, model: str, counts: Counts, stop: asyncio.Event) -> None:
    """One stream after the other."""
    turn = 0
    while not stop.is_set():
        turn += 1
        prompt = " ".join(f"t{1000 + (number * 7919 + turn * 31 + i) % 20000}" for i in range(100))
        try:
            first, total, tokens, _ = await answer(session, URL, model, tokens=120, prompt=prompt)
        except (aiohttp.ClientError, ValueError, TimeoutError) as error:
            counts.failed.append(repr(error)[:200])
            continue
        counts.whole += 1
        counts.per_token.append((total - first) / (tokens - 1))


async def counters(session: aiohttp.ClientSession, variant: str) -> dict[str, float]:
    """What a variant counted on the replica's page, by short name."""
    names = {
        "vllm:spec_decode_num_accepted_tokens_total": "accepted",
        "vllm:spec_decode_num_draft_tokens_total": "drafted",
        "vllm:request_decode_time_seconds_sum": "decoding",
        "vllm:generation_tokens_total": "tokens",
        "vllm:request_success_total": "requests",
    }
    async with session.get(f"{URL}/metrics") as response:
        lines = (await response.text()).splitlines()
    sums = dict.fromkeys(names.values(), 0.0)
    for line in lines:
        name = names.get(line.partition("{")[0])
        if name and f'"{variant}"' in line:
            sums[name] += float(line.rsplit(" ", 1)[1])
    return sums


async def state(session: aiohttp.ClientSession) -> dict[str, Any]:
    """The supervisor's page; empty while it does not answer."""
    try:
        async with session.get(f"{PORT}/state") as response:
            found: dict[str, Any] = await response.json()
            return found
    except aiohttp.ClientError:
        return {}


async def until_loaded(session: aiohttp.ClientSession, seconds: float) -> dict[str, Any]:
    """Wait for both engines."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = await state(session)
        if found.get("awake") and found.get("loadedRevision") == found.get("revision") and not found.get("switching"):
            return found
        await asyncio.sleep(0.2)
    raise SystemExit(f"not loaded within {seconds:g} s: {json.dumps(await state(session))}")


async def warm(setting: Setting, folder: Path, *, switches: int, clients: int, stay: float) -> None:
    """Switch to and fro under load, and print what came of it."""
    (folder / "slots.json").write_text(json.dumps(setting.slots))
    environment = {**setting.environment, "BREAKEVEN_CONTROL": str(folder), "BREAKEVEN_PROGRAM": str(PROGRAM)}
    supervisor = ("-m", "warm", f"--slots={folder}/slots.json", f"--proxy={folder}/proxy.sock", "--leave=0.5")
    shutil.copytree(PROGRAM, folder / "programs" / "warm", dirs_exist_ok=True)
    names = {v["variant"]: "on" if v["speculates"] else "off" for v in setting.slots["variants"]}
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=300)) as session,
        running(folder / "proxy.log", environment, str(take(HAPROXY)), "-db", "-f", f"{PROGRAM}/haproxy.cfg"),
        running(folder / "supervisor.log", environment, sys.executable, *supervisor, folder=folder / "programs"),
    ):
        began = time.monotonic()
        loaded = await until_loaded(session, 900)
        say(f"both engines loaded in {time.monotonic() - began:.0f} s")
        counts, stop = Counts(), asyncio.Event()
        load = [asyncio.create_task(client(session, n, setting.model, counts, stop)) for n in range(clients)]
        rows, said, awake = [], {name: [] for name in names}, str(loaded["awake"])
        for number in range(switches + 1):
            if number:
                other = next(name for name in names if name != awake)
                rows.append(await _switched(session, setting.model, other, number))
                awake = other
            if number:  # before the first switch nothing was woken, and its first answer had the GPU for itself
                said[awake].append((await answer(session, URL, setting.model, tokens=ANSWER_TOKENS, logprobs=1))[3])
            before = await counters(session, awake)
            counts.per_token.clear()
            await asyncio.sleep(stay)
            after = await counters(session, awake)
            grew = {name: after[name] - before[name] for name in after}
            rows_of = {
                "awake": names[awake],
                "ms": 1000 * statistics.median(counts.per_token or [float("nan")]),
                "engine_ms": 1000 * grew["decoding"] / max(1.0, grew["tokens"] - grew["requests"]),
                "acceptance": grew["accepted"] / grew["drafted"] if grew["drafted"] else None,
            }
            (rows[-1] if rows else {}).update(rows_of)
            say(f"switch {number}: {json.dumps(rows[-1] if rows else rows_of)}")
        stop.set()
        await asyncio.gather(*load)
        _print_warm(setting, rows, counts, await state(session), {names[n]: found for n, found in said.items()})


async def _switched(session: aiohttp.ClientSession, model: str, to: str, number: int) -> dict[str, Any]:
    began = time.monotonic()
    headers = {"Authorization": f"Bearer {TOKEN}"}
    body = {"id": f"{os.getpid()}-{number}", "variant": to}
    async with session.post(f"{PORT}/awake", json=body, headers=headers) as response:
        told = await response.json()
        if response.status != 200 or told["awake"] != to:
            raise SystemExit(f"the switch to {to} was answered {response.status}: {json.dumps(told)}")
    first = (await answer(session, URL, model, tokens=1, prompt=f"t{number} t5"))[0]
    total = time.monotonic() - began
    return {"seconds": round(total, 3), "first": round(first, 3), "phases": told["last"]["phases"]}


def _print_warm(
    setting: Setting,
    rows: Sequence[Mapping[str, Any]],
    counts: Counts,
    found: Mapping[str, Any],
    said: Mapping[str, Sequence[Sequence[float]]],
) -> None:
    drains = [row["phases"]["drain"] for row in rows]
    rest = [row["seconds"] - row["phases"]["drain"] for row in rows]
    off, on, engine_off, engine_on = (
        [row[kind] for row in rows if row["awake"] == arm] for kind in ("ms", "engine_ms") for arm in ("off", "on")
    )
    accepted = [row["acceptance"] for row in rows if row["acceptance"] is not None]
    asked = counts.whole + len(counts.failed)
    left, host = ((found.get(name) or 0) / GIB for name in ("leftBehindBytes", "hostMemoryBytes"))
    print(f"\nWarm ({setting.said}): {len(rows)} switches, {len(counts.failed)} of {asked} requests failed")
    for error in counts.failed[:3]:
        print(f"  failed: {error}")
    print(f"  decision → first token: {spread([row['seconds'] for row in rows])} s")
    print(f"    of which requests in flight ended in {spread(drains)}, and the rest is {spread(rest)}")
    print(f"  in use on the GPU when the last one fell asleep {left:.2f} GiB; host memory {host:.1f} GiB")
    print(f"  ms a token: off {spread(off)}, on {spread(on)}")
    print(f"    the engines' own: off {spread(engine_off)}, on {spread(engine_on)}")
    by_clients, by_engines = (
        statistics.median(plain) / statistics.median(drafting)
        for plain, drafting in ((off, on), (engine_off, engine_on))
    )
    print(f"    S by alternation: {by_clients:.3f} by clients, {by_engines:.3f} by the engines' pages")
    print(f"  acceptance after waking: {spread(accepted)}")
    for arm, (first, *later) in said.items():
        moved = [abs(a - b) for each in later for a, b in zip(first, each, strict=True)]
        if moved:
            print(f"  {arm}: a log-probability moved by at most {max(moved):.4f} over {len(later)} wakings")


def spread(values: Sequence[float]) -> str:
    """P50 and P99 (the largest, of fewer than 100)."""
    ordered = sorted(values)
    if not ordered:
        return "–"
    return f"P50 {statistics.median(ordered):.3f} P99 {ordered[max(0, -(-99 * len(ordered) // 100) - 1)]:.3f}"


async def reload(setting: Setting, folder: Path, *, switches: int) -> None:
    """End one engine and start the other, and print how long until its first token."""
    took = []
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=120)) as session,
        contextlib.AsyncExitStack() as now,
    ):
        for number in range(switches + 1):
            variant = setting.slots["variants"][number % 2]
            began = time.monotonic()
            await now.aclose()
            command = [*variant["argv"], "--host=127.0.0.1", "--port=8101"]
            environment = {**setting.environment, **variant["env"]}
            await now.enter_async_context(running(folder / "reload.log", environment, *command))
            while True:
                with contextlib.suppress(aiohttp.ClientError, ValueError):
                    await answer(session, "http://127.0.0.1:8101", setting.model, tokens=1)
                    break
                await asyncio.sleep(0.1)
            if number:
                took.append(time.monotonic() - began)
                say(f"reload {number}: {took[-1]:.1f} s")
    print(f"\nReload ({setting.said}): {len(took)} switches, the replica away meanwhile")
    print(f"  decision → first token: {spread(took)} s")


def say(line: str) -> None:
    """Progress."""
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    """Run both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("simulated", "cuda"), default="simulated")
    parser.add_argument("--switches", type=int, default=20)
    parser.add_argument("--reloads", type=int, default=2)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--stay", type=float, default=4.0, help="Seconds between two switches.")
    parser.add_argument("--logs", type=Path, help="Keep logs in this folder.")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.logs or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        what = setting(args.device, folder)
        asyncio.run(warm(what, folder, switches=args.switches, clients=args.clients, stay=args.stay))
        asyncio.run(reload(what, folder, switches=args.reloads))


if __name__ == "__main__":
    main()
