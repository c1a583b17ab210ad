"""The exact command line of an engine: one list, no shell."""

import math
from decimal import Decimal

from breakeven.api.spec import TargetSpec
from breakeven.render.buckets import custom_histogram_buckets
from breakeven.render.quantization import target_quantization
from breakeven.render.request import Request
from breakeven.render.schedule import schedule_env
from breakeven.render.speculation import speculation_arguments

COMMAND = ("vllm", "serve")
"""Exists in every supported release; image entrypoints changed in 0.11.1."""


def serve_arguments(request: Request) -> list[str]:
    """Arguments after `vllm serve`, in a fixed order, for a request that `check` did not refuse.

    The share of GPU memory is always written, because its default changed from 0.9 to 0.92 in 0.20.0.
    """
    variant, engine = request.variant, request.engine
    target = variant.target
    arguments = [target.model, *_served_names(target)]
    if target.revision is not None:
        arguments.append(f"--revision={target.revision}")
    arguments += [f"--port={variant.engine.port}", f"--tensor-parallel-size={variant.hardware.tensor_parallel}"]
    if target.max_model_len is not None:
        arguments.append(f"--max-model-len={target.max_model_len}")
    arguments.append(
        f"--gpu-memory-utilization={_plain(target.gpu_memory_utilization or engine.gpu_memory_utilization)}"
    )
    if target.kv_cache_dtype != "auto":
        arguments.append(f"--kv-cache-dtype={target.kv_cache_dtype}")
    arguments += target_quantization(request)
    if engine.drains:
        arguments.append(f"--shutdown-timeout={math.ceil(variant.engine.shutdown_timeout.total_seconds())}")
    if engine.custom_buckets:
        arguments.append(f"--custom-histogram-buckets={custom_histogram_buckets(variant.bounds)}")
    return [*map(_literal, [*arguments, *speculation_arguments(request)]), *variant.engine.extra_args]


def engine_env(request: Request) -> dict[str, str]:
    """Environment that the arguments need to mean what they say."""
    return schedule_env(request)


def _served_names(target: TargetSpec) -> list[str]:
    """One name as one argument; several follow the flag, because `=` takes one only."""
    name = target.served_name or target.model
    if not target.also_served_as:
        return [f"--served-model-name={name}"]
    return ["--served-model-name", name, *target.also_served_as]


def _literal(argument: str) -> str:
    """As the container is to see it: Kubernetes replaces `$(NAME)` in arguments, and reads `$$` as one dollar sign.

    Only extra arguments are left to refer to variables.
    """
    return argument.replace("$", "$$")


def _plain(number: Decimal) -> str:
    return format(number.normalize(), "f")
