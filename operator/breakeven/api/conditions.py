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
from breakeven.api.text import sentence
from breakeven.api.vocabulary import Reason as Reason


class ConditionType(StrEnum):
    """Names of the conditions."""

    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    SPECULATION_ACTIVE = "SpeculationActive"
    METRICS_AVAILABLE = "MetricsAvailable"
    ACCEPTANCE_HEALTHY = "AcceptanceHealthy"
    OBJECTIVE_READABLE = "ObjectiveReadable"
    LOSSLESS = "Lossless"
    DIAGNOSIS = "Diagnosis"
    MEMORY_BUDGET = "MemoryBudget"
    CAPACITY_AVAILABLE = "CapacityAvailable"
    WARM_SWITCHING = "WarmSwitching"
    ENGINE_VERSION_KNOWN = "EngineVersionKnown"
    CONFIGURATION_VALID = "ConfigurationValid"
    PAUSED = "Paused"
    FOREIGN_OBJECTS = "ForeignObjects"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionDoc:
    """What a condition means and which reasons it may carry."""

    meaning: str
    """What True says."""
    reasons: Mapping[Reason, str]
    """Each reason with what it says."""
    only_while_true: bool = False
    """Whether the condition is absent instead of False (kstatus's Reconciling and Stalled)."""
    silent: frozenset[Reason] = frozenset()
    """Reasons for which the condition is absent: nothing is wrong, or there is nothing to say yet."""


CONDITIONS: Mapping[ConditionType, ConditionDoc] = {
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
            Reason.LATENCY_REGRESSION: "False: a tail latency rose more than spec.thresholds.latency allows, in a trial or after it.",
            Reason.OBJECTIVE_MISSED: "False: fewer requests kept the bounds of spec.objective with speculation than without.",
            Reason.THROUGHPUT_LOST: "False: replicas with speculation served fewer tokens per second than those without.",
            Reason.SMOKE_TEST_FAILED: "False: the speculating engine did not answer a real completion.",
            Reason.ENGINE_FAILING: "False: the speculating engine did not come up.",
            Reason.ANSWERS_DIFFER: "False: with the draft on trial, greedy prompts were answered differently; Lossless has the figures.",
            Reason.NOT_DRAFTING: "False: the draft on trial was not in use.",
            Reason.TRIAL_FAILED: "True: what serves goes on; a trial of something else failed, with its figures.",
            Reason.SWITCH_BLOCKED: "The decision cannot be carried out; the message says what serves, and CapacityAvailable says why.",
            Reason.TOO_MANY_TRANSITIONS: "Frozen: spec.policy.maxTransitionsPerDay is used up.",
            Reason.FIRST_DEPLOYMENT: "False: it begins without speculation, unless it is pinned or only advised on.",
            Reason.SPEC_CHANGED: "A changed engine, target setting or draft is on trial against what serves.",
            Reason.TARGET_CHANGED: "False: another model serves, and begins without speculation.",
            Reason.SUPERSEDED: "A trial was given up because a newer generation asks for something else.",
            Reason.INCONSISTENT: "A trial without a canary stood in the status; it is over.",
            Reason.ADVISE_ONLY: "A trial was given up because spec.policy.mode became Advise.",
            Reason.COMMANDED: "The annotation breakeven.dev/command asked for it.",
            Reason.REARM: "False: speculation is on trial again after a failure.",
            Reason.LONGER_DRAFT: "True: a longer draft is on trial, because the last drafted token survives well.",
            Reason.LOAD_CROSSES_BREAK_EVEN: "True: a limit by batch size is on trial, because it pays at smaller batches.",
            Reason.DEGRADED_UNTIL_RESTART: "True: replicas restart, because acceptance decays with their uptime.",
            Reason.BELOW_HEALTHY: "A trial failed: acceptance was below spec.thresholds.acceptance.healthy.",
            Reason.NOT_BETTER: "A trial of the operator's own idea was not shown to be better.",
            Reason.SWITCH_DOES_NOT_PAY: "A trial paid, but the switch would lose more than it gains until the next one.",
            Reason.UNDECIDED: "A trial ended without a verdict after spec.evidence.trialTimeout.",
            Reason.NO_CAPACITY: "A trial was given up: it needs a second replica, or spec.policy.switching to allow it.",
            Reason.UNSCHEDULABLE: "A trial was put off: its canary found no node.",
            Reason.STARTUP_TIMEOUT: "A trial failed: its canary was not ready within spec.engine.startupTimeout.",
            Reason.PREEMPTION_STORM: "False: the speculating engine preempted requests with a full KV cache.",
            Reason.QUEUE_GROWTH: "False: requests wait for the speculating engine and not for the control. True: replicas without speculation are kept again, because requests wait and nothing tells whether they would without.",
            Reason.ERROR_RATE: "False: requests to the speculating engine failed, and those to the control did not.",
            Reason.CONTRADICTION: "True: replicas without speculation are kept again, because the stored control shows no gain.",
            Reason.LOAD_NOT_MEASURED: "True: they are kept again, because the load left the bands that were measured.",
            Reason.NOTHING_NEW: "True: they speculate again, because nothing new was learned from them.",
            Reason.ROLLBACK_VERIFIED: "What was rolled back to was measured again and serves as it did.",
            Reason.ROLLBACK_REGRESSED: "False: what was rolled back to was below break-even as well.",
            Reason.NOT_MEASURED: "What was rolled back to serves and could not be measured.",
        },
    ),
    ConditionType.READY: ConditionDoc(
        meaning="The declared replicas serve, with or without speculation.",
        reasons={
            Reason.SERVING: "Every declared replica is ready.",
            Reason.SCALED_TO_ZERO: "No replica is declared, and none exists.",
            Reason.REPLICAS_UNREADY: "Fewer replicas are ready than declared.",
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
            Reason.MOVING_REPLICAS: "Replicas move from one variant to another, one at a time.",
            Reason.LOADING_ENGINE: "An engine loads its model.",
        },
        only_while_true=True,
    ),
    ConditionType.METRICS_AVAILABLE: ConditionDoc(
        meaning="Fresh engine metrics of every serving replica are there. While they are not, nothing is judged.",
        reasons={
            Reason.FRESH: "Every serving replica has fresh samples.",
            Reason.STARTING: "Unknown: the first reading of the metrics is under way.",
            Reason.NO_PROMETHEUS: "Neither spec.metrics.prometheusURL nor the operator's own is set, and pods are not read.",
            Reason.PROMETHEUS_UNREACHABLE: "Prometheus does not answer.",
            Reason.PROMETHEUS_NOT_ALLOWED: "spec.metrics.prometheusURL is not on the operator's allow-list.",
            Reason.NO_DATA: "Prometheus has no engine series of these pods.",
            Reason.STALE: "The newest samples are too old.",
            Reason.QUERY_FAILED: "Prometheus answers with an error, a login page, or too much.",
            Reason.PODS_UNSCRAPED: "Fewer than 80 % of the serving replicas have fresh samples.",
            Reason.PODS_UNREADABLE: "The pods' own /metrics cannot be read.",
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
        silent=frozenset({Reason.HEALTHY, Reason.NOT_SPECULATING, Reason.NO_DATA}),
    ),
    ConditionType.OBJECTIVE_READABLE: ConditionDoc(
        meaning="The engine's histograms have what spec.objective and spec.thresholds.latency ask for.",
        reasons={
            Reason.READABLE: "Every bound and percentile that is asked for can be read.",
            Reason.BUCKETS_TOO_WIDE: "Some cannot; the message says which, which bound can be read instead, and from which engine version on.",
        },
        silent=frozenset({Reason.READABLE}),
    ),
    ConditionType.LOSSLESS: ConditionDoc(
        meaning="What was on trial last answers greedy prompts as it does without its draft. Lossy acceptance methods are not asked.",
        reasons={
            Reason.ANSWERS_ALIKE: "Tokens and log-probabilities are those without the draft, but for numeric noise.",
            Reason.ANSWERS_DIFFER: "They are not, and the trial ended; the message has the figures.",
            Reason.NOT_COMPARED: "Unknown: the answers could not be compared; the message says why, and the trial goes on.",
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
            Reason.NOT_DRAFTING: "A variant that should draft drafts nothing: its draft is not in use; the message says where to look.",
            Reason.DRAFTS_UNASKED: "Replicas that serve without speculation draft: they are no control; the message says where to look.",
            Reason.NOTHING_ACCEPTED: "Nothing that was drafted was accepted for six windows: the draft is broken, or another one.",
            Reason.EVERYTHING_ACCEPTED: "Everything that was drafted was accepted for six windows: it may not be verified.",
            Reason.IDLE: "No traffic, or nothing was drafted: there is nothing to judge.",
            Reason.ENGINE_FAULT: "Replicas do not come up; the message has their last words.",
            Reason.PENALTY_UNKNOWN: "Unknown: a quantized pair has nothing to be compared with; `status.remarks` says so.",
            Reason.NOTHING_FOUND: "False: nothing stands out in the judged windows.",
            Reason.NO_DATA: "Unknown: nothing was judged yet.",
        },
        silent=frozenset({Reason.NOTHING_FOUND, Reason.PENALTY_UNKNOWN, Reason.NO_DATA}),
    ),
    ConditionType.MEMORY_BUDGET: ConditionDoc(
        meaning="Target, draft and a working KV cache fit the GPUs by calculation.",
        reasons={
            Reason.FITS: "By calculation, with the room left for KV cache in the message.",
            Reason.TIGHT: "Fits, but the KV cache that is left is small; the message has the numbers.",
            Reason.EXCEEDED: "Does not fit; the message says what would.",
            Reason.FACTS_UNKNOWN: "Unknown: set spec.target.facts or spec.draft.facts for a model that is not in the catalog.",
        },
        silent=frozenset({Reason.FITS}),
    ),
    ConditionType.CAPACITY_AVAILABLE: ConditionDoc(
        meaning="What has to run has a place to run.",
        reasons={
            Reason.SUFFICIENT: "Every replica has a node.",
            Reason.UNSCHEDULABLE: "The scheduler finds no node; the message is its own.",
            Reason.LAST_REPLICA: "A switch would stop the last serving replica: raise spec.replicas, set spec.policy.switching.surge, or set spec.policy.switching.allowDowntime.",
            Reason.OUTSIDE_WINDOW: "A switch waits for spec.policy.switching.windows.",
            Reason.SWITCH_DOES_NOT_PAY: "True: a switch would lose more while replicas load than it gains until the next one.",
        },
        silent=frozenset({Reason.SUFFICIENT}),
    ),
    ConditionType.WARM_SWITCHING: ConditionDoc(
        meaning="With mode Warm, every replica holds both variants and switches as it is told.",
        reasons={
            Reason.VARIANTS_RESIDENT: "Every replica holds what it should, and the one that should serve is awake or about to be.",
            Reason.LOADING_ENGINE: "Unknown: a variant is still to be loaded; the message names the replica and what it waits for.",
            Reason.REPLICA_SILENT: "A replica does not answer on port 8001; it serves on as it is and is not switched.",
            Reason.DRAFT_LOST: "A variant woke up without the weights of its draft and was put back to sleep.",
            Reason.VARIANT_FAILED: "One of the two engines of a replica does not come up; the other serves.",
            Reason.SWITCH_FAILED: "A replica did not switch and serves as before; it is tried again.",
        },
    ),
    ConditionType.ENGINE_VERSION_KNOWN: ConditionDoc(
        meaning="The capability table has this engine version.",
        reasons={
            Reason.KNOWN: "The arguments are rendered for exactly this version.",
            Reason.NEAREST_OLDER: "Rendered as for the nearest older known version, named in the message.",
            Reason.NOT_IN_TAG: "The image tag tells no version: set spec.engine.version.",
        },
        silent=frozenset({Reason.KNOWN}),
    ),
    ConditionType.CONFIGURATION_VALID: ConditionDoc(
        meaning="The spec can be rendered for this engine version.",
        reasons={
            Reason.VALID: "Nothing to remark.",
            Reason.ADVICE: "Valid; `status.remarks` has advice.",
            Reason.INVALID_CONFIGURATION: "A field is refused; the message names it and what to write instead.",
            Reason.UNSUPPORTED_BY_ENGINE: "The engine version lacks a feature; the message names one that has it.",
        },
        silent=frozenset({Reason.VALID, Reason.ADVICE}),
    ),
    ConditionType.PAUSED: ConditionDoc(
        meaning="The operator changes no running replica.",
        reasons={
            Reason.BY_POLICY: "spec.policy.paused is true.",
            Reason.ADVISE_ONLY: "spec.policy.mode is Advise: decisions are recorded only.",
        },
        only_while_true=True,
    ),
    ConditionType.FOREIGN_OBJECTS: ConditionDoc(
        meaning="Objects carry the labels of this resource and are not its own. They are neither counted nor changed.",
        reasons={
            Reason.LABELS_OF_THIS_RESOURCE: "The message names them: remove the labels, or delete them.",
        },
        only_while_true=True,
    ),
}
"""Every condition type that the operator sets, in the order people read them: what only they can mend, why speculation is on or
off, whether the service serves, then the rest."""

_DOCS = {str(name): doc for name, doc in CONDITIONS.items()}
_ORDER = {str(name): place for place, name in enumerate(CONDITIONS)}


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
    write. A message begins with a capital, where no name stands there. `status` None is Unknown. A type that is there only
    while True is removed by anything else, and any type by a reason with which it has nothing to say. Types keep the
    order of `CONDITIONS`; others follow by name.
    """
    old = find_condition(conditions, type)
    rest = [c for c in conditions if c.type != str(type)]
    if _absent(type, status, reason):
        return rest
    text = "Unknown" if status is None else str(status)
    new = Condition(
        type=str(type),
        status=text,
        observed_generation=generation,
        last_transition_time=old.last_transition_time if old and old.status == text else now,
        reason=str(reason),
        message=sentence(message),
    )
    return sorted([*rest, new], key=lambda c: (_ORDER.get(c.type, len(_ORDER)), c.type))


def find_condition(conditions: Sequence[Condition], type: ConditionType | str) -> Condition | None:
    """Return the condition of that type, or None."""
    return next((c for c in conditions if c.type == str(type)), None)


def meaning_of(type: ConditionType, reason: str) -> str:
    """What a reason of a condition says, as a sentence; empty for one that it does not have."""
    said = next((words for each, words in CONDITIONS[type].reasons.items() if each == reason), "")
    for status in ("True: ", "False: ", "Unknown: "):
        said = said.removeprefix(status)
    return sentence(said)


def _absent(type: ConditionType | str, status: bool | None, reason: Reason | str) -> bool:
    """Whether a condition with this status and reason is left out."""
    doc = _DOCS.get(str(type))
    return doc is not None and ((status is not True and doc.only_while_true) or reason in doc.silent)
