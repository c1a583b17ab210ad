"""Moves in words."""

from breakeven.api.status import Role, VariantStatus
from breakeven.control.move_wording import explained, variant_words
from breakeven.control.moves import Arrived, Blocked, Step, Wait
from breakeven.domain.decision import Finding

OLD = VariantStatus(name="0123456789", role=Role.STABLE, speculation="off", speculates=False, wanted=0, ready=1)
WORDS = variant_words((), [OLD])


def test_hash_of_a_variant_is_followed_by_what_it_drafts_with() -> None:
    step = explained(Step(replicas={"0123456789": 1}, reason="stop a replica of 0123456789 to free its GPU"), WORDS)
    assert isinstance(step, Step)
    assert step.reason == "stop a replica of 0123456789 (no speculation) to free its GPU"
    blocked = explained(Blocked(finding=Finding(type="x", status=False, reason="y", message="0123456789 waits")), WORDS)
    assert isinstance(blocked, Blocked)
    assert blocked.finding.message == "0123456789 (no speculation) waits"


def test_names_of_pods_stay_as_they_are() -> None:
    wait = Wait(reason="chat-0123456789-abcde: CrashLoopBackOff")
    assert explained(wait, WORDS) == wait
    assert explained(Arrived(), WORDS) == Arrived()
