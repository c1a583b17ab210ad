"""Flags that the operator writes, and the fields to set instead."""

from collections.abc import Mapping
from types import MappingProxyType

_SPECULATION = "speculation is declared in spec.draft: remove it"

MANAGED: Mapping[str, str] = MappingProxyType(
    {
        "--model": "set target.model",
        "--served-model-name": "set target.servedName, and target.alsoServedAs for further names",
        "--revision": "set target.revision",
        "--tensor-parallel-size": "set hardware.gpusPerReplica, and hardware.tensorParallelSize where it is less",
        "--max-model-len": "set target.maxModelLen",
        "--gpu-memory-utilization": "set target.gpuMemoryUtilization",
        "--quantization": "set target.quantization, and target.quantizationMethod for a method of vLLM's by its name",
        "--kv-cache-dtype": "set target.kvCacheDtype",
        "--host": "engines serve on every address of their pod: remove it",
        "--port": "set engine.port",
        "--shutdown-timeout": "set engine.shutdownTimeout",
        "--custom-histogram-buckets": "it is the same on every variant, or their percentiles cannot be "
        "compared: remove it",
        "--disable-log-stats": "it removes the metrics that speculation is judged by: remove it",
        "--config": "a file could set managed flags: write its lines as extraArgs",
        "--grpc": "probes and metrics need HTTP: remove it",
        "--help": "the engine would print it and end: remove it",
        "--version": "the engine would print it and end: remove it",
        "--headless": "probes and metrics need the API server: remove it",
        "--uds": "probes and metrics need a TCP port: remove it",
        "--ssl-keyfile": "probes and metrics use plain HTTP inside the cluster: remove it",
        "--ssl-certfile": "probes and metrics use plain HTTP inside the cluster: remove it",
        "--speculative-config": _SPECULATION,
        "--spec-method": _SPECULATION,
        "--spec-model": _SPECULATION,
        "--spec-tokens": _SPECULATION,
        "--speculative-model": _SPECULATION,
        "--speculative-model-quantization": "set draft.quantization",
        "--num-speculative-tokens": "set draft.numSpeculativeTokens",
        "--speculative-draft-tensor-parallel-size": _SPECULATION,
        "--speculative-max-model-len": _SPECULATION,
        "--speculative-disable-by-batch-size": "set draft.disableAboveBatchSize",
        "--speculative-disable-mqa-scorer": _SPECULATION,
        "--disable-logprobs-during-spec-decoding": _SPECULATION,
        "--ngram-prompt-lookup-max": "set draft.promptLookupMax",
        "--ngram-prompt-lookup-min": "set draft.promptLookupMin",
        "--spec-decoding-acceptance-method": "set draft.acceptance.method",
        "--typical-acceptance-sampler-posterior-threshold": "set draft.acceptance.threshold",
        "--typical-acceptance-sampler-posterior-alpha": "set draft.acceptance.alpha",
        "--use-v2-block-manager": "it is written where the release needs it: remove it",
    }
)
"""Flag → what to do instead of writing it in `engine.extraArgs`."""

WATCHED = (
    "--api-key",
    "--async-scheduling",
    "--data-parallel-address",
    "--data-parallel-external-lb",
    "--data-parallel-hybrid-lb",
    "--data-parallel-rank",
    "--data-parallel-size",
    "--decode-context-parallel-size",
    "--data-parallel-start-rank",
    "--enable-chunked-prefill",
    "--enable-dbo",
    "--enable-lora",
    "--enable-prompt-embeds",
    "--enforce-eager",
    "--guided-decoding-backend",
    "--load-format",
    "--logits-processors",
    "--max-num-batched-tokens",
    "--master-addr",
    "--max-num-seqs",
    "--nnodes",
    "--node-rank",
    "--num-scheduler-steps",
    "--per-request-spec-decode-metrics",
    "--pipeline-parallel-size",
    "--runner",
    "--task",
    "--ubatch-size",
)
"""Flags of the user's that rendering or checking reads."""

RUNNER_VARIABLES = frozenset({"VLLM_USE_V1", "VLLM_USE_V2_MODEL_RUNNER"})
"""Variables that decide what may be rendered: they must be where rendering reads them."""
