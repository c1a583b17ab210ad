"""Everything that is wrong with a variant before a pod is made for it."""

from collections.abc import Iterator

from breakeven.api.variant import Variant
from breakeven.api.vocabulary import Reason
from breakeven.engines import Caution, EngineRemark, Refusal
from breakeven.render.acceptance import check_acceptance
from breakeven.render.conflicts import check_conflicts
from breakeven.render.drafting import check_drafting
from breakeven.render.extraargs import check_extra_arguments
from breakeven.render.extrakeys import check_extra_keys
from breakeven.render.hardware import check_hardware
from breakeven.render.known_crashes import check_known_crashes
from breakeven.render.overrides import check_overrides
from breakeven.render.quantization import check_quantization
from breakeven.render.request import Request, read
from breakeven.render.schedule import check_schedule
from breakeven.render.serving import (
    check_environment,
    check_grace,
    check_ports,
    check_serving,
    check_text,
    check_version,
)
from breakeven.render.traffic import check_traffic

_CHECKS = (
    check_serving,
    check_environment,
    check_grace,
    check_ports,
    check_text,
    check_drafting,
    check_acceptance,
    check_schedule,
    check_quantization,
    check_extra_keys,
    check_known_crashes,
    check_hardware,
    check_extra_arguments,
    check_conflicts,
    check_traffic,
)


def check(variant: Variant) -> tuple[EngineRemark, ...]:
    """Refusals and cautions about a variant, refusals first; never raises."""
    request = read(variant)
    if isinstance(request, Refusal):
        return (request, *check_overrides(variant.pod_template))
    found = [*_found(request), *check_overrides(variant.pod_template)]
    return tuple(sorted(found, key=lambda f: isinstance(f, Caution)))


def refusals(variant: Variant) -> tuple[Refusal, ...]:
    """Only what keeps a variant from being rendered."""
    return tuple(f for f in check(variant) if isinstance(f, Refusal))


def _found(request: Request) -> Iterator[EngineRemark]:
    if request.engine.assumed:
        yield Caution(field="engine.version", reason=Reason.NEAREST_OLDER, message=request.engine.assumption)
    yield from check_version(request)
    for rule in _CHECKS:
        yield from rule(request)
