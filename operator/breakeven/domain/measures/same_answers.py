"""Whether two variants answer the same greedy prompts alike, as far as an engine answers like itself at all.

A greedy answer is the likeliest token, again and again, so drafts that are verified change none. Two runs of one plain
engine differ all the same: sums are taken in another order in another batch, and where two tokens are nearly as likely
the other one wins; from there on the texts have nothing to do with each other. So an answer is followed to its first
other token, and what counts is how much less likely that token was. The plain engine is asked twice, and its own
differences are the measure of numeric noise.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from math import exp, log1p
from statistics import fmean

TIE = 0.5
"""Two tokens whose log-probabilities differ by less are nearly as likely: logits of 16 to 32 have steps of 0.125 in
bfloat16, and a difference has two of them on either side."""
TIMES = 3.0
"""Noise between two runs of the plain engine is widened by this: it was seen on a few hundred tokens only."""
TOO_NOISY = 3.0
"""A tolerance above this (1 in 20) could hide any difference: then nothing is said."""
FEWEST = 2
"""Prompts that must be answered differently; one alone could be the rarest of ties."""
SHIFT = 0.1
"""Mean difference of log-probabilities of the same tokens that rounding does not reach."""
SHIFT_TIMES = 5.0
"""The same as a multiple of what the plain engine differs from itself."""
FEWEST_TOKENS = 50
"""Tokens in common that such a mean is taken over."""
UNREADABLE = "\ufffd"
"""Stands in a text for a token that is a part of a character: its text cannot be followed through it."""


@dataclass(frozen=True, slots=True)
class Token:
    """One token of an answer."""

    text: str
    logprob: float
    likeliest: Mapping[str, float]
    """Log-probabilities of the likeliest tokens in its place, by text."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One greedy answer."""

    text: str
    tokens: tuple[Token, ...] = ()
    """Empty where log-probabilities were not asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One prompt and its answers."""

    plain: Reply
    again: Reply
    """Of the same engine, asked a second time."""
    on: Reply
    """Of the variant on trial, without log-probabilities: asked for them, vLLM below 0.14 drafts nothing."""
    on_with_logprobs: Reply | None = None
    """The same with them. None: not asked."""


@dataclass(frozen=True, slots=True)
class Parting:
    """The first token at which an answer is another one than expected."""

    place: int
    """Tokens before it."""
    gap: float
    """How much less likely it was than the expected one, as a difference of log-probabilities; at least this much where
    it is none of the likeliest."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """What a comparison came to."""

    alike: bool | None
    """None: it cannot be told."""
    message: str
    """With the figures, without a word of a prompt or an answer: those may be the user's."""


def compare(answers: Sequence[Asked]) -> Likeness:
    """Compare what is on trial with what serves, against what serves with itself."""
    answers = [each for each in answers if each.plain.tokens and parting(each.plain, each.plain.text) is None]
    if len(answers) < FEWEST:
        return Likeness(None, "what serves gives no log-probabilities of its answers that fit their texts")
    noise = [parting(each.plain, each.again.text) for each in answers]
    own = [abs(delta) for each in answers for delta in shifts(each.plain, each.again)]
    largest = max([*(parted.gap for parted in noise if parted), *own], default=0.0)
    tolerance = max(TIE, TIMES * largest)
    if tolerance > TOO_NOISY:
        message = f"what serves answers the same prompt with log-probabilities that differ by up to {largest:.2f}, so"
        return Likeness(None, f"{message} no difference of the variant on trial could be told from noise")
    other = [(n, parted) for n, each in enumerate(answers, 1) if (parted := _parting(each)) and parted.gap > tolerance]
    itself = f"asked twice, what serves parts from itself in {sum(map(bool, noise))}, with noise of {largest:.2f}"
    if len(other) >= FEWEST:
        n, worst = max(other, key=lambda pair: pair[1].gap)
        message = (
            f"{len(other)} of {len(answers)} greedy prompts are answered differently with the draft: number {n}"
            f" after {worst.place} tokens by one with a log-probability lower by {worst.gap:.1f}; {itself}"
        )
        return Likeness(False, message)
    theirs = [
        abs(delta) for each in answers if each.on_with_logprobs for delta in shifts(each.plain, each.on_with_logprobs)
    ]
    moved, usual = fmean(theirs or [0.0]), fmean(own or [0.0])
    if len(theirs) >= FEWEST_TOKENS and moved > max(SHIFT, SHIFT_TIMES * usual):
        message = (
            f"the log-probabilities of {len(theirs)} greedy tokens differ by {moved:.2f} in the mean with the"
            f" draft, and by {usual:.2f} without it, asked twice"
        )
        return Likeness(False, message)
    return Likeness(True, f"{len(answers)} greedy prompts are answered alike with the draft and without; {itself}")


def parting(expected: Reply, text: str) -> Parting | None:
    """Where a text parts from an answer whose tokens are known; None where it does not as far as it can be followed."""
    rest = text
    for place, token in enumerate(expected.tokens):
        if UNREADABLE in token.text or rest.startswith(UNREADABLE):
            return None
        if rest.startswith(token.text):
            rest = rest[len(token.text) :]
            continue
        if rest and token.text.startswith(rest):
            return None
        return Parting(place, token.logprob - _logprob_of(rest, token))
    return None


def shifts(one: Reply, other: Reply) -> Sequence[float]:
    """Differences of the log-probabilities of the tokens that two answers begin with in common."""
    common = takewhile(lambda pair: pair[0].text == pair[1].text, zip(one.tokens, other.tokens, strict=False))
    return [right.logprob - left.logprob for left, right in common]


def _parting(each: Asked) -> Parting | None:
    """Where the variant on trial parts from what serves, by the answer of it that is nearer."""
    found = [parting(reference, each.on.text) for reference in (each.plain, each.again) if reference.tokens]
    known = [parted for parted in found if parted is not None]
    return min(known, key=lambda parted: parted.gap) if known and len(known) == len(found) else None


def _logprob_of(rest: str, token: Token) -> float:
    """How likely the token was that stands there instead.

    None of the known ones: at most as likely as the least of those. None known: as all others together. An answer that
    ends has a token there whose text cannot be seen: any of the others may be it.
    """
    others = {text: logprob for text, logprob in token.likeliest.items() if text != token.text}
    if not others:
        return log1p(-min(exp(token.logprob), 1 - 1e-9))
    if not rest:
        return max(others.values())
    fitting = [logprob for text, logprob in others.items() if text and rest.startswith(text)]
    return max(fitting) if fitting else min(others.values())
