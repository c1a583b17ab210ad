"""A draft that woke up without its weights: it drafts as before, and next to nothing is accepted. Pure.

Level 2 of vLLM's sleep mode loses them silently (https://github.com/vllm-project/vllm/issues/52479). Level 1 does not,
and nobody should find out by a day of slow answers if that changes.
"""

from collections.abc import Mapping
from datetime import datetime

from breakeven.control.warm.fleet import WarmPool
from breakeven.control.warm.orders import WarmPod
from breakeven.domain.counters.observation import Arm, Batch

DRAFTED = 500
"""Drafted tokens that are looked at: of so many, a draft that accepts 3 % shows so little three times in a thousand."""
NOTHING = 0.01
"""Share of accepted ones up to which nothing is accepted."""
SOMETHING = 0.1
"""Share that it must have had before."""


def note_lost_drafts(warm: Mapping[str, WarmPool], arms: Mapping[str, Arm]) -> None:
    """Write into the book which variant must not be woken again in which replica."""
    for pool in warm.values():
        for pod in pool.pods:
            state = pod.known.state
            if state is None or state.last is None or state.last.error or state.awake != state.last.to:
                continue
            arm = arms.get(state.awake)
            if arm is not None and state.awake not in pod.known.lost:
                why = _lost(arm, pod, state.last.at)
                if why:
                    pod.known.lost[state.awake] = why


def _lost(arm: Arm, pod: WarmPod, woken: datetime) -> str:
    at = woken.timestamp()
    drafted, accepted = _sums([b for b in arm.newest if b.start >= at], pod.name)
    if drafted < DRAFTED or accepted > NOTHING * drafted:
        return ""
    before, kept = _sums([b for b in arm.batches if b.end <= at], "")
    if before < DRAFTED or kept < SOMETHING * before:
        return ""
    return (
        f"woke up and accepts {accepted / drafted:.3f} of what it drafts, where it was {kept / before:.3f}: "
        "it has lost the weights of its draft, and is not woken again before it was loaded anew"
    )


def _sums(batches: list[Batch], pod: str) -> tuple[float, float]:
    """Drafted and accepted tokens, of one replica where they are told apart."""
    drafted = accepted = 0.0
    for batch in batches:
        shares = [s for s in batch.shares if s.replica == pod] if pod and batch.shares else [batch.totals]
        drafted += sum(s.drafted or 0.0 for s in shares)
        accepted += sum(s.accepted or 0.0 for s in shares)
    return drafted, accepted
