"""The rules of thumb that are quoted most, checked for a plan, each beside the number that decides instead."""

from dataclasses import dataclass

from breakeven.planning.architecture import Architecture
from breakeven.planning.outlook import Outlook
from breakeven.planning.pairing import size_ratio
from breakeven.planning.weights import GIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of thumb, as advice."""

    rule: str
    value: str
    """What it says about this plan."""
    holds: bool | None
    """None when a fact is unknown."""
    better: str
    """The number that decides instead."""


def article_rules(
    target: Architecture,
    draft: Architecture | None,
    *,
    draft_bytes: float | None,
    target_bytes: float | None,
    node_gib: float,
    lost: float | None,
    outlook: Outlook | None,
    draft_model: bool,
) -> tuple[Rule, ...]:
    """The four rules: size ratio 1:8 to 1:12, draft within 15 % of VRAM, weights above 70 %, acceptance below 0.5."""
    ratio = size_ratio(target, draft) if draft is not None else None
    share = draft_bytes / GIB / node_gib if draft_bytes is not None else None
    used = None if target_bytes is None else (target_bytes + (draft_bytes or 0.0)) / GIB / node_gib
    kv = "KV tokens lost: unknown" if lost is None else f"KV tokens lost: {lost:.0%}"
    first = outlook.predictions[0] if outlook is not None and outlook.predictions else None
    return (
        Rule(
            rule="draft is 1:8 to 1:12 of the target",
            value="no draft model"
            if not draft_model
            else "unknown"
            if ratio is None or ratio <= 0
            else f"1:{1 / ratio:.0f} by active parameters",
            holds=None if ratio is None or ratio <= 0 else 8 <= 1 / ratio <= 12,
            better="speed-up unknown"
            if first is None
            else f"R = {first.inflation:.2f} at batch {first.batch}: what a step costs, not its size",
        ),
        Rule(
            rule="draft takes at most 15 % of VRAM",
            value="unknown" if share is None else f"{share:.1%} of the replica's GPUs",
            holds=None if share is None else share <= 0.15,
            better=kv,
        ),
        Rule(
            rule="warn when weights use more than 70 % of VRAM",
            value="unknown" if used is None else f"{used:.0%}",
            holds=None if used is None else used <= 0.70,
            better=f"{kv}; whether the longest sequence fits",
        ),
        Rule(
            rule="switch off when the tenth percentile of acceptance is below 0.5",
            value="not known before traffic",
            holds=None,
            better="break-even unknown"
            if first is None or outlook is None
            else "accepted / drafted needed: "
            + ", ".join(f"{p.break_even:.2f} at batch {p.batch}" for p in outlook.predictions[::3]),
        ),
    )
