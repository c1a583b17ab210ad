"""The same greedy prompts asked of a canary and of what serves beside it, in the background of the passes."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from breakeven.api.choices import LOSSY
from breakeven.api.status import Memory
from breakeven.api.variant import Variant
from breakeven.control.errors import Retry
from breakeven.control.fleet import address_of, ready_since, variant_of
from breakeven.control.ports import GreedyAnswers, Key, Manifest
from breakeven.control.under_way import UnderWay
from breakeven.domain.counters.observation import Answers
from breakeven.domain.measures.same_answers import Asked, Likeness, Reply, compare

log = logging.getLogger(__name__)

PROMPTS = (
    "The capital of France is",
    "Count upwards in words: one, two, three,",
    "def fibonacci(n):\n    ",
    '{"name": "Ada", "born": 1815, "died": 1852}\n{"name": "Alan", "born": 1912,',
    "Water boils at a lower temperature on a mountain because",
    "Translate to German. Good morning, how are you today? ->",
    "A list of the planets of the solar system, from the sun outwards:\n1. Mercury\n2.",
    "Once upon a time there was a lighthouse keeper who",
)
"""What every trial asks: facts, counting, code, data, reasons, another language, a list and a story."""
DEADLINE_S = 300.0
"""Seconds for everything: a trial waits for it, and an engine that answers slower than that is not waited for."""

AGAIN_S = (1.0, 5.0)
"""Seconds after which a prompt that was not answered is asked again: one lost request must not let a draft through
that answers wrongly."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the comparison of a canary has come to."""

    variant: str
    """Of the canary."""
    state: Answers
    message: str = ""


def comparable(memory: Memory) -> tuple[Variant, Variant] | None:
    """What serves and what is on trial, where both should answer alike; None where they may differ.

    Another engine, target or hardware may round differently, and a lossy acceptance method does differ, by consent.
    """
    stable, canary = memory.stable, memory.canary
    if stable is None or canary is None or not canary.speculates or canary.baseline != stable.baseline:
        return None
    drafts = [variant.draft for variant in (stable, canary) if variant.draft is not None]
    return None if any(draft.acceptance.method in LOSSY for draft in drafts) else (stable, canary)


class Comparisons:
    """Comparisons that are under way. A pass starts one and never waits; when it ends, `wake` gets the key."""

    def __init__(
        self,
        answers: GreedyAnswers,
        wake: Callable[[Key], Awaitable[None]],
        *,
        at_once: int = 4,
        again_s: Sequence[float] = AGAIN_S,
    ) -> None:
        self._answers = answers
        self._again_s = again_s
        self._wake = wake
        self._under_way = UnderWay(at_once=at_once)

    @property
    def pending(self) -> int:
        """Comparisons that are under way."""
        return len(self._under_way)

    def start(
        self,
        key: Key,
        pods: Iterable[Manifest],
        results: dict[str, Comparison],
        *,
        of: tuple[Variant, Variant],
        model: str,
        prompts: Sequence[str],
    ) -> None:
        """Ask one ready replica of each; `results` gets the outcome, by variant of the canary."""
        stable, canary = of
        addresses = [next(_addresses(pods, variant), None) for variant in (canary, stable)]
        on, plain = addresses
        if on is None:
            return
        if plain is None:
            why = "no replica of what serves is there beside the canary"
            results[canary.name] = Comparison(canary.name, Answers.UNKNOWN, why)
            return
        results[canary.name] = Comparison(canary.name, Answers.PENDING)
        self._under_way.start(self._run(key, canary.name, results, on, plain, model, (*PROMPTS, *prompts)))

    async def close(self) -> None:
        """Stop what is running."""
        await self._under_way.close()

    async def _run(
        self,
        key: Key,
        variant: str,
        results: dict[str, Comparison],
        on: str,
        plain: str,
        model: str,
        prompts: Sequence[str],
    ) -> None:
        try:
            async with self._under_way.gate, asyncio.timeout(DEADLINE_S):
                found = await self._compared(on, plain, model, prompts)
        except TimeoutError:
            found = Likeness(None, f"not all prompts were answered within {DEADLINE_S:.0f} s")
        except Retry as error:
            found = Likeness(None, f"not all prompts were answered: {error}")
        except Exception as error:  # whatever an engine answers, the outcome is known afterwards
            log.exception("the answers of %s could not be compared", key)
            found = Likeness(None, f"the answers could not be compared: {type(error).__name__} {error}")
        if variant in results:
            state = {True: Answers.ALIKE, False: Answers.DIFFERENT, None: Answers.UNKNOWN}[found.alike]
            results[variant] = Comparison(variant, state, found.message)
            await self._wake(key)

    async def _compared(self, on: str, plain: str, model: str, prompts: Sequence[str]) -> Likeness:
        """Tokens first; log-probabilities of the canary are asked for only where the tokens are alike."""
        plain_first, theirs = await asyncio.gather(
            self._all(plain, model, prompts, logprobs=True), self._all(on, model, prompts, logprobs=False)
        )
        plain_again = await self._all(plain, model, prompts, logprobs=True)
        asked = [Asked(plain=a, again=b, on=c) for a, b, c in zip(plain_first, plain_again, theirs, strict=True)]
        found = compare(asked)
        if not found.alike:
            return found
        try:
            again = await self._all(on, model, prompts[: len(PROMPTS)], logprobs=True)
        except Retry as error:
            log.info("log-probabilities of the canary at %s are not compared: %s", on, error)
            return found
        with_logprobs = [
            Asked(plain=each.plain, again=each.again, on=each.on, on_with_logprobs=reply)
            for each, reply in zip(asked, again, strict=False)
        ]
        return compare([*with_logprobs, *asked[len(again) :]])

    async def _all(self, address: str, model: str, prompts: Sequence[str], *, logprobs: bool) -> list[Reply]:
        """All prompts at once: sixteen short ones at most, so that a trial hardly waits."""
        return await asyncio.gather(*(self._one(address, model, p, logprobs=logprobs) for p in prompts))

    async def _one(self, address: str, model: str, prompt: str, *, logprobs: bool) -> Reply:
        for pause in self._again_s:
            with suppress(Retry):
                return await self._answers.ask(address, model, prompt, logprobs=logprobs)
            await asyncio.sleep(pause)
        return await self._answers.ask(address, model, prompt, logprobs=logprobs)


def _addresses(pods: Iterable[Manifest], variant: Variant) -> Iterator[str]:
    return (a for pod in pods if variant_of(pod) == variant.name and ready_since(pod) and (a := address_of(pod)))
