"""A simulated engine that accepts drafts unchecked, found out over HTTP before it served 20 prompts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from aiohttp.test_utils import TestServer

from breakeven.adapters.greedy import GreedyCompletions
from breakeven.api.names import VARIANT
from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.api.variant import Variant, declared_variant
from breakeven.control.answers import PROMPTS, Comparison, Comparisons
from breakeven.control.ports import Key, Manifest
from breakeven.domain.counters.observation import Answers
from breakeven.lab.engine.acceptance import DEFAULTS
from breakeven.lab.engine.core import EngineCore, Setup, Speculation
from breakeven.lab.engine.driver import Driver
from breakeven.lab.engine.server import Served, Server
from breakeven.lab.engine.step_times import BASELINE, step_times
from breakeven.lab.engine.wording import Wording

ON = declared_variant(
    SpeculativeDeploymentSpec.model_validate(
        {
            "replicas": 2,
            "engine": {"image": "vllm/vllm-openai:v0.33.0"},
            "target": {"model": "meta-llama/Llama-3.1-8B-Instruct"},
            "draft": {"model": "meta-llama/Llama-3.2-1B-Instruct"},
        }
    )
)


@asynccontextmanager
async def engine(variant: Variant, seed: int, wording: Wording) -> AsyncIterator[tuple[Manifest, EngineCore]]:
    """A served engine, as a pod."""
    k = variant.draft.num_speculative_tokens if variant.draft else 0
    times = step_times("8B", "draft_model" if k else BASELINE, k, "async")
    setup = Setup(
        times=times,
        kv_tokens=times.memory.kv_tokens,
        prefill_tokens_per_s=times.memory.prefill_tokens_per_s,
        speculation=Speculation("draft_model", k, DEFAULTS["draft_model"]) if k else None,
        max_model_len=4096,
    )
    core = EngineCore(setup, seed=seed)
    driver = Driver(core, time_scale=200.0)
    served = Served(served_names=("llama",), version="0.33.0", wording=wording)
    stepping = asyncio.create_task(driver.run())
    try:
        async with TestServer(Server(driver, served, seed=seed).application(), host="127.0.0.1") as server:
            pod: Manifest = {
                "metadata": {"uid": variant.name, "labels": {VARIANT: variant.name}},
                "spec": {"containers": [{"ports": [{"containerPort": server.port}]}]},
                "status": {
                    "podIP": "127.0.0.1",
                    "phase": "Running",
                    "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-22T12:00:00Z"}],
                },
            }
            yield pod, core
    finally:
        stepping.cancel()


async def compared(wrong: float) -> tuple[Comparison, float]:
    """What comparing came to, and how many requests the engine that speculates finished."""
    woken = asyncio.Event()

    async def wake(key: Key) -> None:
        woken.set()

    async with AsyncExitStack() as stack:
        plain, _ = await stack.enter_async_context(engine(ON.baseline, 1, Wording()))
        drafting, core = await stack.enter_async_context(engine(ON, 2, Wording(wrong)))
        comparisons, found = Comparisons(GreedyCompletions(), wake), dict[str, Comparison]()
        both = (ON.baseline, ON)
        comparisons.start(Key("inference", "llama"), [plain, drafting], found, of=both, model="llama", prompts=())
        async with asyncio.timeout(120):
            await woken.wait()
        return found[ON.name], sum(core.tally.finished.values())


async def test_an_engine_that_answers_wrongly_is_found_before_it_served_20_prompts() -> None:
    found, served = await compared(wrong=0.1)
    assert found.state is Answers.DIFFERENT
    assert "greedy prompts are answered differently with the draft" in found.message
    assert served == len(PROMPTS) < 20


async def test_an_engine_that_verifies_its_drafts_answers_alike() -> None:
    found, served = await compared(wrong=0.0)
    assert found.state is Answers.ALIKE
    assert served == 2 * len(PROMPTS) < 20
