"""The predicted speed-up of one row."""

from dataclasses import dataclass, replace

from breakeven.planning.calibration import H200_FIT
from breakeven.planning.confidence import PUBLISHED, Calibration, Interval, Kind
from breakeven.planning.scoring.assumptions import batch_of, family, length_of, passes_of, text_of, tokens_of
from breakeven.planning.scoring.generation import Generation, generation_of
from breakeven.planning.scoring.kinds import kind_of
from breakeven.planning.scoring.machine import bits_of, head_load_of, is_copy, load_of, rig_of
from breakeven.planning.scoring.row import Case
from breakeven.planning.steptime import Load, plain_step, prefill_time, speculating_step

_MATCHED = 0.5
"""Share of steps in which n-gram drafting finds a match; published replays emit 1.2 to 1.7 tokens a step at k = 3."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """A prediction and what it stands on."""

    speedup: float
    inflation: float
    tokens: float
    batch: float
    generation: str
    assumed: tuple[str, ...]
    """Which inputs the row did not give."""
    kind: Kind
    """What decides how far the prediction is trusted."""

    def interval(self, calibration: Calibration = PUBLISHED) -> Interval:
        """Bounds that are to contain four measurements in five."""
        return calibration.interval(self.speedup, self.kind, assumed="acceptance" in self.assumed)


def predict(case: Case, *, hosts: Generation | None = None) -> Guess | None:
    """Predict a row; None when the size of the target cannot be told. `hosts` replaces the engine's constants."""
    target = load_of(case.target, case.target_params, bits_of(case.target_dtype, case.target))
    if target is None:
        return None
    rig, generation = rig_of(case, target.total_bytes), hosts or generation_of(case.engine, case.method)
    k, copy = length_of(case), is_copy(case)
    draft = _draft(case, target)
    context = text_of(case.dataset).context
    fit = H200_FIT

    def plain(batch: float) -> float:
        return plain_step(
            target,
            batch=batch,
            context=context,
            chip=rig.chip,
            gpus=rig.gpus,
            fit=fit,
            host=generation.plain,
        )

    batch = batch_of(case, plain(1.0))
    unexplained = _unexplained(case, plain(1.0), batch)
    slow = speculating_step(
        target,
        k=k,
        batch=batch,
        context=context,
        chip=rig.chip,
        gpus=rig.gpus,
        fit=fit,
        host=generation.speculating,
        draft=draft,
        passes=passes_of(case.method, k),
        drafted_share=_MATCHED if family(case.method) == "ngram" else 1.0,
        whole_vocabulary=family(case.method) in ("eagle", "mtp"),
    )
    tokens = min(tokens_of(case, copy=copy, old_engine=generation.name == "vLLM V0"), k + 1.0)
    inflation = (slow + unexplained) / (plain(batch) + unexplained)
    speedup = tokens / inflation
    if _counts_prefill(case.metric):
        text = text_of(case.dataset)
        reading = prefill_time(target, tokens=text.prompt, chip=rig.chip, gpus=rig.gpus, fit=fit)
        extra = prefill_time(draft, tokens=text.prompt, chip=rig.chip, gpus=rig.gpus, fit=fit) if draft else 0.0
        decoding = text.answer * plain(batch) / batch
        speedup = (reading + decoding) / (reading + extra + decoding / speedup)
    return Guess(
        speedup=speedup,
        inflation=inflation,
        tokens=tokens,
        batch=batch,
        generation=generation.name,
        assumed=_assumed(case, rig.assumed),
        kind=kind_of(case, target=target, rig=rig, generation=generation),
    )


def _unexplained(case: Case, modelled: float, batch: float) -> float:
    """Milliseconds of a plain step that the row states and the model does not explain: host time, which a
    speculating step spends too."""
    if case.plain_ms is None or batch > 1.0:
        return 0.0
    return max(0.0, case.plain_ms - modelled)


def _counts_prefill(metric: str) -> bool:
    """Whether a metric is whole requests per time, of which speculation only shortens the decoding part."""
    if any(word in metric for word in ("tpot", "decode", "latency", "itl", "per-user")):
        return False
    return "tok" in metric or "throughput" in metric


def _draft(case: Case, target: Load) -> Load | None:
    kind = family(case.method)
    if kind == "ngram":
        return None
    if kind != "draft-model":
        return head_load_of(target, case.draft_params, vocabulary=0.25 if kind == "eagle3" else 1.0)
    bits = bits_of(case.draft)
    params = case.draft_params
    if is_copy(case):
        params = params or case.target_params
        own = load_of(case.target, params, bits)
    else:
        own = load_of(case.draft, params, bits)
    if own is not None:
        return own
    return replace(
        target,
        read_bytes=target.read_bytes / 10,
        total_bytes=target.read_bytes / 10,
        read_params=target.read_params / 10,
        kv_bytes=target.kv_bytes / 4,
        layers=target.layers / 2,
    )


def _assumed(case: Case, hardware: bool) -> tuple[str, ...]:
    missing = {
        "acceptance": case.tokens is None and case.ratio is None,
        "length": case.k is None,
        "load": case.load is None,
        "hardware": hardware,
    }
    return tuple(name for name, absent in missing.items() if absent)
