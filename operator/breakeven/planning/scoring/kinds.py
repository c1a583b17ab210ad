"""Which kind of case a row is: what decides how far its prediction is trusted."""

from breakeven.planning.calibration import is_asynchronous, never_timed
from breakeven.planning.confidence import HYBRIDS, LONGEST_FITTED, SMALLEST_FITTED, Kind
from breakeven.planning.scoring.assumptions import family, text_of
from breakeven.planning.scoring.generation import Generation
from breakeven.planning.scoring.machine import Rig
from breakeven.planning.scoring.row import Case
from breakeven.planning.steptime import Load

_FITTED_CHIPS = frozenset({"H100", "H100 PCIe", "H200", "H800", "A100-40GB", "A100-80GB"})
_ONE_BY_ONE = frozenset({"eagle", "eagle3", "draft-model", "ngram"})
"""Methods that draft one token after the other, spelled without the words for trees and for whole blocks."""
_PARALLEL = ("p-eagle", "peagle", "dflash", "dspark", "medusa", "parallel", "suffix", "lookup", "mlp", "hydra")
_BATCHES = frozenset({"batch", "concurrency"})


def kind_of(case: Case, *, target: Load, rig: Rig, generation: Generation) -> Kind:
    """The kind of a row."""
    if "vllm" not in case.engine.lower():
        return Kind.OLD if generation.name == "SGLang, old" and not is_odd(case, target, rig) else Kind.OTHER
    batch = case.load_kind in _BATCHES and case.load is not None
    if HYBRIDS.search(case.target) or not batch:
        return Kind.OTHER
    if target.total_bytes > target.read_bytes:
        return Kind.SPARSE
    if generation.name == "vLLM V0":
        return Kind.OLD
    if is_odd(case, target, rig) or never_timed(generation.version, case.method.replace("-", "_")):
        return Kind.OTHER
    return Kind.ASYNC if is_asynchronous(generation.version) else Kind.DENSE


def is_odd(case: Case, target: Load, rig: Rig) -> bool:
    """Whether a dense row lies outside of what was compared: method, size, weights, GPU or context."""
    return (
        family(case.method) not in _ONE_BY_ONE
        or case.method.endswith("-tree")
        or case.method.startswith(_PARALLEL)
        or target.read_params < SMALLEST_FITTED
        or target.weight_only
        or rig.assumed
        or rig.chip.name not in _FITTED_CHIPS
        or text_of(case.dataset).context > LONGEST_FITTED
    )
