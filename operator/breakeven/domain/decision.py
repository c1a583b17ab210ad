"""What one pass decides."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypedDict

from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.api.status import DecisionRecord, EvidenceStatus, Memory, Role
from breakeven.api.variant import Variant
from breakeven.api.vocabulary import HoldReason, Reason
from breakeven.domain.answer import Stay
from breakeven.domain.counters.observation import Arm
from breakeven.domain.rota import Rota


class LookedAt(TypedDict):
    """What a memory keeps of what was declared, by field."""

    generation: int
    template: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What the resource says at this moment."""

    spec: SpeculativeDeploymentSpec
    generation: int
    template: str = ""
    """Checksum of the pod template that `spec.workloadRef` names, which changes without the resource; empty: none."""
    command: str = ""
    """One-shot annotation `breakeven.dev/command`: promote, abort, retry or restart; empty when there is none."""
    command_id: str = ""
    """Identity of that command (the whole text of the annotation), recorded when consumed."""
    planned_loading_minutes: float | None = None
    """Minutes from pod start to ready as planned; used until one was measured. None: not planned."""

    @property
    def looked_at(self) -> LookedAt:
        """What the memory keeps of it once a pass looked at it."""
        return {"generation": self.generation, "template": self.template}


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Replicas that one variant should end up with; how to get there is `control`'s to know."""

    variant: Variant
    role: Role
    replicas: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A condition that deciding found: report it, do not act on it."""

    type: str
    status: bool | None
    """None is Unknown."""
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Why nothing is judged. Free of moving figures: it is reported in status, and the same Hold must read the same."""

    reason: HoldReason | Reason
    """A reason of the condition MetricsAvailable while the metrics are away."""
    message: str

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do, what to remember, what to say."""

    memory: Memory
    placements: tuple[Placement, ...]
    """Stable first. Replicas sum to the declared ones. In Warm they name pods by what serves in them: a variant on
    trial or a control has none of its own, unless it differs in more than the draft."""
    rota: Rota | None = None
    """In Warm, which variant is awake when in the pods of what serves. None: Reload, a pod has one variant."""
    slots: tuple[Variant, Variant | None] | None = None
    """In Warm, what each of those pods holds: what serves, and what it alternates with or is likely to be switched to
    next; that is None where there is no such thing. None: Reload."""
    news: tuple[DecisionRecord, ...] = ()
    """Decisions taken in this pass: each becomes an Event and a line in the log."""
    findings: tuple[Finding, ...] = ()
    evidence: EvidenceStatus | None = None
    hold: Hold | None = None
    """Why nothing is judged; None when judging."""
    stay: Stay | None = None
    """Why nothing was changed. None: what runs is what is wanted, or something was changed."""
    next_window: float | None = None
    """When the window under way will be over, Unix seconds. None: none is under way."""
    suspects: bool = False
    """The newest minutes look like a loss: the next increment may show it, so the next look has to be a whole one."""
    asks: Callable[[Mapping[str, Arm], datetime], bool] | None = None
    """Whether newer evidence asks for another pass before that, while memory, spec and fleet stay. None: any does."""
    look_again: timedelta = timedelta(seconds=15)
    """When deciding may come out differently without any event."""
