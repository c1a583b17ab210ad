"""Two runs of the same engine differ by rounding, and an engine that answers wrongly by more."""

from random import Random

import pytest

from breakeven.domain.measures.same_answers import Asked, Reply, Token, compare, parting

LENGTH, PROMPTS, PLACES = 24, 8, 97


class Model:
    """A model whose next token has five candidates, decided by the tokens before it; rounding moves each a little."""

    def __init__(self, seed: int, noise: float) -> None:
        self._noise, self._random = noise, Random(seed)
        draw = self._random
        self._places = [
            [(f" {place}.{n}", -0.3 - n * draw.expovariate(1.0)) for n in range(5)] for place in range(PLACES)
        ]

    def answer(self, prompt: int, *, wrong_at: frozenset[int] = frozenset(), shift: float = 0.0) -> Reply:
        place, tokens = prompt, []
        for n in range(LENGTH):
            seen = {text: value + self._random.gauss(0, self._noise) for text, value in self._places[place]}
            ranked = sorted(seen, key=seen.__getitem__, reverse=True)
            chosen = ranked[3] if n in wrong_at else ranked[0]
            tokens.append(Token(chosen, seen[chosen] + shift, seen))
            place = (place * 31 + int(chosen[-1]) * 17 + n + 1) % PLACES
        return Reply("".join(token.text for token in tokens), tuple(tokens))


def asked(model: Model, *, wrong_at: frozenset[int] = frozenset(), shift: float = 0.0) -> list[Asked]:
    replies = []
    for prompt in range(PROMPTS):
        on = model.answer(prompt, wrong_at=wrong_at)
        again = model.answer(prompt, shift=shift)
        replies.append(
            Asked(plain=model.answer(prompt), again=model.answer(prompt), on=Reply(on.text), on_with_logprobs=again)
        )
    return replies


@pytest.mark.parametrize("noise", [0.0, 0.02, 0.06, 0.12])
def test_no_alarm_in_250_clean_pairs_with_each_noise(noise: float) -> None:
    found = [compare(asked(Model(seed, noise))) for seed in range(250)]
    assert [each.message for each in found if each.alike is False] == []
    assert sum(each.alike is True for each in found) > 240


def test_clean_pairs_do_part_by_ties() -> None:
    replies = [each for seed in range(50) for each in asked(Model(seed, 0.06))]
    assert sum(each.plain.text != each.on.text for each in replies) > 20


# Ties come first in some answers, and behind a tie nothing can be told.
@pytest.mark.parametrize(("place", "at_least"), [(0, 50), (12, 45), (23, 30)])
def test_one_wrong_token_in_every_answer_is_found(place: int, at_least: int) -> None:
    found = [compare(asked(Model(seed, 0.02), wrong_at=frozenset({place}))) for seed in range(50)]
    assert sum(each.alike is False for each in found) >= at_least
    assert "of 8 greedy prompts are answered differently with the draft" in found[0].message


def test_shifted_log_probabilities_of_the_same_tokens_are_found() -> None:
    found = compare(asked(Model(1, 0.02), shift=-0.4))
    assert found.alike is False
    assert "differ by 0.40 in the mean with the draft, and by 0.0" in found.message


def test_an_engine_that_does_not_answer_like_itself_says_nothing_about_another() -> None:
    found = compare(asked(Model(1, 1.5), wrong_at=frozenset({0})))
    assert found.alike is None
    assert "asked" not in found.message


def test_without_usable_log_probabilities_nothing_is_said() -> None:
    plain = Reply("one two", (Token("token_id:1", -0.1, {}), Token("token_id:2", -0.1, {})))
    each = Asked(plain=plain, again=plain, on=Reply("three"))
    assert compare([each] * 8).alike is None
    assert compare([Asked(plain=Reply("a"), again=Reply("a"), on=Reply("b"))] * 8).alike is None


def expected(*tokens: tuple[str, float, dict[str, float]]) -> Reply:
    return Reply("".join(text for text, _, _ in tokens), tuple(Token(*each) for each in tokens))


def test_where_a_text_parts_and_by_how_much() -> None:
    reply = expected((" a", -0.1, {" a": -0.1, " b": -3.1}), (" c", -0.2, {" c": -0.2, " d": -0.3, " dd": -2.2}))
    assert parting(reply, " a c") is None
    other = parting(reply, " b c")
    assert other is not None
    assert (other.place, round(other.gap, 3)) == (0, 3.0)
    near = parting(reply, " a d")
    assert near is not None
    assert (near.place, round(near.gap, 3)) == (1, 0.1)
    # None of the known ones, so at least as unlikely as the least likely of them.
    far = parting(reply, " a x")
    assert far is not None
    assert round(far.gap, 3) == 2.0
    # It ended: whichever token says so is at most as likely as the likeliest other.
    ended = parting(reply, " a")
    assert ended is not None
    assert round(ended.gap, 3) == 0.1


def test_the_same_text_in_other_tokens_and_half_a_character_part_from_nothing() -> None:
    reply = expected((" a", -0.1, {}), ("\ufffd", -0.2, {}), ("z", -0.2, {}))
    assert parting(reply, " a\u00e9q") is None
    assert parting(expected((" ab", -0.1, {})), " a") is None
    assert parting(expected((" a", -0.1, {}), ("b", -0.1, {})), " ab") is None


def test_without_candidates_the_rest_of_the_probability_bounds_the_other() -> None:
    sure = parting(expected((" a", -0.001, {})), " b")
    assert sure is not None
    assert sure.gap > 6
    unsure = parting(expected((" a", -0.7, {})), " b")
    assert unsure is not None
    assert unsure.gap < 0.1
