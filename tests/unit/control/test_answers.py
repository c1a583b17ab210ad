"""Comparing the answers of a canary with those of what serves, whatever the engines do."""

import asyncio
from collections.abc import Sequence

import pytest
from tests.support.world import FakeAnswers

from breakeven.api.names import VARIANT
from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.api.status import Memory, State
from breakeven.api.variant import Variant, declared_variant
from breakeven.control.answers import PROMPTS, Comparison, Comparisons, comparable
from breakeven.control.errors import Retry
from breakeven.control.ports import Key, Manifest
from breakeven.domain.counters.observation import Answers
from breakeven.domain.measures.same_answers import Reply

KEY = Key("inference", "llama")
PLAIN, ON = "10.0.0.1:8000", "10.0.0.2:8000"
BASE = {
    "replicas": 4,
    "engine": {"image": "vllm/vllm-openai:v0.33.0"},
    "target": {"model": "meta-llama/Llama-3.1-70B-Instruct"},
    "draft": {"model": "meta-llama/Llama-3.1-8B-Instruct"},
}


def variant(**changes: object) -> Variant:
    return declared_variant(SpeculativeDeploymentSpec.model_validate(BASE | changes))


def pod(of: Variant, address: str) -> Manifest:
    return {
        "metadata": {"uid": address, "name": address, "namespace": "inference", "labels": {VARIANT: of.name}},
        "status": {
            "podIP": address.split(":")[0],
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-22T12:00:00Z"}],
        },
    }


BOTH = (variant().baseline, variant())
PODS = (pod(BOTH[0], PLAIN), pod(BOTH[1], ON))


async def compared(
    answers: FakeAnswers, pods: Sequence[Manifest] = PODS, prompts: Sequence[str] = ()
) -> Comparison | None:
    woken = asyncio.Event()

    async def wake(key: Key) -> None:
        woken.set()

    found: dict[str, Comparison] = {}
    comparisons = Comparisons(answers, wake, again_s=(0.0, 0.0))
    comparisons.start(KEY, pods, found, of=BOTH, model="m", prompts=prompts)
    if comparisons.pending:
        async with asyncio.timeout(30):
            await woken.wait()
    return found.get(BOTH[1].name)


async def test_a_canary_that_answers_differently_is_found_by_one_request_a_prompt() -> None:
    answers = FakeAnswers(other={ON: "otherwise"})
    found = await compared(answers)
    assert found is not None
    assert found.state is Answers.DIFFERENT
    assert "8 of 8 greedy prompts are answered differently" in found.message
    assert "otherwise" not in found.message
    assert [address for address, _ in answers.requests].count(ON) == len(PROMPTS) < 20
    assert [address for address, _ in answers.requests].count(PLAIN) == 2 * len(PROMPTS)


async def test_like_answers_are_asked_for_once_more_with_log_probabilities() -> None:
    answers = FakeAnswers()
    found = await compared(answers, prompts=["mine"])
    assert found is not None
    assert found.state is Answers.ALIKE
    asked = [prompt for address, prompt in answers.requests if address == ON]
    assert asked == [*PROMPTS, "mine", *PROMPTS]


async def test_without_a_replica_beside_it_nothing_is_asked() -> None:
    answers = FakeAnswers()
    found = await compared(answers, PODS[1:])
    assert found is not None
    assert (found.state, answers.requests) == (Answers.UNKNOWN, [])
    assert "no replica of what serves" in found.message
    assert await compared(answers, PODS[:1]) is None


class Fails(FakeAnswers):
    async def ask(self, address: str, model: str, prompt: str, *, logprobs: bool) -> Reply:
        await super().ask(address, model, prompt, logprobs=logprobs)
        raise self.error

    error: Exception = Retry("HTTP 500")


@pytest.mark.parametrize(
    ("error", "why"),
    [(Retry("HTTP 500"), "HTTP 500"), (TimeoutError(), "answered within 300 s"), (KeyError("x"), "KeyError")],
)
async def test_whatever_happens_the_outcome_is_known_and_the_trial_goes_on(error: Exception, why: str) -> None:
    answers = Fails()
    answers.error = error
    found = await compared(answers)
    assert found is not None
    assert found.state is Answers.UNKNOWN
    assert why in found.message


class LosesTheFirst(FakeAnswers):
    """The first request of each prompt is lost."""

    async def ask(self, address: str, model: str, prompt: str, *, logprobs: bool) -> Reply:
        first = (address, prompt) not in self.requests
        reply = await super().ask(address, model, prompt, logprobs=logprobs)
        if first:
            raise Retry("ServerDisconnectedError")
        return reply


async def test_requests_that_are_lost_let_no_wrong_draft_through() -> None:
    answers = LosesTheFirst(other={ON: "otherwise"})
    found = await compared(answers)
    assert found is not None
    assert found.state is Answers.DIFFERENT
    assert [address for address, _ in answers.requests].count(ON) == 2 * len(PROMPTS) < 20


class WithoutLogprobsOfDrafts(FakeAnswers):
    async def ask(self, address: str, model: str, prompt: str, *, logprobs: bool) -> Reply:
        if address == ON and logprobs:
            raise Retry("HTTP 400 logprobs are not available with speculative decoding")
        return await super().ask(address, model, prompt, logprobs=logprobs)


async def test_an_engine_without_log_probabilities_of_drafts_is_compared_by_its_tokens() -> None:
    found = await compared(WithoutLogprobsOfDrafts())
    assert found is not None
    assert found.state is Answers.ALIKE


def memory(stable: Variant, canary: Variant | None) -> Memory:
    return Memory(state=State.TRIAL, stable=stable, canary=canary)


def test_only_what_should_answer_alike_is_compared() -> None:
    draft = {"model": "meta-llama/Llama-3.1-8B-Instruct"}
    lossy = variant(draft={**draft, "acceptance": {"method": "Typical", "allowLossy": True}})
    newer = variant(engine={"image": "vllm/vllm-openai:v0.32.0"})
    assert comparable(memory(*BOTH)) == BOTH
    assert comparable(memory(BOTH[0], None)) is None
    assert comparable(memory(BOTH[0], lossy)) is None
    assert comparable(memory(lossy, variant())) is None
    assert comparable(memory(BOTH[0], newer)) is None
    assert comparable(memory(BOTH[1], BOTH[0])) is None
