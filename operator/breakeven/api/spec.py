"""`spec` of a `SpeculativeDeployment`: what a team declares. Every docstring below becomes `kubectl explain` text."""

import re
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, Field, WithJsonSchema

from breakeven.api.base import SpecModel
from breakeven.api.rules import DecimalRange, DurationRange, Pattern, Rule
from breakeven.api.scalars import DECIMAL_PATTERN, DURATION_PATTERN, DecimalString, Duration

ModelName = Annotated[
    str, Field(min_length=1, max_length=512), Pattern(r"^\S+$", "write a Hugging Face name or a path, without spaces")
]
Share = Annotated[DecimalString, DecimalRange("0", "1")]
Billions = Annotated[DecimalString, DecimalRange("0", "100000", above=True)]


class DraftMethod(StrEnum):
    """How tokens are drafted. Which engine version has which is in the capability table."""

    DRAFT_MODEL = "DraftModel"
    NGRAM = "NGram"
    NGRAM_GPU = "NGramGPU"
    EAGLE = "Eagle"
    EAGLE3 = "Eagle3"
    MTP = "MTP"
    MEDUSA = "Medusa"
    MLP_SPECULATOR = "MLPSpeculator"
    SUFFIX = "Suffix"
    DFLASH = "DFlash"
    DSPARK = "DSpark"


class AcceptanceMethod(StrEnum):
    """How drafted tokens are accepted, independent of any engine's spelling."""

    REJECTION = "Rejection"
    PROBABILISTIC = "Probabilistic"
    BLOCK = "Block"
    TYPICAL = "Typical"
    FLY = "Fly"


class Quantization(StrEnum):
    """Number format of weights."""

    NONE = "None"
    FP8 = "FP8"
    INT8 = "INT8"
    INT4 = "INT4"
    AWQ = "AWQ"
    GPTQ = "GPTQ"
    BITSANDBYTES = "BitsAndBytes"
    PREQUANTIZED = "Prequantized"


class Accelerator(StrEnum):
    """GPU models that pods may be placed on."""

    H100 = "H100"
    H200 = "H200"


class Mode(StrEnum):
    """Who decides about speculation."""

    AUTO = "Auto"
    ADVISE = "Advise"
    ON = "On"
    OFF = "Off"


class HoldbackMode(StrEnum):
    """When replicas without speculation are kept as a live control."""

    AUTO = "Auto"
    ALWAYS = "Always"
    NEVER = "Never"


class LadderStep(StrEnum):
    """What may be tried when speculation falls under break-even."""

    TUNE = "Tune"
    CHANGE_ACCEPTANCE_METHOD = "ChangeAcceptanceMethod"
    CHANGE_METHOD = "ChangeMethod"
    RESTART = "Restart"
    DISABLE = "Disable"


class KVCacheDtype(StrEnum):
    """Number format of the KV cache, in vLLM's words."""

    AUTO = "auto"
    FP8 = "fp8"
    FP8_E4M3 = "fp8_e4m3"
    FP8_E5M2 = "fp8_e5m2"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


class Weekday(StrEnum):
    """Days of the week."""

    MON = "Mon"
    TUE = "Tue"
    WED = "Wed"
    THU = "Thu"
    FRI = "Fri"
    SAT = "Sat"
    SUN = "Sun"


WITHOUT_MODEL = (DraftMethod.NGRAM, DraftMethod.NGRAM_GPU, DraftMethod.SUFFIX)
"""Methods that draft from the text itself."""
LOSSY = (AcceptanceMethod.TYPICAL, AcceptanceMethod.FLY)
"""Acceptance methods that change the output distribution."""
MANAGED_FLAG = (
    r"^--(model|revision|served-model-name|quantization|max-model-len|kv-cache-dtype|gpu-memory-utilization"
    r"|tensor-parallel-size|speculative[-_a-z]*|spec-[a-z]+|num-speculative-tokens|host|port)(=|$)"
)
"""Flags of `vllm serve` that have a field of their own."""


_T = TypeVar("_T")


def _named_once(env: list[dict[str, Any]]) -> list[dict[str, Any]]:
    names = [item.get("name") for item in env]
    if not all(isinstance(name, str) and name for name in names) or len(set(names)) < len(names):
        raise ValueError("write a name in every item, each name once")
    return env


def _once(items: list[_T]) -> list[_T]:
    if len(set(items)) < len(items):
        raise ValueError("write each item once")
    return items


EnvVar = Annotated[
    dict[str, Any],
    WithJsonSchema(
        {
            "type": "object",
            "description": "One variable, as in a Pod: name with value or valueFrom.",
            "properties": {
                "name": {"type": "string", "minLength": 1, "maxLength": 256, "description": "Name of the variable."}
            },
            "required": ["name"],
            "x-kubernetes-preserve-unknown-fields": True,
        }
    ),
]
_SET = {"x-kubernetes-list-type": "set"}


class EngineSpec(SpecModel):
    """The vLLM image and what is added to its command line."""

    rules = (
        Rule(
            field="version",
            message="write the vLLM version of the image, for example 0.33.0: an image named by digest does not tell it",
            cel="has(self.version) || !self.image.contains('@') || self.image.matches(r':v?[0-9]+\\.[0-9]+\\.[0-9]+')",
            holds=lambda e: bool(e.version or "@" not in e.image or re.search(r":v?[0-9]+\.[0-9]+\.[0-9]+", e.image)),
        ),
        Rule(
            field="extraArgs",
            message="leave out flags that have a field of their own: write model, quantization, maxModelLen, kvCacheDtype and "
            "gpuMemoryUtilization under target, tensor parallelism as hardware.gpusPerReplica, speculation under draft",
            cel=f"!has(self.extraArgs) || !self.extraArgs.exists(a, a.matches(r'{MANAGED_FLAG}'))",
            holds=None,  # rendering refuses each flag by name, for the engine version at hand
        ),
    )

    image: Annotated[
        str,
        Field(min_length=1, max_length=512),
        Pattern(r"^\S+$", "write an image such as vllm/vllm-openai:v0.33.0, without spaces"),
    ]
    """Container image of the engine, for example vllm/vllm-openai:v0.33.0. Its tag tells the engine version unless `version` is set."""
    version: (
        Annotated[
            str,
            Field(max_length=32),
            Pattern(
                r"^[0-9]+\.[0-9]+\.[0-9]+(\.[0-9]+)?([.-]?(post|rc|dev)[0-9]+)?$",
                "write a release of vLLM without a leading v, for example 0.33.0",
            ),
        ]
        | None
    ) = None
    """vLLM version inside the image, for example 0.33.0. Absent: read from the image tag. Required for images named by digest or by a private tag."""
    extra_args: Annotated[list[Annotated[str, Field(max_length=1024)]], Field(max_length=64)] = []
    """Arguments appended to `vllm serve`, one list item each; no shell. Flags that the operator manages are refused by name. Absent: none."""
    env: Annotated[
        list[EnvVar],
        AfterValidator(_named_once),
        Field(
            max_length=64, json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
        ),
    ] = []
    """Environment of the engine container, as in a Pod. Absent: only what the operator sets."""
    startup_timeout: Annotated[Duration, DurationRange("10s", "24h")] = timedelta(minutes=30)
    """How long an engine may take to load before it counts as failed. Default 30m."""
    shutdown_timeout: Annotated[Duration, DurationRange("0s", "1h")] = timedelta(seconds=60)
    """How long requests in flight may finish when a replica stops. Default 60s."""


class ModelFacts(SpecModel):
    """Architecture of a model that is not in the packaged catalog; the names are those of its config.json."""

    params_billions: Billions | None = None
    """Parameters in billions. Absent: unknown."""
    active_params_billions: Billions | None = None
    """Parameters read per token in billions, for mixture-of-experts models. Absent: all of them."""
    layers: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Number of hidden layers. Absent: unknown."""
    hidden_size: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Width of the residual stream. Absent: unknown."""
    attention_heads: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Number of query heads. Absent: unknown."""
    kv_heads: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Number of key/value heads. Absent: unknown."""
    head_dim: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Size of one head. Absent: unknown."""
    vocab_size: Annotated[int, Field(ge=1, le=100_000_000)] | None = None
    """Vocabulary size that the engine compares between target and draft. Absent: unknown."""
    tokenizer_group: Annotated[str, Field(max_length=64)] | None = None
    """Name shared by models with the same token ids. Absent: unknown."""
    max_position_embeddings: Annotated[int, Field(ge=1, le=100_000_000)] | None = None
    """Longest context the model takes. Absent: unknown."""


class TargetSpec(SpecModel):
    """The model that serves."""

    model: ModelName
    """Hugging Face name or path of the target model."""
    revision: Annotated[str, Field(max_length=128)] | None = None
    """Revision of the model. Absent: the default branch."""
    served_name: Annotated[str, Field(max_length=256)] | None = None
    """Name clients ask for. Absent: the value of `model`."""
    quantization: Quantization = Quantization.NONE
    """Weight format to produce on load, or Prequantized for a checkpoint that already carries one. Default None (as in the checkpoint)."""
    max_model_len: Annotated[int, Field(ge=16, le=100_000_000)] | None = None
    """Longest context served, in tokens. Absent: the engine's default."""
    kv_cache_dtype: KVCacheDtype = KVCacheDtype.AUTO
    """Number format of the KV cache. Default auto."""
    gpu_memory_utilization: Annotated[DecimalString, DecimalRange("0", "1", above=True)] | None = None
    """Share of GPU memory the engine may use. Absent: the default of that engine version, rendered explicitly."""
    facts: ModelFacts | None = None
    """Architecture facts for planning. Absent: taken from the packaged catalog when it knows the model."""


class AcceptanceSpec(SpecModel):
    """How drafted tokens are accepted."""

    rules = (
        Rule(
            field="allowLossy",
            message="write true to consent: Typical and Fly change the output distribution; or write Rejection, "
            "Probabilistic or Block as method",
            cel="!(self.method in ['Typical', 'Fly']) || self.allowLossy",
            holds=lambda a: a.method not in LOSSY or a.allow_lossy,
        ),
        Rule(
            field="threshold",
            message="leave it out: only Typical and Fly have a threshold",
            cel="!has(self.threshold) || self.method in ['Typical', 'Fly']",
            holds=lambda a: a.threshold is None or a.method in LOSSY,
        ),
        Rule(
            field="alpha",
            message="leave it out: only Typical has an alpha",
            cel="!has(self.alpha) || self.method == 'Typical'",
            holds=lambda a: a.alpha is None or a.method is AcceptanceMethod.TYPICAL,
        ),
    )

    method: AcceptanceMethod = AcceptanceMethod.REJECTION
    """Abstract method, resolved for the engine version; refused with a reason when that version has none. Default Rejection (lossless)."""
    allow_lossy: bool = False
    """Consent to methods that change the output distribution (Typical, Fly). Default false."""
    threshold: Annotated[DecimalString, DecimalRange("0", "100", above=True)] | None = None
    """Posterior threshold of Typical, entropy threshold of Fly. Absent: the engine's default."""
    alpha: Annotated[DecimalString, DecimalRange("0", "100", above=True)] | None = None
    """Posterior alpha of Typical. Absent: the engine's default."""


class DraftSpec(SpecModel):
    """How tokens are drafted."""

    rules = (
        Rule(
            field="model",
            message="write the draft model or head: only NGram, NGramGPU, Suffix and MTP draft without one",
            cel="has(self.model) || self.method in ['NGram', 'NGramGPU', 'Suffix', 'MTP']",
            holds=lambda d: bool(d.model) or d.method in (*WITHOUT_MODEL, DraftMethod.MTP),
        ),
        Rule(
            field="model",
            message="leave it out: NGram, NGramGPU and Suffix draft from the text; or write DraftModel, Eagle3 … as method",
            cel="!has(self.model) || !(self.method in ['NGram', 'NGramGPU', 'Suffix'])",
            holds=lambda d: d.model is None or d.method not in WITHOUT_MODEL,
        ),
        Rule(
            field="quantization",
            message="write None: there is no draft model to quantize; the target's is target.quantization",
            cel="has(self.model) || self.quantization == 'None'",
            holds=lambda d: d.model is not None or d.quantization is Quantization.NONE,
        ),
        Rule(
            field="revision",
            message="leave it out: there is no draft model; the target's is target.revision",
            cel="has(self.model) || !has(self.revision)",
            holds=lambda d: d.model is not None or d.revision is None,
        ),
        Rule(
            field="promptLookupMax",
            message="leave promptLookupMax and promptLookupMin out: only NGram and NGramGPU look up prompts",
            cel="!(has(self.promptLookupMax) || has(self.promptLookupMin)) || self.method in ['NGram', 'NGramGPU']",
            holds=lambda d: (
                (d.prompt_lookup_max is None and d.prompt_lookup_min is None)
                or d.method in (DraftMethod.NGRAM, DraftMethod.NGRAM_GPU)
            ),
        ),
        Rule(
            field="promptLookupMin",
            message="write at most promptLookupMax",
            cel="!has(self.promptLookupMin) || !has(self.promptLookupMax) || self.promptLookupMin <= self.promptLookupMax",
            holds=lambda d: (
                d.prompt_lookup_min is None or d.prompt_lookup_max is None or d.prompt_lookup_min <= d.prompt_lookup_max
            ),
        ),
        Rule(
            field="numSpeculativeTokens",
            message="write at least 2: Fly compares the tokens after a mismatch",
            cel="self.acceptance.method != 'Fly' || self.numSpeculativeTokens >= 2",
            holds=lambda d: d.acceptance.method is not AcceptanceMethod.FLY or d.num_speculative_tokens >= 2,
        ),
    )

    method: DraftMethod = DraftMethod.DRAFT_MODEL
    """Drafting method. Default DraftModel."""
    model: ModelName | None = None
    """Hugging Face name or path of the draft model or head. Absent: only for methods that need none (NGram, NGramGPU, Suffix, MTP)."""
    revision: Annotated[str, Field(max_length=128)] | None = None
    """Revision of the draft. Absent: the default branch."""
    quantization: Quantization = Quantization.NONE
    """Weight format of the draft, never inherited from the target. Default None."""
    num_speculative_tokens: Annotated[int, Field(ge=1, le=128)] = 5
    """Tokens drafted per step, called k in the documentation. Default 5."""
    acceptance: AcceptanceSpec = AcceptanceSpec()
    """How drafted tokens are accepted. Default: rejection sampling, lossless."""
    disable_above_batch_size: Annotated[int, Field(ge=2, le=100_000)] | None = None
    """No drafting at or above this many running requests in an engine. Absent: drafting at every load."""
    prompt_lookup_max: Annotated[int, Field(ge=1, le=128)] | None = None
    """Longest n-gram looked up, NGram and NGramGPU only. Absent: the engine's default."""
    prompt_lookup_min: Annotated[int, Field(ge=1, le=128)] | None = None
    """Shortest n-gram looked up, NGram and NGramGPU only. Absent: the engine's default."""
    facts: ModelFacts | None = None
    """Architecture facts for planning. Absent: taken from the packaged catalog when it knows the model."""


class HardwareSpec(SpecModel):
    """Where replicas run."""

    accelerators: Annotated[
        list[Accelerator], AfterValidator(_once), Field(min_length=1, max_length=8, json_schema_extra=_SET)
    ] = [
        Accelerator.H100,
        Accelerator.H200,
    ]
    """GPU models a replica may land on. Default H100 and H200."""
    gpus_per_replica: Annotated[int, Field(ge=1, le=64)] = 1
    """GPUs of one replica, which is its tensor-parallel size. Default 1."""
    node_selector: Annotated[dict[str, Annotated[str, Field(max_length=253)]], Field(max_length=16)] | None = None
    """Replaces the built-in node affinity by accelerator. Absent: nodes whose `nvidia.com/gpu.product` is one of the accelerators."""


_ORDERED = (
    "!has(self.{lower}) || !has(self.{upper}) || !self.{lower}.matches(r'"
    + DECIMAL_PATTERN.replace("{", "{{").replace("}", "}}")
    + "')"
    " || !self.{upper}.matches(r'" + DECIMAL_PATTERN.replace("{", "{{").replace("}", "}}") + "')"
    " || double(self.{lower}) {relation} double(self.{upper})"
)
"""Two decimal numbers in order; what is no number is the scalar rule's to refuse."""


class SpeedupSpec(SpecModel):
    """Bounds on the measured speed-up S = TPOT without speculation / TPOT with it."""

    rules = (
        Rule(
            field="disable",
            message="write less than promote, for example 0.98 with promote 1.05: the gap keeps speculation from flapping",
            cel=_ORDERED.format(lower="disable", upper="promote", relation="<"),
            holds=lambda s: s.disable < s.promote,
        ),
    )

    promote: Annotated[DecimalString, DecimalRange("0.5", "10")] = Decimal("1.05")
    """Speculation is switched on when the lower bound of S is above this. Default 1.05."""
    disable: Annotated[DecimalString, DecimalRange("0.1", "10")] = Decimal("0.98")
    """Speculation leaves when the upper bound of S stays below this. Default 0.98."""


class FixedAcceptanceSpec(SpecModel):
    """Fixed thresholds on accepted / drafted tokens, honoured when set; a measured speed-up is the better judge."""

    rules = (
        Rule(
            field="floor",
            message="write at most caution",
            cel=_ORDERED.format(lower="floor", upper="caution", relation="<="),
            holds=lambda a: a.floor is None or a.caution is None or a.floor <= a.caution,
        ),
        Rule(
            field="caution",
            message="write at most healthy",
            cel=_ORDERED.format(lower="caution", upper="healthy", relation="<="),
            holds=lambda a: a.caution is None or a.healthy is None or a.caution <= a.healthy,
        ),
        Rule(
            field="floor",
            message="write at most healthy",
            cel=_ORDERED.format(lower="floor", upper="healthy", relation="<="),
            holds=lambda a: a.floor is None or a.healthy is None or a.floor <= a.healthy,
        ),
    )

    floor: Share | None = None
    """Below this, speculation leaves. Absent: not used."""
    caution: Share | None = None
    """Below this, a condition warns. Absent: not used."""
    healthy: Share | None = None
    """A trial is promoted on acceptance only at or above this. Absent: not used."""


class LatencySpec(SpecModel):
    """Tail latency that speculation may cost."""

    max_p99_tpot_regression_percent: Annotated[int, Field(ge=0, le=1000, alias="maxP99TPOTRegressionPercent")] = 10
    """Largest rise of the 99th percentile of time per output token, in percent. Default 10."""
    max_ttft_regression_percent: Annotated[int, Field(ge=0, le=1000, alias="maxTTFTRegressionPercent")] = 15
    """Largest rise of the 95th percentile of time to first token, in percent. Default 15."""


class EvidenceSpec(SpecModel):
    """How much must be measured before a verdict."""

    rules = (
        Rule(
            field="trialTimeout",
            message="write at least window: a trial needs one window to be judged",
            cel=f"!self.trialTimeout.matches(r'{DURATION_PATTERN}') || !self.window.matches(r'{DURATION_PATTERN}')"
            " || duration(self.trialTimeout) >= duration(self.window)",
            holds=lambda e: e.trial_timeout >= e.window,
        ),
    )

    window: Annotated[Duration, DurationRange("10s", "24h")] = timedelta(minutes=10)
    """Length of one window; it is cut into ten batches whose spread gives the bounds. Default 10m, at least ten scrapes."""
    warmup: Annotated[Duration, DurationRange("0s", "24h")] = timedelta(minutes=5)
    """What a replica measures in this time after it became ready is left out. Default 5m."""
    min_requests: Annotated[int, Field(ge=0, le=10_000_000)] = 100
    """Finished requests an arm needs in a window. Default 100."""
    min_draft_tokens: Annotated[int, Field(ge=0, le=1_000_000_000)] = 2000
    """Drafted tokens an arm needs in a window. Default 2000."""
    promote_windows: Annotated[int, Field(ge=1, le=100)] = 3
    """Full windows a trial must measure before it may be promoted. Default 3."""
    leave_windows: Annotated[int, Field(ge=1, le=100)] = 2
    """Windows in a row that must agree before speculation leaves. Default 2."""
    trial_timeout: Annotated[Duration, DurationRange("10s", "720h")] = timedelta(hours=6)
    """A trial without a verdict ends after this. Default 6h."""


class ThresholdsSpec(SpecModel):
    """What counts as paying."""

    speedup: SpeedupSpec = SpeedupSpec()
    """Bounds on the measured speed-up. Default: on above 1.05, off below 0.98."""
    acceptance: FixedAcceptanceSpec = FixedAcceptanceSpec()
    """Fixed thresholds on accepted / drafted. Absent: not used."""
    latency: LatencySpec = LatencySpec()
    """Tail latency that speculation may cost. Default: 10 percent of P99 time per output token, 15 percent of P95 time to first token."""
    baseline_drop_points: Annotated[int, Field(ge=1, le=100)] = 5
    """Points of acceptance lost against the recorded unquantized pair that are reported as a quantization penalty. A diagnosis, never an action. Default 5."""


class HoldbackSpec(SpecModel):
    """Replicas without speculation, kept as a live control."""

    mode: HoldbackMode = HoldbackMode.AUTO
    """Auto: only while knowing pays. Always: as long as speculation is on. Never: before/after windows with wider bounds. Default Auto."""
    replicas: Annotated[int, Field(ge=1, le=100)] = 1
    """How many. Default 1."""


TimeOfDay = Annotated[
    str,
    Field(max_length=5),
    Pattern(r"^([01][0-9]|2[0-3]):[0-5][0-9]$", 'write HH:MM in UTC, in quotes, for example "22:30"'),
]


class SwitchingWindow(SpecModel):
    """A weekly time in which replicas may be switched, in UTC."""

    rules = (
        Rule(
            field="end",
            message="write another time than start: equal times leave no window; for whole days write 00:00 and 23:59",
            cel="self.start != self.end",
            holds=lambda w: w.start != w.end,
        ),
    )

    days: Annotated[list[Weekday], AfterValidator(_once), Field(max_length=7, json_schema_extra=_SET)] = []
    """Days it applies to. Absent: every day."""
    start: TimeOfDay
    """First minute, HH:MM in UTC."""
    end: TimeOfDay
    """Minute it ends, HH:MM in UTC; earlier than start means the next day."""


class SwitchingSpec(SpecModel):
    """What a switch of replicas may use."""

    surge: Annotated[int, Field(ge=0, le=100)] = 0
    """Spare replicas that a switch may start before it stops others; they need GPUs that are free. Default 0."""
    allow_downtime: bool = False
    """Whether the last serving replica may stop. Default false: without a surge replica the verdict stands and nothing is switched."""
    windows: Annotated[list[SwitchingWindow], Field(max_length=16)] = []
    """When switches may happen. Absent: at any time."""


class PolicySpec(SpecModel):
    """What the operator may do."""

    mode: Mode = Mode.AUTO
    """Auto decides and acts; Advise decides, records and touches nothing; On and Off pin speculation. Default Auto."""
    paused: bool = False
    """Stops every change of running replicas; observation goes on. Default false."""
    on_below_break_even: Annotated[
        list[LadderStep], AfterValidator(_once), Field(max_length=8, json_schema_extra=_SET)
    ] = [
        LadderStep.TUNE,
        LadderStep.CHANGE_ACCEPTANCE_METHOD,
        LadderStep.DISABLE,
    ]
    """What is tried, in this order, when speculation falls under break-even. Default Tune, ChangeAcceptanceMethod, Disable."""
    holdback: HoldbackSpec = HoldbackSpec()
    """The live control: replicas kept without speculation. Default: one, only while knowing pays."""
    switching: SwitchingSpec = SwitchingSpec()
    """What a switch of replicas may use. Default: no spare replica, no downtime, at any time."""
    cooldown: Annotated[Duration, DurationRange("0s", "24h")] = timedelta(minutes=30)
    """Time off before the next trial; doubles with each failed attempt, up to 24h. Default 30m."""
    max_transitions_per_day: Annotated[int, Field(ge=0, le=1000)] = 4
    """Changes of speculation in 24 hours, after which the state is Frozen. Default 4."""


LabelName = Annotated[
    str, Field(max_length=64), Pattern(r"^[a-zA-Z_][a-zA-Z0-9_]*$", "write a label name, for example namespace or pod")
]


class MetricLabelsSpec(SpecModel):
    """Names in a Prometheus that relabels."""

    prefix: (
        Annotated[
            str,
            Field(max_length=64),
            Pattern(r"^[a-zA-Z_:][a-zA-Z0-9_:]*$", "write what metric names begin with, for example vllm:"),
        ]
        | None
    ) = None
    """Metric name prefix, for example kserve_vllm:. Absent: detected."""
    namespace: LabelName | None = None
    """Label that carries the pod's namespace. Absent: detected."""
    pod: LabelName | None = None
    """Label that carries the pod's name. Absent: detected."""


class MetricsSpec(SpecModel):
    """Where the evidence comes from."""

    rules = (
        Rule(
            field="prometheusURL",
            message="write the URL without credentials: the operator reads those from its own configuration",
            cel="!has(self.prometheusURL) || !self.prometheusURL.contains('@')",
            holds=lambda m: "@" not in m.prometheus_url,
        ),
    )

    prometheus_url: Annotated[
        str,
        Field(alias="prometheusURL", max_length=512),
        Pattern(r"^(https?://[^\s/]+(/\S*)?)?$", "write a URL such as http://prometheus.monitoring.svc:9090"),
    ] = ""
    """Prometheus of this deployment. Empty: the operator's own. Others only from the operator's allow-list."""
    names: MetricLabelsSpec = MetricLabelsSpec()
    """Names in a Prometheus that relabels. Absent: detected."""


class SpeculativeDeploymentSpec(SpecModel):
    """What a team declares: target, draft, quantization, thresholds, and what the operator may do."""

    rules = (
        Rule(
            field="policy.mode",
            message="write Auto or Off, or add spec.draft: On without a draft has nothing to switch on",
            cel="self.policy.mode != 'On' || has(self.draft)",
            holds=lambda s: s.policy.mode is not Mode.ON or s.draft is not None,
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
    engine: EngineSpec
    """The vLLM image and what is added to its command line."""
    target: TargetSpec
    """The model that serves."""
    draft: DraftSpec | None = None
    """How tokens are drafted. Absent: plain serving."""
    alternatives: Annotated[list[DraftSpec], Field(max_length=4)] = []
    """Other drafts that may be tried when the first does not pay, in this order. Absent: none."""
    hardware: HardwareSpec = HardwareSpec()
    """Where replicas run. Default: one H100 or H200 each."""
    thresholds: ThresholdsSpec = ThresholdsSpec()
    """What counts as paying. Default: on above a speed-up of 1.05, off below 0.98, no fixed acceptance thresholds."""
    evidence: EvidenceSpec = EvidenceSpec()
    """How much must be measured before a verdict. Default: windows of 10m, three to promote, two to leave."""
    policy: PolicySpec = PolicySpec()
    """What the operator may do. Default: decide and act (Auto), without spare replicas and without downtime."""
    metrics: MetricsSpec = MetricsSpec()
    """Where the evidence comes from. Default: the operator's Prometheus."""
    pod_template: dict[str, Any] | None = None
    """Strategic-merge overrides of the rendered pod template: the escape hatch for everything else. Absent: none."""
