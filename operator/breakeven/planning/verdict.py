"""One line at the head of a plan: use it, leave it off, measure first, or what keeps it from starting, and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from breakeven.planning.confidence import Verdict
from breakeven.planning.outlook import Outlook, Prediction
from breakeven.planning.pairing import Severity
from breakeven.planning.placement import GpuPlan, Start
from breakeven.planning.plan import Plan


class Answer(StrEnum):
    """What a plan comes to."""

    USE = "Use it"
    LEAVE_OFF = "Leave it off"
    MEASURE = "Measure first"
    DOES_NOT_START = "Does not start"


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """The answer and its reason."""

    answer: Answer
    reason: str

    def __str__(self) -> str:
        return f"{self.answer.value}: {self.reason}"


def headline(plan: Plan) -> Headline | None:
    """The answer of a plan; None without a draft. It is a prediction: the canary decides."""
    if plan.method is None:
        return None
    refused = [remark for remark in plan.remarks if remark.severity is Severity.REFUSAL]
    if refused:
        more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
        return Headline(answer=Answer.DOES_NOT_START, reason=f"spec.{refused[0].field}: {refused[0].message}{more}")
    seen = [(p, p.outlook) for p in plan.placements if p.outlook is not None and p.outlook.predictions]
    if not seen:
        missing = plan.unknowns[0] if plan.unknowns else "step times"
        return Headline(answer=Answer.MEASURE, reason=f"nothing can be predicted without {missing}")
    worst = min(seen, key=lambda pair: _weight(pair[1]))
    return _of(plan, *worst)


def _weight(outlook: Outlook) -> float:
    return min(p.interval.low for p in _fitting(outlook))


def _fitting(outlook: Outlook) -> Sequence[Prediction]:
    """Predictions at batches that have room and at which something is drafted; all of them when there is none."""
    return [p for p in outlook.predictions if p.fits is not False and p.k > 0] or outlook.predictions


def _of(plan: Plan, placement: GpuPlan, outlook: Outlook) -> Headline:
    found = _fitting(outlook)
    pays = [p for p in found if p.interval.verdict is Verdict.PAYS]
    loses = [p for p in found if p.interval.verdict is Verdict.DOES_NOT]
    where = f" on {placement.gpu}" if len(plan.placements) > 1 else ""
    cost = _cost(placement) + _idle(outlook)
    if len(pays) == len(found):
        text = f"likely faster at every load looked at{where}, {_span(found)}; {_needs(plan, found[-1])}{cost}"
        return Headline(answer=Answer.USE, reason=text)
    steady = _leading(found)
    if steady and pays == steady:
        last, after = steady[-1], found[len(steady)]
        beyond = "likely slower" if after.interval.verdict is Verdict.DOES_NOT else "unsure"
        text = (
            f"likely faster up to {last.batch} running requests a replica{where}, {_span(steady)}; {beyond} from "
            f"{after.batch} on ({_s(after)}); {_needs(plan, last)}{cost}"
        )
        return Headline(answer=Answer.USE, reason=text)
    if loses and not pays and 2 * len(loses) > len(found):
        text = f"likely slower from {loses[0].batch} running requests a replica{where} on, {_span(loses)}"
        if len(loses) < len(found):
            text += ", and unsure elsewhere"
        return Headline(answer=Answer.LEAVE_OFF, reason=f"{text}; {_needs(plan, loses[0])}{cost}")
    tight = ", if it starts at all" if placement.starts is Start.TIGHT else ""
    slow = f", likely slower from {loses[0].batch} on" if loses else ""
    text = f"the prediction cannot tell{where}, {_span(found)}{slow}{tight}; {_needs(plan, found[0])}{cost}"
    return Headline(answer=Answer.MEASURE, reason=text)


def _leading(found: Sequence[Prediction]) -> list[Prediction]:
    """Predictions from the smallest batch up to the last one that likely pays without a break."""
    steady = []
    for p in found:
        if p.interval.verdict is not Verdict.PAYS:
            break
        steady.append(p)
    return steady


def _s(p: Prediction) -> str:
    return f"S {p.speedup:.2f} [{p.interval.low:.2f}, {p.interval.high:.2f}]"


def _span(found: Sequence[Prediction]) -> str:
    first, last = found[0], found[-1]
    if first is last:
        return f"{_s(first)} at {first.batch}"
    return f"{_s(first)} at {first.batch} and {_s(last)} at {last.batch}"


def _needs(plan: Plan, p: Prediction) -> str:
    """What acceptance it takes against what is taken for it."""
    taken = plan.acceptance
    if p.k == 0 or taken is None:
        return "nothing is drafted there"
    if p.break_even > 1.0:
        return f"no acceptance is enough at {p.batch}"
    have = (p.tokens - 1.0) / p.k
    word = "given" if taken.given else "assumed"
    return f"needs {p.break_even:.2f} of the drafted tokens accepted at {p.batch}, {have:.2f} {word}"


def _idle(outlook: Outlook) -> str:
    idle = next((p for p in outlook.predictions if p.k == 0), None)
    return "" if idle is None else f"; from {idle.batch} on nothing is drafted, which still costs ({_s(idle)})"


def _cost(placement: GpuPlan) -> str:
    off, on = placement.baseline, placement.variant
    if placement.lost is None or off is None or on is None or off.requests == on.requests:
        return ""
    return f"; takes {placement.lost:.0%} of the KV cache, {off.requests - on.requests} of {off.requests} full requests"
