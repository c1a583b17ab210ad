"""A trial of a draft with which answers differ ends: speculation promises the answers of the target alone.

The prompts that tell are requests like any other in the counters of both arms, and no traffic of the user: a trial
counts what comes after them, or a service without a single request would be switched by what the operator asked.
"""

from breakeven.api.variant import Variant
from breakeven.api.vocabulary import Reason
from breakeven.domain.answer import Answer, note
from breakeven.domain.counters.observation import Answers
from breakeven.domain.counters.windows import batch_length
from breakeven.domain.rules.transitions import fail_trial
from breakeven.domain.situation import Situation

SHOWN_LATER = 2
"""Batches until the last prompt is in a scrape, and in the batch that is cut from it."""


def guard_answers(situation: Situation) -> Answer:
    """End a trial whose canary answers greedy prompts otherwise than what serves; else count from their end."""
    canary = situation.memory.canary
    if not situation.on_trial or canary is None:
        return None
    fleet = situation.fleet(canary)
    if fleet is None or fleet.answers is Answers.PENDING or not fleet.answers_message:
        return None
    if fleet.answers is not Answers.DIFFERENT:
        return _counts_from_now(situation, canary)
    message = (
        f"{fleet.answers_message}: a draft that is verified changes no greedy answer, so report it to the engine's"
        " project and try another spec.engine.image or spec.draft.method"
    )
    return fail_trial(situation, Reason.ANSWERS_DIFFER, message)


def _counts_from_now(situation: Situation, canary: Variant) -> Answer:
    if situation.memory.compared == canary.name:
        return None
    shown = situation.time + SHOWN_LATER * batch_length(situation.evidence)
    return note(compared=canary.name, evidence_after=shown)
