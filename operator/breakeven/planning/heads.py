"""Size of a draft head trained for one target, from the target's dimensions."""

from breakeven.api.spec import DraftMethod
from breakeven.planning import catalog
from breakeven.planning.architecture import Architecture

HEAD_METHODS = frozenset({DraftMethod.EAGLE, DraftMethod.EAGLE3})


def head_params(target: Architecture, method: DraftMethod, *, name: str | None = None) -> float | None:
    """Parameters of an EAGLE or EAGLE-3 head, its (shared) embeddings and output head left out.

    One decoder layer whose query/key/value projections read twice the hidden width, and the projection that joins
    what the
    target hands over: 2h·h for EAGLE, 3h·h for EAGLE-3. Against published 0.25 B and 0.99 B for EAGLE on Llama 8B
    and 70B this
    gives 0.25 and 0.99; against start-up reports of EAGLE-3 heads (0.58 and 2.16 GiB in bf16) 0.55 and 2.13.
    """
    published = catalog.heads().get((name or "").lower())
    if published is not None and published.params is not None:
        return published.params
    if method not in HEAD_METHODS or target.is_sparse:
        return None
    h, ffn, heads, kv, dim = target.hidden, target.ffn, target.heads, target.kv_heads, target.head_dim
    if h is None or ffn is None or heads is None or kv is None or dim is None:
        return None
    read = 2 * h if method is DraftMethod.EAGLE3 else h
    join = 3 * h if method is DraftMethod.EAGLE3 else 2 * h
    attention = read * dim * (heads + 2 * kv) + heads * dim * h
    return float(attention + 3 * h * ffn + join * h)
