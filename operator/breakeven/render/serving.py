"""What the target's own fields may say on an engine version."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from breakeven.api.vocabulary import Reason
from breakeven.engines import Caution, EngineRemark, Refusal, version_in_image
from breakeven.render.lifetime import pre_stop_s
from breakeven.render.managed import RUNNER_VARIABLES
from breakeven.render.pod_fields import check_fields
from breakeven.render.pod_values import check_variable
from breakeven.render.request import Request

VERSION_DISAGREES = "VersionDisagrees"
"""Rule of the caution about a tag that says otherwise."""


def check_serving(request: Request) -> Iterator[EngineRemark]:
    """Find target fields that this engine does not take."""
    target, engine = request.variant.target, request.engine
    if target.model.startswith("-"):
        yield Refusal(
            field="target.model",
            reason=Reason.INVALID_CONFIGURATION,
            message=f"{target.model!r} would be read as a flag; write a model name or path",
        )
    if target.kv_cache_dtype not in engine.kv_cache_dtypes:
        can = engine.versions_with("kv_cache_dtypes", target.kv_cache_dtype)
        yield Refusal(
            field="target.kvCacheDtype",
            reason=Reason.UNSUPPORTED_BY_ENGINE,
            message=f"vLLM {engine.version} has no KV cache of {target.kv_cache_dtype}, {can} can; "
            "set target.kvCacheDtype to auto or fp8",
        )
    share = target.gpu_memory_utilization
    if share is not None and not Decimal(0) < share <= Decimal(1):
        yield Refusal(
            field="target.gpuMemoryUtilization",
            reason=Reason.INVALID_CONFIGURATION,
            message=f'{share} is no share of memory; write a number above 0 and up to 1, for example "0.9"',
        )


def check_grace(request: Request) -> Iterator[Refusal]:
    """Find an overridden grace period that is over before the engine is told to stop."""
    spec = (request.variant.pod_template or {}).get("spec")
    given = spec.get("terminationGracePeriodSeconds") if isinstance(spec, Mapping) else None
    least = pre_stop_s(request.variant.engine.shutdown_timeout, drains=request.engine.drains) + 1
    if isinstance(given, int) and given < least:
        yield Refusal(
            field="podTemplate.spec.terminationGracePeriodSeconds",
            reason=Reason.INVALID_CONFIGURATION,
            message=f"write at least {least}: until then the pod leaves the Service; or leave it out and set "
            "engine.shutdownTimeout",
        )


def check_ports(request: Request) -> Iterator[Refusal]:
    """Find an overridden port that takes the name or the number of the engine's own."""
    engine = request.variant.engine
    for container in _containers(request.variant.pod_template):
        ports = container.get("ports")
        for place, port in enumerate(ports if isinstance(ports, list) else ()):
            if isinstance(port, Mapping) and (
                port.get("name") == engine.port_name or port.get("containerPort") == engine.port
            ):
                yield Refusal(
                    field=f"podTemplate.spec.containers[{container.get('name')}].ports[{place}]",
                    reason=Reason.INVALID_CONFIGURATION,
                    message=f"{engine.port_name} is the engine's port {engine.port}: leave it out here, and set "
                    "engine.port and engine.portName where they are others",
                )


def _containers(template: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    spec = (template or {}).get("spec")
    found = spec.get("containers") if isinstance(spec, Mapping) else None
    return [c for c in found if isinstance(c, Mapping)] if isinstance(found, list) else []


def check_version(request: Request) -> Iterator[EngineRemark]:
    """Find a declared version that is not the one the image's tag names, where that is a release."""
    declared, tagged = request.variant.engine.version, version_in_image(request.variant.engine.image)
    if declared is None or tagged is None or str(tagged) not in request.engine.table.releases:
        return
    if tagged != request.engine.version:
        yield Caution(
            field="engine.version",
            rule=VERSION_DISAGREES,
            message=f"{declared} is declared and the tag of engine.image says {tagged}: arguments are those of "
            f"{request.engine.version}; make them agree",
        )


def check_text(request: Request) -> Iterator[EngineRemark]:
    """Find text that no process can be given: a null character ends an argument."""
    variant = request.variant
    texts = {
        "target.model": (variant.target.model,),
        "target.revision": (variant.target.revision,),
        "target.servedName": (variant.target.served_name,),
        "draft.model": (variant.draft.model if variant.draft else None,),
        "draft.revision": (variant.draft.revision if variant.draft else None,),
        "engine.extraArgs": variant.engine.extra_args,
        "engine.env": [str(part) for v in variant.engine.env for part in (v.get("name"), v.get("value"))],
    }
    for field, values in texts.items():
        if any("\0" in value for value in values if value is not None):
            yield Refusal(
                field=field,
                reason=Reason.INVALID_CONFIGURATION,
                message="remove the null character: no process takes it",
            )


def check_environment(request: Request) -> Iterator[EngineRemark]:
    """Find variables that the API server would refuse, or whose value rendering has to know and cannot read."""
    for place, variable in enumerate(request.variant.engine.env):
        name = str(variable.get("name"))
        wrong = [*check_fields(variable, "EnvVar", f"engine.env[{place}]")]
        yield from wrong or check_variable(variable, f"engine.env[{place}]")
        if name in RUNNER_VARIABLES and "valueFrom" in variable:
            yield _environment(f"{name} decides what may be rendered; write its value here instead of valueFrom")
        if name == "VLLM_API_KEY":
            yield Caution(
                field="engine.env", message=f"{name}: smoke tests send no key, so a trial would never be promoted"
            )


def _environment(message: str) -> Refusal:
    return Refusal(field="engine.env", reason=Reason.INVALID_CONFIGURATION, message=message)
