"""What is assumed of acceptance when nothing is measured, and what temperature does to it. Assumptions, always shown
as such."""

from dataclasses import dataclass

from breakeven.api.spec import AcceptanceMethod, DraftMethod

_GREEDY_DRAFT_LOSS = 0.425
"""Share of conditional acceptance lost per unit of temperature when the draft is greedy and treated as one-hot (the
default): 0.68 at temperature 0 falls to 0.45 at 0.8 in published replays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumption:
    """A conditional acceptance per position, and where it comes from."""

    alpha: float
    """Conditional acceptance per position, of the steps that draft."""
    source: str
    drafting: float = 1.0
    """Share of steps that draft."""
    given: bool = False
    """Whether the acceptance is the user's own."""


_LOOKUP = Assumption(
    alpha=0.43,
    drafting=0.5,
    source="published n-gram replays emit 1.2 (mathematics) to 1.7 (code editing) tokens a step at k = 3, a match in "
    "half of the steps; random prompts matched in 2 of 100",
)
_BY_METHOD: dict[DraftMethod, Assumption] = {
    DraftMethod.DRAFT_MODEL: Assumption(alpha=0.70, source="assumed, as for a smaller model of the same family"),
    DraftMethod.EAGLE: Assumption(alpha=0.60, source="EAGLE on Llama 8B, MT-Bench, k = 2 to 7: 0.58 to 0.66"),
    DraftMethod.EAGLE3: Assumption(alpha=0.70, source="published EAGLE-3 replays, four data sets: 0.61 to 0.77"),
    DraftMethod.MTP: Assumption(alpha=0.85, source="DeepSeek-V3 report: second token accepted 0.85 to 0.90"),
    DraftMethod.NGRAM: _LOOKUP,
    DraftMethod.NGRAM_GPU: _LOOKUP,
    DraftMethod.SUFFIX: _LOOKUP,
    DraftMethod.DFLASH: Assumption(alpha=0.70, source="assumed as EAGLE-3"),
    DraftMethod.DSPARK: Assumption(alpha=0.70, source="assumed as EAGLE-3"),
    DraftMethod.MEDUSA: Assumption(alpha=0.50, source="assumed"),
    DraftMethod.MLP_SPECULATOR: Assumption(alpha=0.50, source="assumed"),
}


def assumed(method: DraftMethod, *, same_weights: bool = False, related: bool | None = None) -> Assumption:
    """The conditional acceptance taken for a method.

    Parameters
    ----------
    same_weights
        Whether the draft is a quantized copy of the target.
    related
        Whether a draft model is of the target's family. None: not known. Nothing published tells what another family
        costs, so the figure is kept and the source says what it is worth.
    """
    if same_weights:
        return Assumption(alpha=0.90, source="quantized copy of the target as draft, measured 0.88 to 0.91 by counters")
    found = _BY_METHOD[method]
    if method is not DraftMethod.DRAFT_MODEL or related:
        return found
    doubt = "families are unknown" if related is None else "draft and target are of other families: expect less"
    return Assumption(alpha=found.alpha, source=f"{found.source}; {doubt}")


def at_temperature(alpha: float, temperature: float, acceptance: AcceptanceMethod) -> float:
    """Acceptance at a sampling temperature, from that at 0. Probabilistic and block drafting keep it where drafts
    match."""
    if acceptance in (AcceptanceMethod.PROBABILISTIC, AcceptanceMethod.BLOCK):
        return alpha
    return alpha * max(0.0, 1.0 - _GREEDY_DRAFT_LOSS * min(temperature, 1.0))
