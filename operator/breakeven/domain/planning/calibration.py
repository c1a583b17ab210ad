"""Constants of the step-time model: what they were fitted on, and what each engine generation leaves on the host."""

from breakeven.domain.planning.steptime import Constants, Host

H200_FIT = Constants(
    bandwidth_share=0.745,
    compute16_share=0.605,
    compute8_share=0.493,
    blend=2.47,
    layer=0.0198,
    draft_layer=0.0776,
    draft_pass=0.302,
    reduce=0.010,
    weight_only_share=0.5,
    source=(
        "step-time model fitted to vLLM 0.26.0 on one H200: least squares over 192 step times of Llama 8B bf16 and 70B "
        "FP8 (plain, draft model, EAGLE-3, n-gram; batch 1 to 256), mean error 4.6 %; not measured, planning values: "
        "all-reduce latency, and the share of 16-bit arithmetic that kernels reach on 4-bit weights"
    ),
)

ASYNC = Host(
    plain=0.0,
    plain_sequence=0.0,
    extra=0.21,
    extra_position=0.0023,
    source="vLLM 0.26.0 on H200: asynchronous scheduling hides the host",
)
SYNC = Host(
    plain=1.38,
    plain_sequence=0.019,
    extra=0.21,
    extra_position=0.0023,
    source="vLLM 0.26.0 on H200, runner V1 without asynchronous scheduling",
)

V0 = Host(
    plain=3.0,
    plain_sequence=0.03,
    extra=3.0,
    extra_sequence=0.3,
    expands=True,
    source="to be fitted",
)

_ASYNC_DEFAULT = (0, 14)
_ASYNC_DRAFT_MODEL = (0, 28)
_ASYNC_NGRAM = (0, 33)
_HOST_DRAFTERS = {"draft_model": _ASYNC_DRAFT_MODEL, "ngram": _ASYNC_NGRAM}
"""First releases in which these methods keep asynchronous scheduling; the others keep it from 0.14 on (release
sources)."""


def hosts_for(version: tuple[int, ...], method: str) -> tuple[Host, Host]:
    """Host time without speculation and with this method on a V1 release: (plain, speculating)."""
    plain = ASYNC if version >= _ASYNC_DEFAULT else SYNC
    since = _HOST_DRAFTERS.get(method, _ASYNC_DEFAULT)
    return plain, ASYNC if version >= since else SYNC


def v0_hosts() -> tuple[Host, Host]:
    """Host time of the V0 engine: (plain, speculating)."""
    return V0, V0
