"""Greedy completions of one replica, with the log-probabilities of their tokens where they are asked for."""

import json
import math
from typing import Any

import aiohttp

from breakeven.adapters.bodies import bounded_body
from breakeven.control.errors import Retry
from breakeven.domain.measures.same_answers import Reply, Token

TOKENS = 32
"""Longest answer."""
LIKELIEST = 5
"""Log-probabilities asked for in each place: what every engine gives by default (vLLM's --max-logprobs is 20)."""
_MAX_BYTES = 1 << 20
"""Largest answer that is read; one that is cut off there is no JSON."""
_LONGEST = 200
"""Characters of an error."""


class GreedyCompletions:
    """`control.ports.GreedyAnswers` over HTTP."""

    def __init__(self, *, timeout_s: float = 30.0) -> None:
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)

    async def ask(self, address: str, model: str, prompt: str, *, logprobs: bool) -> Reply:
        """One greedy completion. Raises Retry where there is none."""
        body: dict[str, Any] = {"model": model, "prompt": prompt, "max_tokens": TOKENS, "temperature": 0.0, "seed": 0}
        if logprobs:
            body["logprobs"] = LIKELIEST
        try:
            async with aiohttp.ClientSession(timeout=self._timeout, trust_env=False) as session:
                url = f"http://{address}/v1/completions"
                async with session.post(url, json=body, allow_redirects=False) as answer:
                    data = await bounded_body(answer, _MAX_BYTES)
                    status = answer.status
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise Retry(f"{type(error).__name__} {error}".strip()[:_LONGEST]) from error
        # What came back is not quoted: it may have the user's prompt in it.
        if status != 200:
            raise Retry(f"HTTP {status}")
        try:
            choice = json.loads(data)["choices"][0]
            return Reply(str(choice["text"]), _tokens(choice["logprobs"]) if logprobs else ())
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            what = " with log-probabilities" if logprobs else ""
            raise Retry(f"no completion{what} in the answer") from error


def _tokens(given: Any) -> tuple[Token, ...]:
    """The tokens of an answer. Raises ValueError, LookupError or TypeError where they are not as they should be."""
    each = list(zip(given["tokens"], given["token_logprobs"], given["top_logprobs"], strict=True))[:TOKENS]
    return tuple(
        Token(str(text), _finite(logprob), {str(other): _finite(value) for other, value in (top or {}).items()})
        for text, logprob, top in each
    )


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{number} is no log-probability")
    return number
