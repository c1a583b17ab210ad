"""What a resource says: `status`, `why`, `watch`, `history`, `diff`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from breakeven.cli.kubectl.options import (
    Context,
    Everywhere,
    Format,
    Kubeconfig,
    MaybeName,
    Name,
    Namespace,
    Output,
    Prometheus,
    asked,
    document,
    labelled,
    note,
    tabulated,
)
from breakeven.plugin.errors import ATTENTION, FAILED, NotFound, PluginError, UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from breakeven.api.price import Price
    from breakeven.plugin.history import Entry
    from breakeven.plugin.kubectl import Kubectl
    from breakeven.plugin.resources import Found


def status(
    name: MaybeName = None,
    namespace: Namespace = None,
    everywhere: Everywhere = False,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    output: Format = Output.TEXT,
    exit_code: Annotated[
        bool,
        typer.Option("--exit-code", help="End with 4 where a person is needed: refused, stalled, blind, not ready."),
    ] = False,
    prometheus: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Prometheus with OpenCost's figures: tells the gain in money where no price is set."
        ),
    ] = None,
) -> None:
    """One screen: state, why, figures, gain, what comes next, and what would change it.

    Without a name, a line for each resource.

    Example: `kubectl breakeven status llama-70b -n inference`
    """
    from breakeven.plugin.card import FLEET_COLUMNS, card, fleet_row, rows
    from breakeven.plugin.resources import all_of, get

    kubectl, now = asked(namespace, context, kubeconfig, everywhere=everywhere), _now()
    found = [get(kubectl, name)] if name else all_of(kubectl)
    price = _opencost(kubectl, prometheus) if prometheus and found else None
    cards = [card(each, now, gpu_hour=_with_gpus(price, each)) for each in found]
    if output is not Output.TEXT:
        document(cards[0].document() if name else [each.document() for each in cards], output)
    elif name:
        typer.echo(f"{found[0].namespace}/{found[0].name}")
        labelled(rows(cards[0], now, found[0].status))
    elif found:
        tabulated(FLEET_COLUMNS, [fleet_row(each, now) for each in found])
    else:
        note("no SpeculativeDeployment here; look with -A")
    if exit_code and any(each.needs_person for each in cards):
        raise typer.Exit(ATTENTION)


def why(
    name: Name,
    namespace: Namespace = None,
    everywhere: Everywhere = False,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    output: Format = Output.TEXT,
) -> None:
    """Why it is on, off or waiting: every condition, the last decisions in full, what would change it.

    Example: `kubectl breakeven why llama-70b -n inference`
    """
    from breakeven.plugin.resources import get
    from breakeven.plugin.story import story

    found = get(asked(namespace, context, kubeconfig, everywhere=everywhere), name)
    told = story(found, _now())
    if output is Output.TEXT:
        labelled(told)
    else:
        document([{"what": label, "text": text} for label, text in told], output)


def watch(
    name: Name,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    until: Annotated[
        str | None, typer.Option(metavar="STATE", help="End with 0 in this state, for example Speculating.")
    ] = None,
    timeout: Annotated[
        str | None, typer.Option(metavar="DURATION", help="End after this; with --until with 1, else with 0.")
    ] = None,
    interval: Annotated[float, typer.Option(min=0.2, help="Seconds between two looks.")] = 2.0,
) -> None:
    """Print a line whenever state, decision, hold or replicas change, until Ctrl-C.

    Example: `kubectl breakeven watch llama-70b -n inference --until Speculating --timeout 2h`
    """
    import time

    from breakeven.api.scalars import parse_duration
    from breakeven.api.status import State
    from breakeven.plugin.resources import get

    states = {str(state).lower(): str(state) for state in State}
    if until is not None and until.lower() not in states:
        raise UsageError(f"--until: {until!r} is no state; write one of {', '.join(states.values())}")
    try:
        end = time.monotonic() + parse_duration(timeout).total_seconds() if timeout else None
    except ValueError as error:
        raise UsageError(f"--timeout: {error}") from None
    kubectl, last = asked(namespace, context, kubeconfig), ""
    found = get(kubectl, name)
    while True:
        line = _line(found)
        if line != last:
            typer.echo(f"{_now():%H:%M:%S} {line}")
            last = line
        if until is not None and found.reported and str(found.status.state) == states[until.lower()]:
            return
        if end is not None and time.monotonic() >= end:
            raise typer.Exit(FAILED if until else 0)
        time.sleep(interval)
        try:
            found = get(kubectl, name)
        except NotFound:
            raise
        except PluginError as error:  # an API server that is away for a moment ends no watch of hours
            note(f"{_now():%H:%M:%S} {error}")


def history(
    name: Name,
    namespace: Namespace = None,
    everywhere: Everywhere = False,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    output: Format = Output.TEXT,
    since: Annotated[str, typer.Option(metavar="DURATION", help="How far back Prometheus is asked.")] = "720h",
    limit: Annotated[int, typer.Option(min=1, help="Most decisions, the newest first.")] = 200,
    prometheus: Prometheus = None,
    prometheus_token_file: Annotated[
        str | None, typer.Option(metavar="FILE", help="Bearer token for --prometheus.")
    ] = None,
) -> None:
    """All decisions, newest first: the resource's own ledger of twenty, and what Prometheus has from before it.

    Example: `kubectl breakeven history llama-70b -n inference --since 2160h`
    """
    from pathlib import Path

    from breakeven.api.scalars import parse_duration
    from breakeven.plugin.history import joined, of_ledger
    from breakeven.plugin.resources import get

    try:
        seconds = parse_duration(since).total_seconds()
    except ValueError as error:
        raise UsageError(f"--since: {error}") from None
    kubectl = asked(namespace, context, kubeconfig, everywhere=everywhere)
    found = get(kubectl, name)
    ledger = of_ledger(found.status.memory.decisions)
    token = Path(prometheus_token_file) if prometheus_token_file else None
    older, source = _older(kubectl, found, prometheus, token, seconds)
    entries = joined(ledger, older)[:limit]
    if output is not Output.TEXT:
        document({"decisions": [e.document() for e in entries], "source": source}, output)
        return
    columns = ("at", "decision", "reason", "from", "message")
    tabulated(columns, [(e.at, e.action, e.reason, e.source, e.message) for e in entries])
    note(source)


def diff(
    name: Name,
    namespace: Namespace = None,
    everywhere: Everywhere = False,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    output: Format = Output.TEXT,
    pods: Annotated[bool, typer.Option("--pods", help="Show what differs in the rest of the pods as well.")] = False,
) -> None:
    """What speculation changes in the engine: rendered arguments without and with it, and with each alternative.

    Example: `kubectl breakeven diff llama-70b -n inference`
    """
    from breakeven.cli.yamltext import yaml_text
    from breakeven.plugin.resources import get
    from breakeven.plugin.variants import difference, pod_difference, rendered

    found = get(asked(namespace, context, kubeconfig, everywhere=everywhere), name)
    if found.spec is None:
        raise UsageError(found.unread)
    plain, *others = rendered(found.name, found.namespace, found.spec)
    if output is not Output.TEXT:
        document([each.document() for each in (plain, *others)], output)
        return
    if not others:
        note("spec.draft is absent: there is one variant")
    for other in others:
        typer.echo("\n".join(difference(plain, other)))
        if pods:
            typer.echo("\n".join(pod_difference(yaml_text([plain.pod]), yaml_text([other.pod]))))


def _now() -> "datetime":
    from datetime import UTC, datetime

    return datetime.now(UTC)


def _line(found: "Found") -> str:
    """What `watch` looks at."""
    s = found.status
    if not found.reported:
        return "not reported"
    return f"{s.state} {s.ready} {s.reason}: {s.message}" + (
        f" (not judged: {s.hold.partition(':')[0]})" if s.hold else ""
    )


def _older(
    kubectl: "Kubectl", found: "Found", url: str | None, token: Any, seconds: float
) -> "tuple[list[Entry], str]":
    """Decisions from Prometheus, and a sentence on where the history is from."""
    import time

    from breakeven.plugin.history import of_series
    from breakeven.plugin.prometheus import FINEST_S, Unreached, coarse_step, looked_at, operators_address, reached

    alone = "only the resource's own ledger (the last twenty decisions)"
    try:
        address = url or operators_address(kubectl, found)
        if not address:
            return [], f"{alone}: no address of a Prometheus is known; give --prometheus"
        with reached(kubectl, address, token_file=token) as asks:
            counters, speedups = (
                looked_at(asks, series, found, seconds=seconds)
                for series in ("breakeven_decisions_total", "breakeven_speedup_ratio")
            )
    except Unreached as error:
        return [], f"{alone}: {error}"
    if not counters:
        return [], f"{alone}: {asks.name} has no series of the operator about it; does it scrape the operator?"
    step = coarse_step(seconds)
    entries = of_series(counters, speedups, begin=time.time() - seconds, step=step)
    fine = f"to {FINEST_S:.0f} s in the last half day" + (f", to {step:.0f} s before it" if step > FINEST_S else "")
    return entries, f"the ledger, and before it {asks.name} ({fine}; it has no messages)"


def _opencost(kubectl: "Kubectl", url: str) -> float | None:
    from breakeven.plugin.prometheus import Unreached, gpu_hour_of_opencost, reached

    try:
        with reached(kubectl, url) as asks:
            cost = gpu_hour_of_opencost(asks)
            if cost is None:
                note(f"{asks.name} has no node_gpu_hourly_cost of OpenCost: nothing is told in money")
            return cost
    except Unreached as error:
        note(f"nothing is told in money: {error}")
        return None


def _with_gpus(cost: float | None, found: "Found") -> "Price | None":
    from decimal import Decimal

    from breakeven.api.price import Price

    if cost is None or found.spec is None or not 0 <= cost < 1_000_000:
        return None
    amount = Decimal(f"{cost:.4f}")
    return Price(gpu_hour=amount, gpus=found.spec.hardware.gpus_per_replica)
