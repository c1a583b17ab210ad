"""Real answers changed at random end in evidence or in the one kind of error."""

import random
from collections import Counter

from benchmarks.fuzz_prometheus import changed, outcome, real, take, text_of


def test_changed_answers_end_in_evidence_or_in_the_one_kind_of_error() -> None:
    numbers = random.Random(7)
    counts: Counter[str] = Counter()
    for _ in range(3000):
        answer = real(numbers)
        for _ in range(numbers.choice((0, 1, 2))):
            answer = changed(answer, numbers)
        body = text_of(answer, numbers)
        counts[outcome(lambda body=body: take(body))] += 1  # type: ignore[misc]  # a default binds the loop variable
    assert counts["taken"] > 100
    assert counts["QueryFailed"] > 100
    assert counts["PartialData"] > 10
