"""What was learned by hour of day: S often follows the clock (other users by night), at equal load.

One letter an hour, UTC, of what was last shown in it. A failure in an hour that lost does not speak against an hour
that paid, and an hour that lost is not tried again while one that paid is near. A trial that fails in an hour that
had paid says that it is not the clock: what is remembered of all others that paid is forgotten.
"""

from datetime import datetime, timedelta

from breakeven.api.status import State
from breakeven.domain.answer import Note, note
from breakeven.domain.evidence.judgement import Judged, Judgement
from breakeven.domain.measures.verdict import Verdict
from breakeven.domain.rules.cooldown import LONGEST
from breakeven.domain.situation import Situation

HOURS = 24
UNKNOWN, PAID, LOST = ".", "P", "L"
SHOWN = {Verdict.PAYS: PAID, Verdict.HURTS: LOST}


def learn(situation: Situation, judgement: Judgement) -> Note | None:
    """Remember what this hour has shown, when it is not what is remembered of it."""
    if not isinstance(judgement, Judged) or (situation.on_trial and situation.stable.speculates):
        return None
    shown = SHOWN.get(judgement.verdict)
    hour = datetime.fromtimestamp(judgement.span.end, situation.time.tzinfo).hour
    if shown is None or of(situation, hour) == shown:
        return None
    known = situation.memory.hours or UNKNOWN * HOURS
    if situation.on_trial and of(situation, hour) == PAID:
        known = known.replace(PAID, UNKNOWN)
    return note(hours=known[:hour] + shown + known[hour + 1 :])


def of(situation: Situation, hour: int) -> str:
    """What was last shown in an hour of the day."""
    return (situation.memory.hours or UNKNOWN * HOURS)[hour % HOURS]


def another(situation: Situation) -> bool:
    """Whether the failure was in an hour that loses and this is one that paid."""
    since = situation.memory.since
    return since is not None and of(situation, since.hour) == LOST and of(situation, situation.time.hour) == PAID


def waits(situation: Situation) -> bool:
    """Whether this hour lost when it was last seen, and one that paid comes before the longest cooldown is over."""
    memory, now = situation.memory, situation.time
    if memory.state != State.COOLDOWN or memory.since is None or of(situation, now.hour) != LOST:
        return False
    left = memory.since + LONGEST - now
    ahead = range(1, HOURS)
    return any(of(situation, now.hour + hour) == PAID and timedelta(hours=hour) <= left for hour in ahead)
