"""What cannot be warm, and what to do about it."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from breakeven.api.serving import DEFAULT_PORT
from breakeven.api.variant import Variant
from breakeven.api.vocabulary import Reason
from breakeven.engines import Refusal
from breakeven.render.check import refusals
from breakeven.render.names import CONTAINER
from breakeven.render.pod_values import amount_of
from breakeven.render.request import Request, read

FIELD = "policy.switching.mode"
_INSTEAD = "write Reload there"
MOST = 2
"""Variants that a replica holds."""
_FLAGS: Mapping[str, str] = {
    "--pipeline-parallel-size": "an engine in pipeline stages was never put to sleep here",
    "--data-parallel-size": "several engines in one server were never put to sleep here",
    "--kv-transfer-config": "a KV connector keeps memory that sleep does not free",
    "--api-key": "the supervisor tests what it wakes: set VLLM_API_KEY in engine.env",
}


def cannot_be_warm(variants: Sequence[Variant], *, host_memory_bytes: int) -> tuple[Refusal, ...]:
    """Why these variants cannot be held in one replica, each reason once; empty when they can."""
    found: dict[Refusal, None] = {}
    if not 1 <= len(variants) <= MOST or len({variant.baseline.name for variant in variants}) > 1:
        found[_refuse(f"a replica holds one or two variants that differ in nothing but the draft: {_INSTEAD}")] = None
    for variant in variants:
        request = read(variant)
        if isinstance(request, Refusal):
            found[request] = None
            continue
        found.update(dict.fromkeys(refusals(variant)))
        found.update(dict.fromkeys(_of_engine(request)))
        found.update(dict.fromkeys(_of_memory(variant.pod_template or {}, host_memory_bytes)))
    return tuple(found)


def _of_engine(request: Request) -> Iterator[Refusal]:
    engine = request.engine
    if not engine.sleeps or not request.on_v1:
        can = engine.versions(lambda other: other.sleeps)
        yield _refuse(f"vLLM {engine.version} has no sleep mode that waits for requests, {can} have: {_INSTEAD}")
    if request.variant.engine.port != DEFAULT_PORT:
        yield _refuse(f"the proxy listens on port {DEFAULT_PORT}: leave engine.port out, or {_INSTEAD}")
    flags = {arg.partition("=")[0].replace("_", "-") for arg in request.variant.engine.extra_args}
    parallel = {"--pipeline-parallel-size": request.pipeline_parallel, "--data-parallel-size": request.data_parallel}
    for flag, why in _FLAGS.items():
        if parallel.get(flag, 2) > 1 and flag in flags:
            yield _refuse(f"{flag} in engine.extraArgs: {why}; remove it, or {_INSTEAD}")


def _of_memory(overrides: Mapping[str, Any], needed: int) -> Iterator[Refusal]:
    """A limit of the user's below what both engines keep in host memory."""
    containers = (overrides.get("spec") or {}).get("containers") or ()
    for container in containers:
        limit = ((container.get("resources") or {}).get("limits") or {}).get("memory")
        if container.get("name") != CONTAINER or limit is None:
            continue
        allowed = amount_of(limit)
        if allowed is not None and allowed < Decimal(needed):
            yield Refusal(
                field="podTemplate.spec.containers",
                reason=Reason.INVALID_CONFIGURATION,
                message=f"the memory limit of {CONTAINER} is {limit}, and a warm replica keeps the weights of both "
                f"variants in host memory: write at least {needed / 2**30:.0f}Gi, or Reload in {FIELD}",
            )


def _refuse(message: str) -> Refusal:
    return Refusal(field=FIELD, reason=Reason.INVALID_CONFIGURATION, message=message)
