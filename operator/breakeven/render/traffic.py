"""What requests may not ask for, or will not gain from, while speculation is on: said, for no pod shows it."""

from collections.abc import Iterator

from breakeven.engines import Caution
from breakeven.render.request import Request

_FIELD = "draft.method"


def check_traffic(request: Request) -> Iterator[Caution]:
    """Name what the table knows of traffic with this method on this engine; nothing without speculation."""
    if request.method is None:
        return
    for rule, says in request.engine.traffic_warnings(request.method, request.generation).items():
        yield Caution(field=_FIELD, rule=rule, message=says)
    if request.engine.applies("CpuWheelSampling") and "cpu" in request.variant.engine.image.lower():
        yield Caution(
            field="engine.image",
            rule="CpuWheelSampling",
            message=f"the CPU build of vLLM {request.engine.version} reads memory it never wrote when it verifies at "
            "temperature above 0: wrong text; for tests at temperature 0 only",
        )
