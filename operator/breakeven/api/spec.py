"""`spec` of a `SpeculativeDeployment`: what a team declares. Every docstring below becomes `kubectl explain` text.

Its parts are in `choices`, `serving`, `hardware`, `judging` and `policy`; other rooms import them from here.
"""

from typing import Annotated, Any

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

from breakeven.api.base import SpecModel
from breakeven.api.calibration import CalibratedLoad, CalibrationSpec
from breakeven.api.choices import (
    AcceptanceMethod,
    DraftMethod,
    HoldbackMode,
    KVCacheDtype,
    LadderStep,
    MetricsSource,
    Mode,
    Quantization,
)
from breakeven.api.disruption import DisruptionBudgetSpec
from breakeven.api.free_form import PodTemplate, not_too_deep
from breakeven.api.hardware import GpuFacts, HardwareSpec
from breakeven.api.judging import EvidenceSpec, QuantizationReferenceSpec, SpeedupSpec, ThresholdsSpec
from breakeven.api.objective import LatencyBound, ObjectiveKind, ObjectiveSpec
from breakeven.api.policy import PolicySpec, SwitchingWindow
from breakeven.api.rules import Pattern, Rule
from breakeven.api.serving import AcceptanceSpec, DraftSpec, EngineSpec, ModelFacts, TargetSpec
from breakeven.api.traffic import ServiceSpec
from breakeven.api.urls import URL_PATTERN
from breakeven.api.workload import WorkloadRefSpec

__all__ = [
    "AcceptanceMethod",
    "AcceptanceSpec",
    "CalibratedLoad",
    "CalibrationSpec",
    "DisruptionBudgetSpec",
    "DraftMethod",
    "DraftSpec",
    "EngineSpec",
    "EvidenceSpec",
    "GpuFacts",
    "HardwareSpec",
    "HoldbackMode",
    "KVCacheDtype",
    "LabelName",
    "LadderStep",
    "LatencyBound",
    "MetricLabelsSpec",
    "MetricsSource",
    "MetricsSpec",
    "Mode",
    "ModelFacts",
    "ObjectiveKind",
    "ObjectiveSpec",
    "PolicySpec",
    "Quantization",
    "ServiceSpec",
    "SpeculativeDeploymentSpec",
    "SpeedupSpec",
    "SwitchingWindow",
    "TargetSpec",
    "WorkloadRefSpec",
]


LabelName = Annotated[
    str,
    Field(max_length=128),
    Pattern(
        r'^[^\x00-\x1f\x7f"\\]+$',
        "write a label name as Prometheus has it, for example namespace, pod or k8s.pod.name, without quotes",
    ),
]


class MetricLabelsSpec(SpecModel):
    """Names in a Prometheus that relabels."""

    prefix: (
        Annotated[
            str,
            Field(max_length=64),
            Pattern(r"^[a-zA-Z_:][a-zA-Z0-9_:.]*$", "write what metric names begin with, for example vllm:"),
        ]
        | None
    ) = None
    """Metric name prefix, for example kserve_vllm:. Absent: detected."""
    namespace: LabelName | None = None
    """Label that carries the pod's namespace. Absent: detected. Set together with pod, both are believed as they are."""
    pod: LabelName | None = None
    """Label that carries the pod's name, or in instance its name and port. Absent: detected."""


class MetricsSpec(SpecModel):
    """Where the evidence comes from."""

    rules = (
        Rule(
            field="source",
            message="write Prometheus, or leave prometheusURL out: pods are read without one",
            cel="!has(self.source) || self.source != 'Pods' || !has(self.prometheusURL) || self.prometheusURL == ''",
            holds=lambda m: m.source is not MetricsSource.PODS or not m.prometheus_url,
        ),
        Rule(
            field="prometheusURL",
            message="write the URL without credentials: the operator reads those from its own configuration",
            cel="!has(self.prometheusURL) || !self.prometheusURL.contains('@')",
            holds=lambda m: "@" not in m.prometheus_url,
        ),
    )

    source: MetricsSource | None = None
    """Prometheus, or Pods: the operator reads `/metrics` of this resource's own pods, and evidence from before its start is lost. Absent: Prometheus where prometheusURL is set, else the operator's setting."""
    prometheus_url: Annotated[
        str,
        Field(alias="prometheusURL", max_length=512),
        Pattern(
            URL_PATTERN,
            "write a URL such as http://prometheus.monitoring.svc:9090 or http://[fd00::1]:9090/prefix: "
            "http or https, a host, and if needed a port and a path",
        ),
    ] = ""
    """Prometheus of this deployment. Empty: the operator's own. Others only from the operator's allow-list."""
    names: MetricLabelsSpec = MetricLabelsSpec()
    """Names in a Prometheus that relabels. Absent: detected."""


class SpeculativeDeploymentSpec(SpecModel):
    """What a team declares: target, draft, quantization, thresholds, and what the operator may do."""

    rules = (
        Rule(
            field="engine",
            message="write engine and target, or name a Deployment in workloadRef that says both",
            cel="has(self.workloadRef) || (has(self.engine) && has(self.target))",
            holds=None,  # a model has both, or is none: said before it is made
        ),
        Rule(
            field="workloadRef",
            message="leave engine, target and podTemplate out beside it: the Deployment says them",
            cel="!has(self.workloadRef) || !(has(self.engine) || has(self.target) || has(self.podTemplate))",
            holds=lambda s: s.workload_ref is None,
        ),
        Rule(
            field="policy.mode",
            message="write Auto or AlwaysOff, or add spec.draft: AlwaysOn without a draft has nothing to switch on",
            cel="self.policy.mode != 'AlwaysOn' || has(self.draft)",
            holds=lambda s: s.policy.mode is not Mode.ALWAYS_ON or s.draft is not None,
        ),
        Rule(
            field="alternatives",
            message="write the first of them as spec.draft: alternatives are tried when spec.draft does not pay",
            cel="!has(self.alternatives) || self.alternatives.size() == 0 || has(self.draft)",
            holds=lambda s: not s.alternatives or s.draft is not None,
        ),
        Rule(
            field="policy.holdback.replicas",
            message="write less than spec.replicas, raise spec.replicas, or write Auto or Never as policy.holdback.mode: "
            "replicas kept without speculation leave none to speculate",
            cel="self.policy.holdback.mode != 'Always' || self.replicas == 0 || !has(self.draft)"
            " || self.policy.holdback.replicas < self.replicas",
            holds=lambda s: (
                s.policy.holdback.mode is not HoldbackMode.ALWAYS
                or s.replicas == 0
                or s.draft is None
                or s.policy.holdback.replicas < s.replicas
            ),
        ),
    )

    replicas: Annotated[int, Field(ge=0, le=1000)] = 1
    """Serving replicas, all variants together. Default 1."""
    workload_ref: WorkloadRefSpec | None = None
    """The team's own Deployment in place of engine, target and podTemplate: it stays in their Git, and a change of it is followed as a change of spec. Absent: none."""
    engine: EngineSpec
    """The vLLM image and what is added to its command line. Absent: only with workloadRef, whose Deployment says it."""
    target: TargetSpec
    """The model that serves. Absent: only with workloadRef, whose Deployment says it."""
    draft: DraftSpec | None = None
    """How tokens are drafted. Absent: plain serving."""
    alternatives: Annotated[list[DraftSpec], Field(max_length=4)] = []
    """Other drafts that may be tried when the first does not pay, in this order. Absent: none."""
    hardware: HardwareSpec = HardwareSpec()
    """Where replicas run. Default: one H100 or H200 each."""
    objective: ObjectiveSpec = ObjectiveSpec()
    """By what it is decided whether speculation pays. Default: the time from request to last token."""
    thresholds: ThresholdsSpec = ThresholdsSpec()
    """What counts as paying. Default: on above a speed-up of 1.05, off below 0.98, no fixed acceptance thresholds."""
    quantization_reference: QuantizationReferenceSpec = QuantizationReferenceSpec()
    """What a quantized pair is compared with. Default: the pair of the same names, as measured here without quantization."""
    evidence: EvidenceSpec = EvidenceSpec()
    """How much must be measured before a verdict. Default: windows of 10m, three to promote, two to leave."""
    calibration: CalibrationSpec | None = None
    """Times without speculation from `breakeven measure`, for loads at which no replica was measured without it. Ignored, with a remark in status.remarks, where engine version, GPU, target or draft differ from what serves. Absent: only live measurements."""
    policy: PolicySpec = PolicySpec()
    """What the operator may do. Default: decide and act (Auto), without spare replicas and without downtime."""
    disruption_budget: DisruptionBudgetSpec | None = None
    """A PodDisruptionBudget for the replicas. Absent: none, for a pod that two budgets select cannot be evicted at all, and yours may be there already."""
    metrics: MetricsSpec = MetricsSpec()
    """Where the evidence comes from. Default: the operator's Prometheus."""
    service: ServiceSpec = ServiceSpec()
    """The Service in front of all replicas. Default: one named as the resource, on port 8000."""
    pod_template: PodTemplate | None = None
    """Strategic-merge overrides of the rendered pod template: the escape hatch for everything else. At most 32 KiB. What the operator's BREAKEVEN_POD_TEMPLATE_DENY names is refused. Absent: none."""

    @model_validator(mode="before")
    @classmethod
    def _bounded(cls, value: Any) -> Any:
        return not_too_deep(value)

    @model_validator(mode="before")
    @classmethod
    def _says_what_serves(cls, value: Any) -> Any:
        if isinstance(value, dict) and not {"engine", "target"} <= value.keys():
            serves = cls.rules[0]
            raise ValueError(f"{serves.field}: {serves.message}")
        return value

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        written = super().__get_pydantic_json_schema__(schema, handler)
        written.pop("required", None)  # what is required depends on workloadRef: the rules say it
        return written
