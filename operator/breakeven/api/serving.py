"""What is served and where: engine, target, draft and hardware of `spec`."""

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, Field, WithJsonSchema

from breakeven.api.base import SpecModel
from breakeven.api.choices import (
    LOSSY,
    WITHOUT_MODEL,
    AcceptanceMethod,
    DraftMethod,
    KVCacheDtype,
    Quantization,
)
from breakeven.api.free_form import LARGEST
from breakeven.api.lists import SET, once
from breakeven.api.rules import DecimalRange, DurationRange, Pattern, Rule
from breakeven.api.scalars import DecimalString, Duration

ModelName = Annotated[
    str, Field(min_length=1, max_length=512), Pattern(r"^\S+$", "write a Hugging Face name or a path, without spaces")
]
ReleaseNumber = Annotated[
    str,
    Field(max_length=64),
    Pattern(
        r"^[0-9]+\.[0-9]+\.[0-9]+(\.[0-9]+)?([.-]?(post|rc|dev)[0-9]+){0,2}([+-][A-Za-z0-9._-]+)?$",
        "write what vllm --version prints, without a leading v, for example 0.33.0 or 0.26.1rc1.dev457",
    ),
]
Share = Annotated[DecimalString, DecimalRange("0", "1")]
Billions = Annotated[DecimalString, DecimalRange("0", "100000", above=True)]

DEFAULT_PORT = 8000
DEFAULT_PORT_NAME = "http"

MANAGED_FLAG = (
    r"^--(model|revision|served-model-name|quantization|max-model-len|kv-cache-dtype|gpu-memory-utilization"
    r"|tensor-parallel-size|speculative[-_a-z]*|spec-[a-z]+|num-speculative-tokens|host|port)(=|$)"
)
"""Flags of `vllm serve` that have a field of their own."""


def _named_once(env: list[dict[str, Any]]) -> list[dict[str, Any]]:
    names = [item.get("name") for item in env]
    if not all(isinstance(name, str) and name for name in names) or len(set(names)) < len(names):
        raise ValueError("write a name in every item, each name once")
    if numbers := [item["name"] for item in env if not isinstance(item.get("value", ""), str)]:
        raise ValueError(f"write the value of {', '.join(numbers)} as text, in quotes")
    return env


EnvVar = Annotated[
    dict[str, Any],
    WithJsonSchema(
        {
            "type": "object",
            "description": "One variable, as in a Pod: name with value or valueFrom.",
            "properties": {
                "name": {"type": "string", "minLength": 1, "maxLength": 256, "description": "Name of the variable."},
                "value": {
                    "type": "string",
                    "maxLength": LARGEST,
                    "description": "Its value, as text. Absent: empty, or from valueFrom.",
                },
            },
            "required": ["name"],
            "x-kubernetes-preserve-unknown-fields": True,
        }
    ),
]


class EngineSpec(SpecModel):
    """The vLLM image and what is added to its command line."""

    rules = (
        Rule(
            field="portName",
            message="leave it as it is: pods of the old name would leave the Service at once; a new resource may have another",
            cel="self.portName == oldSelf.portName",
            holds=None,  # only the API server knows what it was
        ),
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
        Rule(
            field="env",
            message=f"write at most {LARGEST} characters in all values together: put long texts into a ConfigMap and name it "
            "in valueFrom",
            cel=f"!has(self.env) || self.env.map(v, has(v.value) ? size(v.value) : 0).sum() <= {LARGEST}",
            holds=lambda e: sum(len(str(v.get("value", ""))) for v in e.env) <= LARGEST,
        ),
    )

    image: Annotated[
        str,
        Field(min_length=1, max_length=512),
        Pattern(r"^\S+$", "write an image such as vllm/vllm-openai:v0.33.0, without spaces"),
    ]
    """Container image of the engine, for example vllm/vllm-openai:v0.33.0. Its tag tells the engine version unless `version` is set."""
    version: ReleaseNumber | None = None
    """vLLM version inside the image, as `vllm --version` prints it, for example 0.33.0. Absent: read from the image tag. Required for images named by digest, by a private tag, and of other repositories than vLLM's own, whose tags are their own numbers."""
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
    port: Annotated[int, Field(ge=1, le=65_535)] = DEFAULT_PORT
    """Port of the API, of health and of metrics: vLLM has one for all. Default 8000."""
    port_name: Annotated[
        str,
        Field(max_length=15),
        Pattern(
            r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", "write at most 15 characters of a-z, 0-9 and '-', one of them a letter"
        ),
    ] = DEFAULT_PORT_NAME
    """Name of that port in the pod, which a Service of your own may have as targetPort. Default http."""
    startup_timeout: Annotated[Duration, DurationRange("10s", "24h")] = timedelta(minutes=30)
    """How long an engine may take to load before it counts as failed. Default 30m."""
    shutdown_timeout: Annotated[Duration, DurationRange("0s", "1h")] = timedelta(seconds=60)
    """How long requests in flight may finish when a replica stops. Default 60s."""


class ModelFacts(SpecModel):
    """Architecture of a model that is not in the packaged catalog; the names are those of its config.json."""

    rules = (
        Rule(
            field="fullAttentionLayers",
            message="write at most layers",
            cel="!has(self.fullAttentionLayers) || !has(self.layers) || self.fullAttentionLayers <= self.layers",
            holds=lambda f: f.full_attention_layers is None or f.layers is None or f.full_attention_layers <= f.layers,
        ),
    )

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
    sliding_window: Annotated[int, Field(ge=1, le=100_000_000)] | None = None
    """Tokens that layers with a sliding window cache at most. Absent: no layer has one."""
    full_attention_layers: Annotated[int, Field(ge=0, le=1000)] | None = None
    """Layers without a sliding window, where there is one. Absent: unknown with `slidingWindow`, else all."""
    kv_latent_width: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Elements cached per token and layer by multi-head latent attention: kv_lora_rank + qk_rope_head_dim. Absent: no such attention."""
    weight_bits: Annotated[int, Field(ge=1, le=32)] | None = None
    """Bits of one weight of the checkpoint. Absent: 16, or unknown where `quantization` is Prequantized or GPTQ."""


QuantizationMethod = Annotated[
    str, Field(min_length=1, max_length=64), Pattern(r"^[a-z0-9_-]+$", "write a method of vLLM, for example modelopt")
]
_FORMAT_TOO = Rule(
    field="quantization",
    message="write the weight format beside quantizationMethod, Prequantized for a checkpoint that carries one: "
    "plans take the size of the weights from it",
    cel="!has(self.quantizationMethod) || self.quantization != 'None'",
    holds=lambda side: side.quantization_method is None or side.quantization is not Quantization.NONE,
)


class TargetSpec(SpecModel):
    """The model that serves."""

    rules = (_FORMAT_TOO,)

    model: ModelName
    """Hugging Face name or path of the target model."""
    revision: Annotated[str, Field(max_length=128)] | None = None
    """Revision of the model. Absent: the default branch."""
    served_name: Annotated[str, Field(max_length=256)] | None = None
    """Name clients ask for. Absent: the value of `model`."""
    also_served_as: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=256)]],
        AfterValidator(once),
        Field(max_length=16, json_schema_extra=SET),
    ] = []
    """Further names that clients may ask for. Metrics carry `servedName`. Absent: none."""
    quantization: Quantization = Quantization.NONE
    """Weight format to produce on load, or Prequantized for a checkpoint that already carries one. Default None (as in the checkpoint)."""
    quantization_method: QuantizationMethod | None = None
    """Value of `--quantization`, in vLLM's words (`modelopt`, `awq_marlin`, `gptq_marlin`, `experts_int8` …), for a checkpoint or a kernel that has to be named; checked against the engine version. `quantization` says beside it how large the weights are. Absent: what `quantization` needs, which is nothing for a checkpoint that carries its format."""
    max_model_len: Annotated[int, Field(ge=16, le=100_000_000)] | None = None
    """Longest context served, in tokens. Absent: the engine's default."""
    kv_cache_dtype: KVCacheDtype = KVCacheDtype.AUTO
    """Number format of the KV cache. Default auto."""
    gpu_memory_utilization: Annotated[DecimalString, DecimalRange("0", "1", above=True)] | None = None
    """Share of GPU memory the engine may use. Absent: the default of that engine version, rendered explicitly."""
    facts: ModelFacts | None = None
    """Architecture facts for planning. Absent: taken from the packaged catalog when it knows the model."""


def _scalars(keys: dict[str, Any]) -> dict[str, Any]:
    for name, value in keys.items():
        if not isinstance(value, bool | int | float | str):
            raise ValueError(f"{name}: write a text, a number, true or false")
    # The API server stores 1.0 as 1: a variant must have one name whichever of them it is read from.
    return {k: int(v) if isinstance(v, float) and v.is_integer() else v for k, v in keys.items()}


ExtraKeys = Annotated[
    dict[str, Any],
    Field(max_length=32),
    AfterValidator(_scalars),
    WithJsonSchema({"type": "object", "maxProperties": 32, "x-kubernetes-preserve-unknown-fields": True}),
]


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
        _FORMAT_TOO,
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
    quantization_method: QuantizationMethod | None = None
    """Value of `quantization` in `--speculative-config`, in vLLM's words, as `target.quantizationMethod`. Absent: what `quantization` needs."""
    num_speculative_tokens: Annotated[int, Field(ge=1, le=128)] = 5
    """Tokens drafted per step, called k in the documentation. Default 5."""
    acceptance: AcceptanceSpec = AcceptanceSpec()
    """How drafted tokens are accepted. Default: rejection sampling, lossless."""
    disable_above_batch_size: Annotated[int, Field(ge=2, le=100_000)] | None = None
    """No drafting at or above this many running requests in an engine. Absent: drafting at every load."""
    extra_keys: ExtraKeys = {}
    """Further keys of `--speculative-config`, spelled as vLLM spells them, for example `moe_backend: triton`. Each is checked against the engine version, and refused where a field above decides it. Absent: none."""
    prompt_lookup_max: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Longest n-gram looked up, NGram and NGramGPU only. Absent: the engine's default."""
    prompt_lookup_min: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Shortest n-gram looked up, NGram and NGramGPU only. Absent: the engine's default."""
    facts: ModelFacts | None = None
    """Architecture facts for planning. Absent: taken from the packaged catalog when it knows the model."""
