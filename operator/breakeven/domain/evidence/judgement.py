"""What the newest windows say: a verdict, why there is none, or that there is nothing to compare."""

from dataclasses import dataclass
from typing import TypeAlias

from breakeven.api.status import EvidenceStatus, Source
from breakeven.api.vocabulary import HoldReason, Reason
from breakeven.domain.counters.observation import Batch, Outage
from breakeven.domain.counters.windows import Span
from breakeven.domain.decision import Hold
from breakeven.domain.measures.figures import Sums
from breakeven.domain.measures.statistics import LogRatio
from breakeven.domain.measures.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """A clause beside the speed-up that forbids promotion: tail latency, or the user's own threshold."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Windows:
    """What was measured, judged or not."""

    span: Span | None = None
    on: Sums | None = None
    """What speculates, or is on trial."""
    off: Sums | None = None
    """The live control."""
    on_batches: tuple[Batch, ...] = ()
    off_batches: tuple[Batch, ...] = ()
    report: EvidenceStatus | None = None
    windows: int = 0
    """Complete windows since the arms became comparable."""
    next_end: float | None = None
    """When the window under way will be over; Unix seconds."""
    suspects: bool = False
    """The newest point of the sequential alarm is slow, and the alarm may be raised by the next."""
    waited_out: bool = False
    """The alarm is raised, and the loss is too short as yet for what is known of bursts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing(_Windows):
    """Nothing speculates and nothing is on trial: there is nothing to compare."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held(_Windows):
    """No verdict, and why."""

    hold: Hold


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged(_Windows):
    """A verdict, and what it rests on."""

    verdict: Verdict
    source: Source
    span: Span
    on: Sums
    report: EvidenceStatus
    speedup: LogRatio | None
    """None: the user's own floor decided where S could not be measured."""
    off_tpot: LogRatio | None = None
    """Seconds per output token of the live control."""
    live_control: bool = False
    sudden: bool = False
    """Judged by the sequential alarm, on the newest minutes alone."""
    objection: Objection | None = None
    decisive: LogRatio | None = None
    """What the objective was judged by, where that is not S: above 1 is better."""
    kept: bool = False
    """Requests stay within the bounds of the objective, so a loss of decoding speed alone is none."""
    unread: str | None = None
    """What the objective or a clause asks for and the histograms do not show, without moving figures. None: no
    histogram was read."""
    awaits: str = ""
    """A clause that will be known before the trial is over, and that a promotion waits for."""

    @property
    def worth(self) -> LogRatio | None:
        """How much better it is with speculation by what is judged."""
        return self.decisive or self.speedup


Judgement: TypeAlias = Judged | Held | Nothing


def verdict_of(judgement: Judgement) -> Verdict | None:
    """The verdict; None when nothing was judged."""
    return judgement.verdict if isinstance(judgement, Judged) else None


def figures_of(judgement: Judgement) -> str:
    """The figures in words; empty when nothing was measured."""
    return judgement.report.message if judgement.report is not None else ""


def held(reason: HoldReason, message: str) -> Held:
    """No verdict for this reason."""
    return Held(hold=Hold(reason=reason, message=message))


def held_by(outage: Outage) -> Held:
    """The same word as the condition MetricsAvailable has; NoData where a feed uses a word that is not published."""
    published = outage.reason in Reason.__members__.values()
    return Held(hold=Hold(reason=Reason(outage.reason) if published else Reason.NO_DATA, message=outage.message))
