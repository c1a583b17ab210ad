"""`spec` of a `SpeculativeDeployment`: what a team declares. Every docstring below becomes `kubectl explain` text."""

from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from breakeven.api.base import SpecModel
from breakeven.api.scalars import DecimalString, Duration

ModelName = Annotated[str, Field(min_length=1, max_length=512)]


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


class EngineSpec(SpecModel):
    """The vLLM image and what is added to its command line."""

    image: Annotated[str, Field(min_length=1, max_length=512)]
    """Container image of the engine, for example vllm/vllm-openai:v0.33.0. Its tag tells the engine version unless `version` is set."""
    version: (
        Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+([.-]?(post|rc|dev)[0-9]+)?$", max_length=32)] | None
    ) = None
    """vLLM version inside the image, for example 0.33.0. Absent: read from the image tag. Required for images named by digest or by a private tag."""
    extra_args: Annotated[list[Annotated[str, Field(max_length=1024)]], Field(max_length=64)] = []
    """Arguments appended to `vllm serve`, one list item each; no shell. Flags that the operator manages are refused by name. Absent: none."""
    env: Annotated[list[dict[str, Any]], Field(max_length=64)] = []
    """Environment of the engine container, as in a Pod. Absent: only what the operator sets."""
    startup_timeout: Duration = timedelta(minutes=30)
    """How long an engine may take to load before it counts as failed. Default 30m."""
    shutdown_timeout: Duration = timedelta(seconds=60)
    """How long requests in flight may finish when a replica stops. Default 60s."""


class ModelFacts(SpecModel):
    """Architecture of a model that is not in the packaged catalog; the names are those of its config.json."""

    params_billions: DecimalString | None = None
    """Parameters in billions. Absent: unknown."""
    active_params_billions: DecimalString | None = None
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
    kv_cache_dtype: Annotated[str, Field(pattern=r"^(auto|fp8|fp8_e4m3|fp8_e5m2|bfloat16|float16)$", max_length=16)] = (
        "auto"
    )
    """Number format of the KV cache. Default auto."""
    gpu_memory_utilization: DecimalString | None = None
    """Share of GPU memory the engine may use. Absent: the default of that engine version, rendered explicitly."""
    facts: ModelFacts | None = None
    """Architecture facts for planning. Absent: taken from the packaged catalog when it knows the model."""


class AcceptanceSpec(SpecModel):
    """How drafted tokens are accepted."""

    method: AcceptanceMethod = AcceptanceMethod.REJECTION
    """Abstract method, resolved for the engine version; refused with a reason when that version has none. Default Rejection (lossless)."""
    allow_lossy: bool = False
    """Consent to methods that change the output distribution (Typical, Fly). Default false."""
    threshold: DecimalString | None = None
    """Posterior threshold of Typical, entropy threshold of Fly. Absent: the engine's default."""
    alpha: DecimalString | None = None
    """Posterior alpha of Typical. Absent: the engine's default."""


class DraftSpec(SpecModel):
    """How tokens are drafted."""

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
    """Longest n-gram looked up, NGram only. Absent: the engine's default."""
    prompt_lookup_min: Annotated[int, Field(ge=1, le=128)] | None = None
    """Shortest n-gram looked up, NGram only. Absent: the engine's default."""
    facts: ModelFacts | None = None
    """Architecture facts for planning. Absent: taken from the packaged catalog when it knows the model."""


class HardwareSpec(SpecModel):
    """Where replicas run."""

    accelerators: Annotated[list[Accelerator], Field(min_length=1, max_length=8)] = [
        Accelerator.H100,
        Accelerator.H200,
    ]
    """GPU models a replica may land on. Default H100 and H200."""
    gpus_per_replica: Annotated[int, Field(ge=1, le=64)] = 1
    """GPUs of one replica, which is its tensor-parallel size. Default 1."""
    node_selector: Annotated[dict[str, Annotated[str, Field(max_length=253)]], Field(max_length=16)] | None = None
    """Replaces the built-in node affinity by accelerator. Absent: nodes whose `nvidia.com/gpu.product` is one of the accelerators."""


class SpeedupSpec(SpecModel):
    """Bounds on the measured speed-up S = TPOT without speculation / TPOT with it."""

    promote: DecimalString = Decimal("1.05")
    """Speculation is switched on when the lower bound of S is above this. Default 1.05."""
    disable: DecimalString = Decimal("0.98")
    """Speculation leaves when the upper bound of S stays below this. Default 0.98."""


class FixedAcceptanceSpec(SpecModel):
    """Fixed thresholds on accepted / drafted tokens, honoured when set; a measured speed-up is the better judge."""

    floor: DecimalString | None = None
    """Below this, speculation leaves. Absent: not used."""
    caution: DecimalString | None = None
    """Below this, a condition warns. Absent: not used."""
    healthy: DecimalString | None = None
    """A trial is promoted on acceptance only at or above this. Absent: not used."""


class LatencySpec(SpecModel):
    """Tail latency that speculation may cost."""

    max_p99_tpot_regression_percent: Annotated[int, Field(ge=0, le=1000, alias="maxP99TPOTRegressionPercent")] = 10
    """Largest rise of the 99th percentile of time per output token, in percent. Default 10."""
    max_ttft_regression_percent: Annotated[int, Field(ge=0, le=1000, alias="maxTTFTRegressionPercent")] = 15
    """Largest rise of the 95th percentile of time to first token, in percent. Default 15."""


class EvidenceSpec(SpecModel):
    """How much must be measured before a verdict."""

    window: Duration = timedelta(minutes=10)
    """Length of one window; it is cut into ten batches whose spread gives the bounds. Default 10m, at least ten scrapes."""
    warmup: Duration = timedelta(minutes=5)
    """What a replica measures in this time after it became ready is left out. Default 5m."""
    min_requests: Annotated[int, Field(ge=0, le=10_000_000)] = 100
    """Finished requests an arm needs in a window. Default 100."""
    min_draft_tokens: Annotated[int, Field(ge=0, le=1_000_000_000)] = 2000
    """Drafted tokens an arm needs in a window. Default 2000."""
    promote_windows: Annotated[int, Field(ge=1, le=100)] = 3
    """Full windows a trial must measure before it may be promoted. Default 3."""
    leave_windows: Annotated[int, Field(ge=1, le=100)] = 2
    """Windows in a row that must agree before speculation leaves. Default 2."""
    trial_timeout: Duration = timedelta(hours=6)
    """A trial without a verdict ends after this. Default 6h."""


class ThresholdsSpec(SpecModel):
    """What counts as paying."""

    speedup: SpeedupSpec = SpeedupSpec()
    """Bounds on the measured speed-up. Default: on above 1.05, off below 0.98."""
    acceptance: FixedAcceptanceSpec = FixedAcceptanceSpec()
    """Fixed thresholds on accepted / drafted. Absent: not used."""
    latency: LatencySpec = LatencySpec()
    """Tail latency that speculation may cost."""
    baseline_drop_points: Annotated[int, Field(ge=1, le=100)] = 5
    """Points of acceptance lost against the recorded unquantized pair that are reported as a quantization penalty. A diagnosis, never an action. Default 5."""


class HoldbackSpec(SpecModel):
    """Replicas without speculation, kept as a live control."""

    mode: HoldbackMode = HoldbackMode.AUTO
    """Auto: only while knowing pays. Always: as long as speculation is on. Never: before/after windows with wider bounds. Default Auto."""
    replicas: Annotated[int, Field(ge=1, le=100)] = 1
    """How many. Default 1."""


class SwitchingWindow(SpecModel):
    """A weekly time in which replicas may be switched, in UTC."""

    days: Annotated[list[Annotated[str, Field(pattern=r"^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)$")]], Field(max_length=7)] = []
    """Days it applies to. Absent: every day."""
    start: Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
    """First minute, HH:MM in UTC."""
    end: Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
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
    on_below_break_even: Annotated[list[LadderStep], Field(max_length=8)] = [
        LadderStep.TUNE,
        LadderStep.CHANGE_ACCEPTANCE_METHOD,
        LadderStep.DISABLE,
    ]
    """What is tried, in this order, when speculation falls under break-even. Default Tune, ChangeAcceptanceMethod, Disable."""
    holdback: HoldbackSpec = HoldbackSpec()
    """The live control."""
    switching: SwitchingSpec = SwitchingSpec()
    """What a switch may use."""
    cooldown: Duration = timedelta(minutes=30)
    """Time off before the next trial; doubles with each failed attempt, up to 24h. Default 30m."""
    max_transitions_per_day: Annotated[int, Field(ge=0, le=1000)] = 4
    """Changes of speculation in 24 hours, after which the state is Frozen. Default 4."""


class MetricLabelsSpec(SpecModel):
    """Names in a Prometheus that relabels."""

    prefix: Annotated[str, Field(pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$", max_length=64)] | None = None
    """Metric name prefix, for example kserve_vllm:. Absent: detected."""
    namespace: Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$", max_length=64)] | None = None
    """Label that carries the pod's namespace. Absent: detected."""
    pod: Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$", max_length=64)] | None = None
    """Label that carries the pod's name. Absent: detected."""


class MetricsSpec(SpecModel):
    """Where the evidence comes from."""

    prometheus_url: Annotated[str, Field(alias="prometheusURL", max_length=512, pattern=r"^(https?://[^\s@]+)?$")] = ""
    """Prometheus of this deployment. Empty: the operator's own. Others only from the operator's allow-list."""
    names: MetricLabelsSpec = MetricLabelsSpec()
    """Names in a Prometheus that relabels. Absent: detected."""


class SpeculativeDeploymentSpec(SpecModel):
    """What a team declares: target, draft, quantization, thresholds, and what the operator may do."""

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
    """Where replicas run."""
    thresholds: ThresholdsSpec = ThresholdsSpec()
    """What counts as paying."""
    evidence: EvidenceSpec = EvidenceSpec()
    """How much must be measured before a verdict."""
    policy: PolicySpec = PolicySpec()
    """What the operator may do."""
    metrics: MetricsSpec = MetricsSpec()
    """Where the evidence comes from."""
    pod_template: dict[str, Any] | None = None
    """Strategic-merge overrides of the rendered pod template: the escape hatch for everything else. Absent: none."""
