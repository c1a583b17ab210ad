"""A plan, and the corrected memory table, for people."""

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from breakeven.planning.memory import Capacity
    from breakeven.planning.placement import GpuPlan
    from breakeven.planning.plan import Plan


def print_plan(plan: "Plan", advice: "Sequence[str]" = (), warm: "Sequence[str]" = ()) -> None:
    """Print a plan: the answer first, then capacity, predictions, rules of thumb, and what to change."""
    from breakeven.planning.verdict import headline

    answer = headline(plan)
    if answer is not None:
        typer.echo(f"{answer}\n")
    typer.echo(_head(plan))
    for placement in plan.placements:
        typer.echo("")
        for line in _capacity_lines(placement):
            typer.echo(line)
        for line in _outlook_lines(placement):
            typer.echo(line)
    if plan.switch is not None:
        basis = "measured" if plan.switch.measured else "estimated from the weights"
        typer.echo(
            f"\nSwitching {plan.replicas} replica(s): {plan.switch.replica_minutes:.0f} replica-minutes "
            f"({plan.switch.loading_minutes:.0f} min each, {basis})"
        )
    for line in warm:
        typer.echo(line)
    _print_rules(plan)
    for tip in advice:
        typer.echo(f"\nadvice   {tip}")
    for remark in plan.remarks:
        typer.echo(f"\n{'REFUSED' if remark.severity == 'Refusal' else 'warning'}  {remark.field}: {remark.message}")
    for missing in plan.unknowns:
        typer.echo(f"\nunknown  {missing}")


def _head(plan: "Plan") -> str:
    drafting = "no speculation"
    if plan.method is not None:
        drafting = f"{plan.method.value} k={plan.k}" + (f" ({plan.draft.name})" if plan.draft is not None else "")
    lines = [
        f"{plan.target.name} · {drafting} · vLLM {plan.engine} · {plan.gpus} GPU(s) a replica · "
        f"starts: {plan.outcome.value}"
    ]
    if plan.acceptance is not None:
        share = "" if plan.acceptance.drafting >= 1 else f" in {plan.acceptance.drafting:.0%} of the steps"
        lines.append(f"acceptance per position {plan.acceptance.alpha:.2f}{share}: {plan.acceptance.source}")
    return "\n".join(lines)


def _capacity_lines(placement: "GpuPlan") -> list[str]:
    def tokens(found: "Capacity | None") -> str:
        return "unknown" if found is None else f"{found.kv_tokens:,}"

    line = f"{placement.gpu}  KV tokens: {tokens(placement.baseline)} without speculation"
    if placement.lost is not None:
        line += f", {tokens(placement.variant)} with it (−{placement.lost:.1%})"
    lines = [f"{line} · starts: {placement.starts.value}"]
    off, on = placement.baseline, placement.variant
    if off is not None and on is not None:
        gone = off.requests - on.requests
        cost = "" if placement.lost is None else f", {on.requests} with it" + (f" (−{gone})" if gone else "")
        lines.append(f"      requests of {off.sequence:,} tokens at once: {off.requests} without speculation{cost}")
    if placement.variant is not None:
        tight = min(placement.variant.shares, key=lambda share: share.free_gib)
        lines.append(
            f"      tightest GPU: weights {tight.weights_gib:.1f} + overhead {tight.overhead_gib:.1f} GiB, "
            f"{tight.free_gib:.1f} GiB for KV at utilisation {placement.variant.utilization:g}"
        )
    return lines


def _outlook_lines(placement: "GpuPlan") -> list[str]:
    found = placement.outlook
    if found is None:
        return []
    lines = [
        f"      predicted at a context of {found.context:.0f} tokens, {found.source}",
        f"      interval: four measurements in five ({found.predictions[0].interval.kind.value})",
        "      batch   step ms      R  needed r      S  [interval]     best k",
    ]
    for p in found.predictions:
        needed = f"{p.break_even:8.2f}" if p.break_even <= 1 else "   never"
        bounds = f"[{p.interval.low:.2f}, {p.interval.high:.2f}]"
        notes = [p.interval.verdict.value]
        notes += ["nothing drafted"] if p.k == 0 else []
        notes += ["does not fit into the KV cache"] if p.fits is False else []
        lines.append(
            f"      {p.batch:5d} {p.plain_ms:9.1f} {p.inflation:6.2f}  {needed} {p.speedup:6.2f}  {bounds:14} "
            f"{p.best_k:6d}  {', '.join(notes)}"
        )
    end = "at no batch up to 1024" if found.crossover is None else f"from batch {found.crossover}"
    lines.append(f"      slower than without speculation: {end}")
    return lines


def _print_rules(plan: "Plan") -> None:
    if not plan.rules:
        return
    typer.echo("\nRules of thumb, as advice only → the number that decides")
    for rule in plan.rules:
        mark = {True: "holds", False: "fails", None: "–"}[rule.holds]
        typer.echo(f"  {mark:6} {rule.rule}: {rule.value}\n         → {rule.better}")


def print_article(*, as_json: bool) -> None:
    """Print the well-known 2×H100 / 2×H200 table beside what fits, GPU by GPU."""
    import json

    from breakeven.planning.article_table import article_table

    rows = article_table()
    if as_json:
        typer.echo(json.dumps([row.document() for row in rows], indent=2))
        return
    typer.echo("Llama-3.1-70B + 8B on two GPUs, utilisation 0.92, 3.8 GiB overhead per GPU, tensor parallel 2")
    typer.echo("article: decimal GB of weights / what it says is left over, both GPUs added up")
    typer.echo("node  target draft  article   free GiB per GPU (KV tokens) alone   with the draft            change")
    for row in rows:
        typer.echo(row.line())
