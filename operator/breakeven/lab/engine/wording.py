"""The words of an answer, and their log-probabilities: filler, the same for the same prompt unless told otherwise.

A greedy answer is the likeliest word again and again. An engine that is told to answer wrongly takes another one now
and then, as one does that accepts drafts without verifying them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

LIKELIEST = " simulated"
"""What a generated token reads."""
OTHERS = (" invented", " imitated", " pretended", " assumed")
"""What else it could read, ever less likely."""
LOGPROBS = (-0.05, -3.5, -4.5, -5.5, -6.5)
"""Log-probabilities of all five."""
ROUNDING = 0.02
"""Standard deviation between two runs of the same prompt, as other orders of sums leave it."""


@dataclass(frozen=True, slots=True)
class Wording:
    """How one engine words its answers."""

    wrong: float = 0.0
    """Share of the tokens that are another word than the likeliest."""

    def words(self, prompt: str, count: int) -> list[str]:
        """So many tokens; the same ones for the same prompt."""
        return [
            OTHERS[0] if self.wrong and Random(f"{prompt} {place}").random() < self.wrong else LIKELIEST
            for place in range(count)
        ]


RIGHT = Wording()
"""The likeliest word, always."""


def logprobs(words: Sequence[str], asked: int, rng: Random) -> dict[str, Any]:
    """What a completion says about its tokens, the way vLLM writes it; `asked` is how many of the likeliest."""
    places = [
        {text: value + rng.gauss(0.0, ROUNDING) for text, value in zip((LIKELIEST, *OTHERS), LOGPROBS, strict=True)}
        for _ in words
    ]
    offsets = [sum(len(word) for word in words[:place]) for place in range(len(words))]
    return {
        "text_offset": offsets,
        "token_logprobs": [place[word] for place, word in zip(places, words, strict=True)],
        "tokens": list(words),
        "top_logprobs": [dict(list(place.items())[: max(1, asked)]) for place in places],
    }
