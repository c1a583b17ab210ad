"""Remarks about whether speculation is likely to pay: warnings only, the verdict is measured."""

from collections.abc import Iterator, Sequence

from breakeven.api.spec import AcceptanceMethod, DraftMethod, DraftSpec
from breakeven.planning.confidence import Verdict
from breakeven.planning.outlook import Outlook
from breakeven.planning.pairing import Remark, warning

_WARM = 0.5
"""Temperature from which greedy drafting loses a fifth of its acceptance or more."""
_GRAPH_TOKENS = 512
"""Default ceiling of captured CUDA graphs in tokens (measured: the step jumps above it)."""


def temperature_remarks(spec: DraftSpec, temperature: float) -> Iterator[Remark]:
    """What sampling temperature does to the default, greedy draft."""
    greedy = spec.acceptance.method is AcceptanceMethod.REJECTION
    if temperature < _WARM or not greedy:
        return
    if spec.method in (DraftMethod.NGRAM, DraftMethod.NGRAM_GPU, DraftMethod.SUFFIX):
        return
    yield warning(
        "draft.acceptance.method",
        f"at temperature {temperature:g} greedy drafts lose acceptance (0.68 falls to 0.45 at 0.8 in replays); "
        "Probabilistic keeps it where the engine has it, and stays lossless",
    )


def pay_remarks(outlooks: Sequence[Outlook], spec: DraftSpec | None) -> Iterator[Remark]:
    """Where speculation is predicted not to pay, and where the step leaves the CUDA graphs."""
    if spec is None:
        return
    for found in outlooks:
        first = found.predictions[0] if found.predictions else None
        if first is not None and first.interval.verdict is Verdict.DOES_NOT:
            yield warning(
                "draft",
                f"predicted slower on {found.gpu} from batch {first.batch}: speed-up {first.speedup:.2f} "
                f"at {first.tokens:.2f} tokens a step, {first.inflation:.2f} are needed",
            )
        limit = spec.disable_above_batch_size
        if found.crossover is not None and found.crossover > 1 and (limit is None or limit > found.crossover):
            edge = _GRAPH_TOKENS // (spec.num_speculative_tokens + 1)
            yield warning(
                "draft.disableAboveBatchSize",
                f"predicted slower on {found.gpu} above about {found.crossover} running requests per replica"
                + (f" (steps leave the CUDA graphs above {edge})" if edge < found.crossover else "")
                + "; drafting nothing above it still costs: more replicas, or no draft, keep steps short",
            )


def limit_remarks(spec: DraftSpec | None, *, on_v1: bool) -> Iterator[Remark]:
    """What a limit by batch size does not do."""
    if spec is None or spec.disable_above_batch_size is None or not on_v1:
        return
    yield warning(
        "draft.disableAboveBatchSize",
        f"at and above {spec.disable_above_batch_size} running requests nothing is drafted, which is not off: "
        "measured steps were 1.3 to 2.1 times those of an engine without speculation (one H200, vLLM 0.26.0; once 3.9 "
        "on an H100), and the draft keeps its memory",
    )
