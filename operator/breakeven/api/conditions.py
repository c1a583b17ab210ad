"""Condition types, their reasons, and the one way to set a condition.

`Reconciling` and `Stalled` follow kstatus: they are there only while True. kstatus reads them before `Ready`, so a resource
is "in progress" while it carries Reconciling, "failed" while it carries Stalled, and done when it carries neither and Ready
is True (https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md). Ready says whether the service
serves as declared; a healthy service with speculation switched off is Ready.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from breakeven.api.status import Condition


class ConditionType(StrEnum):
    """Names of the conditions."""

    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    SPECULATION_ACTIVE = "SpeculationActive"
    METRICS_AVAILABLE = "MetricsAvailable"
    ACCEPTANCE_HEALTHY = "AcceptanceHealthy"
    DIAGNOSIS = "Diagnosis"
    MEMORY_BUDGET = "MemoryBudget"
    CAPACITY_AVAILABLE = "CapacityAvailable"
    ENGINE_VERSION_KNOWN = "EngineVersionKnown"
    CONFIGURATION_VALID = "ConfigurationValid"
    PAUSED = "Paused"
    FOREIGN_OBJECTS = "ForeignObjects"


class Reason(StrEnum):
    """Reasons that conditions carry. `CONDITIONS` says which type uses which, and what it means there."""

    # Ready, Reconciling, Stalled
    SERVING = "Serving"
    SCALED_TO_ZERO = "ScaledToZero"
    REPLICAS_UNREADY = "ReplicasUnready"
    NOT_OBSERVED = "NotObserved"
    PROGRESSING = "Progressing"
    NEW_GENERATION = "NewGeneration"
    MOVING_REPLICAS = "MovingReplicas"
    LOADING_ENGINE = "LoadingEngine"
    ENGINE_FAILING = "EngineFailing"
    SMOKE_TEST_FAILED = "SmokeTestFailed"
    APPLY_REFUSED = "ApplyRefused"
    INVALID_CONFIGURATION = "InvalidConfiguration"
    UNSUPPORTED_BY_ENGINE = "UnsupportedByEngine"
    STATUS_UNREADABLE = "StatusUnreadable"
    POD_NOT_STOPPING = "PodNotStopping"
    # SpeculationActive
    PAYS = "Pays"
    PINNED_ON = "PinnedOn"
    PINNED_OFF = "PinnedOff"
    NO_DRAFT = "NoDraft"
    NOT_YET_PROVEN = "NotYetProven"
    ON_TRIAL = "OnTrial"
    BELOW_BREAK_EVEN = "BelowBreakEven"
    BELOW_ACCEPTANCE_FLOOR = "BelowAcceptanceFloor"
    LATENCY_REGRESSION = "LatencyRegression"
    TRIAL_FAILED = "TrialFailed"
    SWITCH_BLOCKED = "SwitchBlocked"
    COOLING_DOWN = "CoolingDown"
    TOO_MANY_TRANSITIONS = "TooManyTransitions"
    ADVISED_OFF = "AdvisedOff"
    ADVISED_ON = "AdvisedOn"
    # MetricsAvailable
    FRESH = "Fresh"
    PROMETHEUS_UNREACHABLE = "PrometheusUnreachable"
    PROMETHEUS_NOT_ALLOWED = "PrometheusNotAllowed"
    NO_PROMETHEUS = "NoPrometheus"
    QUERY_FAILED = "QueryFailed"
    NO_DATA = "NoData"
    PODS_UNSCRAPED = "PodsUnscraped"
    STALE = "Stale"
    PARTIAL_DATA = "PartialData"
    FUTURE_SAMPLES = "FutureSamples"
    CLOCK_CHANGED = "ClockChanged"
    NAMES_UNKNOWN = "NamesUnknown"
    # AcceptanceHealthy
    HEALTHY = "Healthy"
    BELOW_CAUTION = "BelowCaution"
    BELOW_FLOOR = "BelowFloor"
    QUANTIZATION_PENALTY = "QuantizationPenalty"
    NOT_SPECULATING = "NotSpeculating"
    # Diagnosis
    LOAD = "Load"
    MIXED_TRAFFIC = "MixedTraffic"
    TEMPERATURE_SHIFT = "TemperatureShift"
    DRAFT_MISMATCH = "DraftMismatch"
    DEGRADED_UNTIL_RESTART = "DegradedUntilRestart"
    STEP_TIME_ROSE = "StepTimeRose"
    OUTLIER_REPLICA = "OutlierReplica"
    IDLE = "Idle"
    ENGINE_FAULT = "EngineFault"
    NOTHING_FOUND = "NothingFound"
    # MemoryBudget
    FITS = "Fits"
    TIGHT = "Tight"
    EXCEEDED = "Exceeded"
    FACTS_UNKNOWN = "FactsUnknown"
    # CapacityAvailable
    SUFFICIENT = "Sufficient"
    UNSCHEDULABLE = "Unschedulable"
    LAST_REPLICA = "LastReplica"
    OUTSIDE_WINDOW = "OutsideWindow"
    SWITCH_DOES_NOT_PAY = "SwitchDoesNotPay"
    HOLDBACK_NEEDS_REPLICA = "HoldbackNeedsReplica"
    # EngineVersionKnown
    KNOWN = "Known"
    NEAREST_OLDER = "NearestOlder"
    NOT_IN_TAG = "NotInTag"
    # ConfigurationValid
    VALID = "Valid"
    ADVICE = "Advice"
    # Paused
    BY_POLICY = "ByPolicy"
    ADVISE_ONLY = "AdviseOnly"
    NOT_PAUSED = "NotPaused"
    # ForeignObjects
    LABELS_OF_THIS_RESOURCE = "LabelsOfThisResource"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionDoc:
    """What a condition means and which reasons it may carry."""

    meaning: str
    """What True says."""
    reasons: Mapping[Reason, str]
    """Each reason with what it says."""
    only_while_true: bool = False
    """Whether the condition is absent instead of False (kstatus's Reconciling and Stalled)."""


CONDITIONS: Mapping[ConditionType, ConditionDoc] = {
    ConditionType.READY: ConditionDoc(
        meaning="The declared replicas serve, with or without speculation.",
        reasons={
            Reason.SERVING: "Every declared replica is ready.",
            Reason.SCALED_TO_ZERO: "No replica is declared, and none exists.",
            Reason.REPLICAS_UNREADY: "Fewer replicas are ready than declared.",
            Reason.NOT_OBSERVED: "The controller has not looked at this resource yet.",
            Reason.ENGINE_FAILING: "An engine does not come up; the message has its last words.",
            Reason.INVALID_CONFIGURATION: "The spec cannot be rendered; the message names the field.",
            Reason.UNSUPPORTED_BY_ENGINE: "The engine version cannot do this; the message names one that can.",
            Reason.UNSCHEDULABLE: "The scheduler finds no place for a replica.",
            Reason.APPLY_REFUSED: "An object cannot be written; the message says why.",
            Reason.STATUS_UNREADABLE: "The status was written by another release; nothing is done until it can be read.",
        },
    ),
    ConditionType.RECONCILING: ConditionDoc(
        meaning="The controller is working towards the declared state.",
        reasons={
            Reason.PROGRESSING: "Replicas are on their way.",
            Reason.NEW_GENERATION: "A changed spec is being carried out.",
            Reason.MOVING_REPLICAS: "Replicas move from one variant to another, one at a time.",
            Reason.LOADING_ENGINE: "An engine loads its model.",
        },
        only_while_true=True,
    ),
    ConditionType.STALLED: ConditionDoc(
        meaning="The declared state cannot be reached without a change by a person.",
        reasons={
            Reason.ENGINE_FAILING: "An engine keeps failing; the message has its last words.",
            Reason.SMOKE_TEST_FAILED: "A ready engine did not answer a real completion.",
            Reason.INVALID_CONFIGURATION: "The spec cannot be rendered; the message names the field.",
            Reason.UNSUPPORTED_BY_ENGINE: "The engine version cannot do this; the message names one that can.",
            Reason.APPLY_REFUSED: "An object cannot be written; the message says why.",
            Reason.STATUS_UNREADABLE: "The status was written by another release; nothing is done until it can be read.",
            Reason.UNSCHEDULABLE: "No node can take a replica; the message is the scheduler's.",
            Reason.POD_NOT_STOPPING: "A pod terminates beyond its grace period, as on a dead node; nothing waits for it.",
        },
        only_while_true=True,
    ),
    ConditionType.SPECULATION_ACTIVE: ConditionDoc(
        meaning="The stable variant speculates.",
        reasons={
            Reason.PAYS: "True: the measured speed-up is above break-even.",
            Reason.PINNED_ON: "True: spec.policy.mode is AlwaysOn.",
            Reason.PINNED_OFF: "False: spec.policy.mode is AlwaysOff.",
            Reason.NO_DRAFT: "False: spec.draft is absent.",
            Reason.NOT_YET_PROVEN: "Not judged yet.",
            Reason.ON_TRIAL: "False: a canary is being measured.",
            Reason.BELOW_BREAK_EVEN: "False: the measured speed-up was below spec.thresholds.speedup.disable.",
            Reason.BELOW_ACCEPTANCE_FLOOR: "False: acceptance was below spec.thresholds.acceptance.floor.",
            Reason.LATENCY_REGRESSION: "False: a tail latency rose more than spec.thresholds.latency allows.",
            Reason.SMOKE_TEST_FAILED: "False: the speculating engine did not answer a real completion.",
            Reason.ENGINE_FAILING: "False: the speculating engine did not come up.",
            Reason.TRIAL_FAILED: "True: what serves goes on; a trial of something else failed, with its figures.",
            Reason.SWITCH_BLOCKED: "The decision cannot be carried out; what serves is told, and CapacityAvailable says why.",
            Reason.COOLING_DOWN: "False: the next trial waits for spec.policy.cooldown.",
            Reason.TOO_MANY_TRANSITIONS: "Frozen: spec.policy.maxTransitionsPerDay is used up.",
            Reason.ADVISED_OFF: "Mode Advise: it would be switched off.",
            Reason.ADVISED_ON: "Mode Advise: it would be switched on.",
        },
    ),
    ConditionType.METRICS_AVAILABLE: ConditionDoc(
        meaning="Fresh engine metrics of every serving replica are there. While they are not, nothing is judged.",
        reasons={
            Reason.FRESH: "Every serving replica has fresh samples.",
            Reason.NO_PROMETHEUS: "Neither spec.metrics.prometheusURL nor the operator's own is set.",
            Reason.PROMETHEUS_UNREACHABLE: "Prometheus does not answer.",
            Reason.PROMETHEUS_NOT_ALLOWED: "spec.metrics.prometheusURL is not on the operator's allow-list.",
            Reason.NO_DATA: "Prometheus has no engine series of these pods.",
            Reason.STALE: "The newest samples are too old.",
            Reason.QUERY_FAILED: "Prometheus answers with an error, a login page, or too much.",
            Reason.PODS_UNSCRAPED: "Fewer than 80 % of the serving replicas have fresh samples.",
            Reason.PARTIAL_DATA: "Prometheus, Thanos, Mimir or VictoriaMetrics calls its own answer incomplete.",
            Reason.FUTURE_SAMPLES: "Samples are dated after the present: some clock is wrong.",
            Reason.CLOCK_CHANGED: "The clock of the operator's node was set by more than a minute.",
            Reason.NAMES_UNKNOWN: "Metric prefix or labels could not be detected; set spec.metrics.names.",
            Reason.SCALED_TO_ZERO: "Unknown: nothing runs that could be measured.",
            Reason.REPLICAS_UNREADY: "Unknown: no replica serves yet.",
        },
    ),
    ConditionType.ACCEPTANCE_HEALTHY: ConditionDoc(
        meaning="Acceptance is above what pays, and above the fixed thresholds when they are set.",
        reasons={
            Reason.HEALTHY: "Above break-even, and above spec.thresholds.acceptance when set.",
            Reason.BELOW_CAUTION: "Below spec.thresholds.acceptance.caution: a warning, nothing is switched.",
            Reason.BELOW_FLOOR: "Below spec.thresholds.acceptance.floor.",
            Reason.BELOW_BREAK_EVEN: "Below the acceptance at which the speed-up would be 1.",
            Reason.QUANTIZATION_PENALTY: "Lower than the recorded unquantized pair by more than spec.thresholds.baselineDropPoints.",
            Reason.NOT_SPECULATING: "Unknown: nothing is drafted.",
            Reason.NO_DATA: "Unknown: no figures.",
        },
    ),
    ConditionType.DIAGNOSIS: ConditionDoc(
        meaning="A cause was found why speculation does worse than it did. It says nothing about what is done.",
        reasons={
            Reason.LOAD: "Load rose: step times with it, or the control queues as well.",
            Reason.MIXED_TRAFFIC: "The median of the time per output token is better and its P99 worse, both beyond chance.",
            Reason.TEMPERATURE_SHIFT: "Acceptance fell and step times did not: a higher temperature, or other traffic.",
            Reason.DRAFT_MISMATCH: "Next to nothing of what is drafted is accepted: the draft does not fit the target.",
            Reason.QUANTIZATION_PENALTY: "Acceptance is below that of the recorded unquantized pair by more than spec.thresholds.baselineDropPoints.",
            Reason.DEGRADED_UNTIL_RESTART: "Acceptance decays with the uptime of the replicas while the control is stable: restart them.",
            Reason.STEP_TIME_ROSE: "Steps with speculation take longer at the same load: the engine or its node.",
            Reason.OUTLIER_REPLICA: "One replica accepts less or more, or takes longer or shorter, than its siblings; the message names it.",
            Reason.IDLE: "No traffic, or nothing was drafted: there is nothing to judge.",
            Reason.ENGINE_FAULT: "Replicas do not come up; the message has their last words.",
            Reason.NOTHING_FOUND: "False: nothing stands out in the judged windows.",
            Reason.NO_DATA: "Unknown: nothing was judged yet.",
        },
    ),
    ConditionType.MEMORY_BUDGET: ConditionDoc(
        meaning="Target, draft and a working KV cache fit the GPUs by calculation.",
        reasons={
            Reason.FITS: "By calculation, with the room left for KV cache in the message.",
            Reason.TIGHT: "Fits, but the KV cache that is left is small; the message has the numbers.",
            Reason.EXCEEDED: "Does not fit; the message says what would.",
            Reason.FACTS_UNKNOWN: "Unknown: set spec.target.facts or spec.draft.facts for a model that is not in the catalog.",
        },
    ),
    ConditionType.CAPACITY_AVAILABLE: ConditionDoc(
        meaning="What has to run has a place to run.",
        reasons={
            Reason.SUFFICIENT: "Every replica has a node.",
            Reason.UNSCHEDULABLE: "The scheduler finds no node; the message is its own.",
            Reason.LAST_REPLICA: "A switch would stop the last serving replica: raise spec.replicas, set spec.policy.switching.surge, or set spec.policy.switching.allowDowntime.",
            Reason.OUTSIDE_WINDOW: "A switch waits for spec.policy.switching.windows.",
            Reason.SWITCH_DOES_NOT_PAY: "True: a switch would lose more while replicas load than it gains until the next one.",
            Reason.HOLDBACK_NEEDS_REPLICA: "A live control needs one more replica than there is.",
        },
    ),
    ConditionType.ENGINE_VERSION_KNOWN: ConditionDoc(
        meaning="The capability table has this engine version.",
        reasons={
            Reason.KNOWN: "The arguments are rendered for exactly this version.",
            Reason.NEAREST_OLDER: "Rendered as for the nearest older known version, named in the message.",
            Reason.NOT_IN_TAG: "The image tag tells no version: set spec.engine.version.",
        },
    ),
    ConditionType.CONFIGURATION_VALID: ConditionDoc(
        meaning="The spec can be rendered for this engine version.",
        reasons={
            Reason.VALID: "Nothing to remark.",
            Reason.ADVICE: "Valid; the message has advice.",
            Reason.INVALID_CONFIGURATION: "A field is refused; the message names it and what to write instead.",
            Reason.UNSUPPORTED_BY_ENGINE: "The engine version lacks a feature; the message names one that has it.",
        },
    ),
    ConditionType.PAUSED: ConditionDoc(
        meaning="The operator changes no running replica.",
        reasons={
            Reason.BY_POLICY: "spec.policy.paused is true.",
            Reason.ADVISE_ONLY: "spec.policy.mode is Advise: decisions are recorded only.",
            Reason.NOT_PAUSED: "Changes are made.",
        },
    ),
    ConditionType.FOREIGN_OBJECTS: ConditionDoc(
        meaning="Objects carry the labels of this resource and are not its own. They are neither counted nor changed.",
        reasons={
            Reason.LABELS_OF_THIS_RESOURCE: "The message names them: remove the labels, or delete them.",
        },
        only_while_true=True,
    ),
}
"""Every condition type that the operator sets, in the order people read them."""

_ORDER = {str(name): place for place, name in enumerate(CONDITIONS)}
_LONGEST_MESSAGE = 32768


def set_condition(
    conditions: Sequence[Condition],
    *,
    type: ConditionType | str,
    status: bool | None,
    reason: Reason | str,
    message: str,
    generation: int,
    now: datetime,
) -> list[Condition]:
    """Return the conditions with one of them set.

    `last_transition_time` moves only when `status` changes, as metav1 wants it, so equal input gives equal output and no
    write. `status` None is Unknown. A type that is there only while True is removed by anything else. Types keep the order
    of `CONDITIONS`; others follow by name.
    """
    old = find_condition(conditions, type)
    rest = [c for c in conditions if c.type != str(type)]
    if status is not True and _only_while_true(type):
        return rest
    text = "Unknown" if status is None else str(status)
    new = Condition(
        type=str(type),
        status=text,
        observed_generation=generation,
        last_transition_time=old.last_transition_time if old and old.status == text else now,
        reason=str(reason),
        message=message[:_LONGEST_MESSAGE],
    )
    return sorted([*rest, new], key=lambda c: (_ORDER.get(c.type, len(_ORDER)), c.type))


def clear_condition(conditions: Sequence[Condition], type: ConditionType | str) -> list[Condition]:
    """Return the conditions without one type."""
    return [c for c in conditions if c.type != str(type)]


def find_condition(conditions: Sequence[Condition], type: ConditionType | str) -> Condition | None:
    """Return the condition of that type, or None."""
    return next((c for c in conditions if c.type == str(type)), None)


def _only_while_true(type: ConditionType | str) -> bool:
    return any(str(name) == str(type) and doc.only_while_true for name, doc in CONDITIONS.items())
