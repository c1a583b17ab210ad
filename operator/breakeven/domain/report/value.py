"""What speculation gained and what knowing cost, summed batch by batch over judged windows.

A batch counts with the speed-up of the window it was judged in; what was not judged is not counted. The sums live in
the memory, but their growth alone is no news (docs/decisions.md, "Value").
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from breakeven.api.changes import changed
from breakeven.api.status import Memory
from breakeven.api.value import ValueHour, ValueStatus, ValueSums
from breakeven.domain.counters.observation import Batch
from breakeven.domain.evidence.judgement import Judged, Judgement
from breakeven.domain.measures.speedup import decode_tokens
from breakeven.domain.situation import Situation

HOURS = 24
WRITTEN_EVERY = timedelta(hours=1)
"""Sums that moved are written no more often than this."""
DEAD_BAND = 0.05
"""Growth below this share of a sum tells nobody anything."""
LARGEST = 10**15
"""Tokens beyond this are a counter gone wrong."""
_MOST_HOURS = Decimal(10**8)
_FINEST = Decimal("0.000001")


def with_value(situation: Situation, judgement: Judgement) -> Memory:
    """The memory with the newly judged batches in its sums; the same memory when there are none."""
    memory, on = _aged(situation), situation.memory.canary if situation.on_trial else situation.stable
    if memory.since is None or on is None or not on.speculates:
        return memory
    if not isinstance(judgement, Judged) or judgement.speedup is None:
        return memory
    if situation.on_trial and situation.stable.speculates:
        return memory  # both arms speculate: their ratio is not what speculation gained
    before = memory.value
    until = before.counted_until.timestamp() if before is not None else memory.since.timestamp()
    begin = max(until, judgement.span.start)
    speculating = _between(judgement.on_batches, begin, judgement.span.end)
    if not speculating:
        return memory
    control = _between(judgement.off_batches, begin, judgement.span.end) if judgement.live_control else ()
    lower, value = judgement.speedup.lower(), judgement.speedup.value
    fresh = _gained(speculating, value, lower, control)
    if fresh is None:
        return memory
    end = datetime.fromtimestamp(speculating[-1].end, UTC)
    return changed(memory, value=_grown(before, fresh, since=memory.since, end=end))


def worth_writing(new: ValueStatus | None, old: ValueStatus | None) -> bool:
    """Whether sums that moved are news by themselves: an hour after they were last written, beyond a dead band."""
    if new is None or new == old:
        return False
    written = old.counted_until if old is not None else new.since
    if new.counted_until - written < WRITTEN_EVERY:
        return False
    pairs = [(new.since_verdict, old.since_verdict), (new.day, old.day)] if old is not None else []
    return old is None or any(_moved(a, b) for a, b in pairs)


def _moved(new: ValueSums, old: ValueSums) -> bool:
    return any(
        abs(a - b) > DEAD_BAND * abs(b) for a, b in ((new.tokens, old.tokens), (new.cost_tokens, old.cost_tokens))
    )


def _between(batches: Sequence[Batch], begin: float, end: float) -> Sequence[Batch]:
    first = bisect_right(batches, begin - 0.001, key=lambda batch: batch.start)
    return [batch for batch in batches[first:] if batch.end <= end + 0.001]


def _gained(on: Sequence[Batch], value: float, lower: float, control: Sequence[Batch]) -> ValueSums | None:
    """The sums of these batches; None when they cannot be determined."""
    tokens, hours = _amounts(on)
    theirs, their_hours = _amounts(control)
    if not (0 < lower <= value < math.inf) or max(tokens, theirs) > LARGEST:
        return None
    return ValueSums(
        tokens=round(max(-LARGEST, tokens * (1 - 1 / value))),
        tokens_lower=round(max(-LARGEST, tokens * (1 - 1 / lower))),
        replica_hours=_decimal(hours * (value - 1)),
        replica_hours_lower=_decimal(hours * (lower - 1)),
        cost_tokens=round(min(LARGEST, max(0.0, theirs * (value - 1)))),
        cost_replica_hours=_decimal(max(0.0, their_hours * (value - 1))),
    )


def _amounts(batches: Sequence[Batch]) -> tuple[float, float]:
    """Decoded tokens and replica-hours."""
    tokens = math.fsum(decode_tokens(batch.totals) or 0.0 for batch in batches)
    hours = math.fsum(batch.replicas * (batch.end - batch.start) / 3600 for batch in batches)
    return tokens, hours


def _decimal(value: float) -> Decimal:
    return Decimal(f"{max(-1e8, min(1e8, value)):.6f}").quantize(_FINEST)


def _grown(before: ValueStatus | None, fresh: ValueSums, *, since: datetime, end: datetime) -> ValueStatus:
    same = before is not None and before.since == since
    total = _added(before.since_verdict, fresh) if before is not None and same else fresh
    hour = (end - timedelta(microseconds=1)).replace(minute=0, second=0, microsecond=0)
    oldest = hour - timedelta(hours=HOURS - 1)
    known = [known for known in before.hours if known.start >= oldest] if before is not None else []
    present = next((known for known in known if known.start == hour), None)
    others = [known for known in known if known.start != hour]
    grown = _added(present, fresh) if present is not None else fresh
    hours = sorted([*others, ValueHour(start=hour, **_fields(grown))], key=lambda each: each.start)[-HOURS:]
    return ValueStatus(counted_until=end, since=since, since_verdict=total, day=_day(hours), hours=hours)


def _aged(situation: Situation) -> Memory:
    """The memory without hours that are over for a day."""
    value = situation.memory.value
    hours = (
        [hour for hour in value.hours if situation.time - hour.start < timedelta(hours=HOURS)]
        if value is not None
        else []
    )
    if value is None or len(hours) == len(value.hours):
        return situation.memory
    fresh = value.model_copy(update={"hours": hours, "day": _day(hours)})
    return changed(situation.memory, value=fresh)


def _day(hours: Sequence[ValueHour]) -> ValueSums:
    day = ValueSums()
    for each in hours:
        day = _added(day, each)
    return day


def _fields(sums: ValueSums) -> dict[str, int | Decimal]:
    return {name: getattr(sums, name) for name in ValueSums.model_fields}


def _added(first: ValueSums, second: ValueSums) -> ValueSums:
    return ValueSums.model_validate({n: _held(v + getattr(second, n)) for n, v in _fields(first).items()})


def _held(total: int | Decimal) -> int | Decimal:
    """A sum that stays what the status can hold, however wrong the counters behind it are."""
    limit = LARGEST if isinstance(total, int) else _MOST_HOURS
    return max(-limit, min(limit, total))
