"""Constants of the step-time model: what they were fitted on, and what each engine generation leaves on the host."""

from collections.abc import Mapping
from types import MappingProxyType

from breakeven.planning.steptime import Constants, Host

H200_FIT = Constants(
    bandwidth_share=0.745,
    attention_share=0.95,
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
        "FP8 (plain, draft model, EAGLE-3, n-gram; batch 1 to 256), mean error 4.6 %; the KV cache is read as fast as "
        "four of them at a context of 3,072 show (0.95 of the bandwidth); not measured, planning values: all-reduce "
        "latency, and the share of 16-bit arithmetic that kernels reach on 4-bit weights"
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
    plain=0.88,
    plain_sequence=0.0205,
    extra=0.71,
    extra_position=0.0023,
    source="vLLM 0.26.0 on H200, runner V1 without asynchronous scheduling, with and without speculation",
)

V0_DRAFT_MODEL = Host(
    plain=3.0,
    plain_sequence=0.03,
    extra=4.43,
    extra_position=0.391,
    expands=True,
    source="fitted on 8 rows of published draft-model measurements of vLLM 0.6; see FITTED_ROWS",
)
V0_HEAD = Host(
    plain=3.0,
    plain_sequence=0.03,
    extra=3.67,
    extra_sequence=0.053,
    whole_vocabulary=0.117,
    expands=True,
    source="fitted on 4 rows of published EAGLE and EAGLE-3 measurements of vLLM V0; see FITTED_ROWS",
)
"""Host time of a plain V0 step is a planning value. V0 drafts in a worker of its own and verifies by expanding the
batch."""

SGLANG_OLD = Host(
    plain=0.0,
    plain_sequence=0.0,
    extra=4.91,
    whole_vocabulary=0.0266,
    source="fitted on 5 rows of published EAGLE and EAGLE-3 measurements of SGLang 0.4, which did not overlap when "
    "speculating",
)

FITTED_ROWS: Mapping[str, tuple[str, str, int, float, float]] = MappingProxyType(
    {
        "b207": ("spec-goodput-control RESULTS", "draft-model", 1, 16.0, 0.91),
        "b210": ("spec-goodput-control RESULTS", "draft-model", 1, 1.0, 1.217),
        "b213": ("spec-goodput-control RESULTS", "draft-model", 1, 8.0, 1.154),
        "b214": ("spec-goodput-control RESULTS", "draft-model", 2, 8.0, 1.209),
        "b217": ("spec-goodput-control RESULTS", "draft-model", 2, 32.0, 0.789),
        "b218": ("spec-goodput-control RESULTS", "draft-model", 3, 32.0, 0.75),
        "b219": ("spec-goodput-control RESULTS", "draft-model", 1, 1.0, 1.318),
        "b249": ("olof.tech note", "draft-model", 5, 1.0, 2.0),
        "b173": ("EAGLE-3 paper table 5", "eagle", 2, 24.0, 1.03),
        "b178": ("EAGLE-3 paper table 5", "eagle3", 2, 4.0, 1.68),
        "b180": ("EAGLE-3 paper table 5", "eagle3", 2, 16.0, 1.49),
        "b183": ("EAGLE-3 paper table 5", "eagle3", 2, 48.0, 1.21),
        "b154": ("EAGLE-3 paper table 3", "eagle", 3, 16.0, 1.02),
        "b157": ("EAGLE-3 paper table 3", "eagle", 3, 48.0, 0.88),
        "b164": ("EAGLE-3 paper table 3", "eagle3", 3, 24.0, 1.39),
        "b165": ("EAGLE-3 paper table 3", "eagle3", 3, 32.0, 1.32),
        "b167": ("EAGLE-3 paper table 3", "eagle3", 3, 56.0, 1.34),
    }
)
"""Published rows those three were fitted on, a half chosen by the hash of the id: id → source, method, k, load and
speed-up. A score leaves them out whatever their id, and leaves alone a row that only happens to have one of the ids."""

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


def never_timed(version: tuple[int, ...], method: str) -> bool:
    """Whether a method runs in these releases on a path of which no step was timed: draft models and n-gram drafting
    since they keep asynchronous scheduling, which only the release sources say."""
    return method in _HOST_DRAFTERS and version >= _HOST_DRAFTERS[method]


def is_asynchronous(version: tuple[int, ...]) -> bool:
    """Whether a plain step of these releases hides the host behind the GPU."""
    return version >= _ASYNC_DEFAULT


def v0_hosts(method: str) -> tuple[Host, Host]:
    """Host time of the V0 engine: (plain, speculating)."""
    host = V0_DRAFT_MODEL if method == "draft_model" else V0_HEAD
    return host, host
