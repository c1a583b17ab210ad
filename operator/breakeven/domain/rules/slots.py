"""Which two variants the pods of what serves hold, where they hold two."""

from breakeven.api.variant import Variant
from breakeven.domain.rules.ladder import next_candidate
from breakeven.domain.situation import Situation


def slots(situation: Situation) -> tuple[Variant, Variant | None] | None:
    """What serves, and beside it, in this order:

    1. the variant on trial, if the same pods can hold it;
    2. where what serves speculates, the same without: the control, and where switching off goes;
    3. where it does not, what would be tried next: it loads while the other serves, so the trial begins in a second.

    None in Reload. The second is None where nothing is declared to try, or what is would need pods of its own.
    """
    if not situation.warm:
        return None
    stable, canary = situation.stable, situation.memory.canary
    if situation.on_trial and canary is not None and not situation.moves_pods:
        return stable, canary
    if stable.speculates:
        return stable, stable.baseline
    following = next_candidate(situation) if situation.wished.speculates else None
    return stable, following if following is not None and situation.same_pods(stable, following) else None
