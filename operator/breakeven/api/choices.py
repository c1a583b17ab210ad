"""The words that `spec` may choose from, and what some of them have in common.

No reader of YAML, 1.1 or 1.2, takes one of them for anything but text: no On, Off, Yes, No, True, False or Null, and
nothing that reads as a number or a time.
"""

from enum import StrEnum


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


class MetricsSource(StrEnum):
    """Where engine metrics are read."""

    PROMETHEUS = "Prometheus"
    PODS = "Pods"


class Mode(StrEnum):
    """Who decides about speculation. Never a bare On or Off: YAML 1.1 reads those as booleans."""

    AUTO = "Auto"
    ADVISE = "Advise"
    ALWAYS_ON = "AlwaysOn"
    ALWAYS_OFF = "AlwaysOff"


class HoldbackMode(StrEnum):
    """When replicas without speculation are kept as a live control."""

    AUTO = "Auto"
    ALWAYS = "Always"
    NEVER = "Never"


class SwitchingMode(StrEnum):
    """How a replica changes what it serves with."""

    RELOAD = "Reload"
    WARM = "Warm"


class OnDrainTimeout(StrEnum):
    """What becomes of streams that a switch waited for in vain."""

    WAIT = "Wait"
    ABORT = "Abort"


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
    FP8_INC = "fp8_inc"
    FP8_DS_MLA = "fp8_ds_mla"
    FP8_PER_TOKEN_HEAD = "fp8_per_token_head"
    INT8_PER_TOKEN_HEAD = "int8_per_token_head"
    INT4_PER_TOKEN_HEAD = "int4_per_token_head"
    NVFP4 = "nvfp4"
    NVFP4_4OVER6 = "nvfp4_4over6"
    NVFP4_DS_MLA = "nvfp4_ds_mla"
    TURBOQUANT_3BIT_NC = "turboquant_3bit_nc"
    TURBOQUANT_4BIT_NC = "turboquant_4bit_nc"
    TURBOQUANT_K3V4_NC = "turboquant_k3v4_nc"
    TURBOQUANT_K8V4 = "turboquant_k8v4"
    ULTRAQUANT_4BIT = "ultraquant_4bit"
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
