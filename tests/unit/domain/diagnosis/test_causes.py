"""Every cause, found by whole passes over counters while speculation serves, and a near case that is not it.

To begin with four tokens are drafted, two of them accepted (E 3), and a step takes twice as long (R 2): S 1.5.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from functools import cache

import pytest

from breakeven.api.status import State
from breakeven.api.variant import Variant

from ..conftest import World, spec_of

Change = Callable[[World], None]
FAST = {0.0125: 0.97, 0.025: 0.03}
"""Time per output token with speculation, by share of the requests."""
SLOW = {0.0200: 0.97, 0.030: 0.03}
"""Without."""
TORN = {0.0125: 0.90, 0.060: 0.10}


def now(*, accepted: float = 2.0, step: float = 2.0) -> Change:
    """So many accepted tokens a draft, and R."""

    def change(w: World) -> None:
        w.accepted = lambda variant: accepted
        w.speedup = lambda variant: (1 + accepted) / step if variant.speculates else 1.0

    return change


def busier(times: float, *, step: float) -> Change:
    """So many times the load, at which time per output token without speculation is known."""

    def change(w: World) -> None:
        now(step=step)(w)
        w.requests_per_second *= times
        known = [band.model_copy(update={"load": band.load * Decimal(times)}) for band in w.memory.profile]
        w.memory = w.memory.model_copy(update={"profile": [*w.memory.profile, *known]})

    return change


def queueing(*, control: float, speculating: float) -> Change:
    def change(w: World) -> None:
        w.waiting = lambda variant: speculating if variant.speculates else control

    return change


def spread(on: dict[float, float]) -> Change:
    def change(w: World) -> None:
        w.latencies = lambda variant: on if variant.speculates else SLOW

    return change


def silent(requests_per_second: float) -> Change:
    def change(w: World) -> None:
        w.requests_per_second = requests_per_second

    return change


def decaying(hours: float) -> Change:
    """Acceptance falls to a half over so many hours, with R as it was."""

    def change(w: World) -> None:
        begin = w.now

        def accepted(_: Variant) -> float:
            return 2.0 * (1 - 0.5 * min(1.0, (w.now - begin) / timedelta(hours=hours)))

        w.accepted = accepted
        w.speedup = lambda variant: (1 + accepted(variant)) / 2.0 if variant.speculates else 1.0

    return change


def quantized(accepted: float) -> Change:
    """The user quantizes the target; the pair then accepts so many tokens a draft, at the same R."""

    def change(w: World) -> None:
        target = {"model": "meta-llama/Llama-3.1-70B-Instruct", "quantization": "FP8"}
        w.spec = spec_of(draft=DRAFT, target=target, replicas=6)
        w.generation += 1
        w.accepted = lambda variant: accepted
        w.speedup = lambda variant: (1 + accepted) / 2.0 if variant.speculates else 1.0

    return change


def odd(share: float) -> Change:
    def change(w: World) -> None:
        w.pods = lambda variant, pod: share if pod == 1 else 1.0

    return change


def failing(why: str) -> Change:
    def change(w: World) -> None:
        w.failing = why

    return change


def unplaced(why: str) -> Change:
    def change(w: World) -> None:
        w.unschedulable = why

    return change


DRAFT = {"model": "meta-llama/Llama-3.1-8B-Instruct", "numSpeculativeTokens": 4}
LIVE, STORED = "Always", "Never"


@dataclass(frozen=True)
class Case:
    change: Change
    reason: str
    """Empty: nothing is found."""
    figures: str = ""
    """What the message must have; a regular expression."""
    control: str = LIVE
    hours: float = 1.5
    before: tuple[str, ...] = ()
    """Causes that may be found on the way."""


CASES = {
    "load": Case(
        busier(3, step=2.6), "Load", r"R rose from 2\.\d+ to 2\.\d+ .*load went from \S+ to \S+ output tokens"
    ),
    "load, R the same": Case(busier(3, step=2.0), ""),
    "load, against the stored control": Case(
        busier(1.9, step=2.6), "Load", r"R rose from 2\.\d+ to 2\.\d+ .*load went", STORED
    ),
    "load, the control queues too": Case(
        queueing(control=20, speculating=20), "Load", r"\d+ requests wait per replica, and \d+ in the control"
    ),
    "load, the control does not queue": Case(queueing(control=0, speculating=7), ""),
    "mixed traffic": Case(spread(TORN), "MixedTraffic", r"P50 TPOT x0\.\d+ \[.*P99 TPOT x1\.\d+ \["),
    "mixed traffic, the tail better as well": Case(spread(FAST), ""),
    "temperature": Case(
        now(accepted=1.4), "TemperatureShift", r"acceptance fell from 0\.5\S* to 0\.\d+ .* step times did not rise"
    ),
    "temperature, R up by less": Case(
        now(accepted=1.5, step=2.25), "TemperatureShift", r"acceptance fell .* explains more of the loss than R rose"
    ),
    "steps, acceptance down by less": Case(now(accepted=1.7, step=2.6), "StepTimeRose", r"R rose"),
    "temperature, hardly": Case(now(accepted=1.9), ""),
    "temperature, against the stored control": Case(
        now(accepted=1.4), "TemperatureShift", r"step times did not rise", STORED
    ),
    "draft": Case(now(accepted=0.2), "DraftMismatch", r"acceptance 0\.0\d+, and it was 0\.5\S* at the promotion"),
    "draft, low but not none": Case(now(accepted=1.0, step=1.8), "TemperatureShift"),
    "quantized": Case(
        quantized(1.6), "QuantizationPenalty", r"acceptance 0\.400 against 0\.5\S* .*baselineDropPoints", hours=4
    ),
    "quantized, within the points": Case(quantized(1.9), "", hours=4),
    "decay": Case(
        decaying(4),
        "DegradedUntilRestart",
        r"0\.\d+, 0\.\d+, 0\.\d+ in the thirds .*command: restart",
        hours=4,
        before=("TemperatureShift",),
    ),
    "decay, in one step": Case(decaying(0.01), "TemperatureShift", hours=4),
    "idle": Case(silent(0.0), "Idle", r"0 requests finished in 30 min"),
    "idle, a trickle": Case(silent(0.02), ""),
    "idle, against the stored control": Case(silent(0.0), "Idle", r"0 requests finished", STORED),
    "fault": Case(failing("CrashLoopBackOff: exit 1"), "EngineFault", r"CrashLoopBackOff: exit 1"),
    "fault, only no node": Case(unplaced("0/8 nodes are available"), ""),
    "steps": Case(now(step=2.5), "StepTimeRose", r"R rose from 2\.\d+ to 2\.\d+ .*same load"),
    "steps, hardly": Case(now(step=2.1), ""),
    "steps, against the stored control": Case(
        now(step=2.5), "StepTimeRose", r"R rose from 2\.\d+ to 2\.\d+ .*same load", STORED
    ),
    "odd replica": Case(odd(0.4), "OutlierReplica", r"replica \w+-1 is far .*acceptance 0\.200 against 0\.500"),
    "odd replica, hardly": Case(odd(0.95), ""),
}


@cache
def speculating(control: str) -> World:
    """Two hours after the promotion."""
    w = World(spec=spec_of(draft=DRAFT, replicas=6, policy={"holdback": {"mode": control}}))
    w.look()
    now()(w)
    w.latencies = lambda variant: FAST if variant.speculates else SLOW
    w.until(State.SPECULATING)
    w.run(timedelta(hours=2))
    assert w.memory.diagnosis is None
    return w


@pytest.mark.parametrize("name", CASES)
def test_the_cause_is_a_reason_with_its_figures(name: str) -> None:
    case = CASES[name]
    before = speculating(case.control)
    w = replace(before, batches={arm: list(seen) for arm, seen in before.batches.items()}, decisions=[])
    w.settled, w.variants, w.serving = dict(before.settled), dict(before.variants), dict(before.serving)
    case.change(w)
    told: dict[str, str] = {}
    until = w.now + timedelta(hours=case.hours)
    while w.now < until:
        w.step()
        said = next((f for f in w.last.findings if f.type == "Diagnosis" and f.status), None)
        if said is not None:
            told.setdefault(said.reason, said.message)
    assert list(told) == [*case.before, case.reason] if case.reason else not told, told
    assert not case.reason or re.search(case.figures, told[case.reason]), told
