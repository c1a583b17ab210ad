"""What people tell a resource: one-shot commands, pause and resume, off, on and auto."""

from typing import TYPE_CHECKING, Annotated

import typer

from breakeven.cli.kubectl.options import Context, Kubeconfig, Name, Namespace, asked, note
from breakeven.plugin.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from breakeven.plugin.orders import Order

Wait = Annotated[
    float, typer.Option(min=0, metavar="SECONDS", help="How long to wait for the operator's answer; 0: not.")
]
ANSWER_S = 30.0


def promote(
    name: Name,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    wait: Wait = ANSWER_S,
) -> None:
    """Serve what is on trial now, or the declared draft where there is no trial. One-shot.

    Example: `kubectl breakeven promote llama-70b -n inference`
    """
    _command("promote", name, namespace, context, kubeconfig, wait)


def abort(
    name: Name,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    wait: Wait = ANSWER_S,
) -> None:
    """End the trial, or switch speculation off until the next try. One-shot.

    Example: `kubectl breakeven abort llama-70b -n inference`
    """
    _command("abort", name, namespace, context, kubeconfig, wait)


def retry(
    name: Name,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    wait: Wait = ANSWER_S,
) -> None:
    """Forget cooldown, failed tries and the day's changes, so that it is tried again. One-shot.

    Example: `kubectl breakeven retry llama-70b -n inference`
    """
    _command("retry", name, namespace, context, kubeconfig, wait)


def restart(
    name: Name,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    wait: Wait = ANSWER_S,
) -> None:
    """Replace the replicas that serve, one at a time. One-shot.

    Example: `kubectl breakeven restart llama-70b -n inference`
    """
    _command("restart", name, namespace, context, kubeconfig, wait)


def pause(name: Name, namespace: Namespace = None, context: Context = None, kubeconfig: Kubeconfig = None) -> None:
    """Stop every change of running replicas; measuring goes on (spec.policy.paused: true).

    Example: `kubectl breakeven pause llama-70b -n inference`
    """
    from breakeven.plugin import orders

    _patch(lambda body: orders.pause(body, True), name, namespace, context, kubeconfig)


def resume(name: Name, namespace: Namespace = None, context: Context = None, kubeconfig: Kubeconfig = None) -> None:
    """Allow changes of running replicas again (spec.policy.paused: false).

    Example: `kubectl breakeven resume llama-70b -n inference`
    """
    from breakeven.plugin import orders

    _patch(lambda body: orders.pause(body, False), name, namespace, context, kubeconfig)


def off(name: Name, namespace: Namespace = None, context: Context = None, kubeconfig: Kubeconfig = None) -> None:
    """Serve without speculation until `on` (spec.policy.mode: AlwaysOff). The mode before is remembered.

    Example: `kubectl breakeven off llama-70b -n inference`
    """
    from breakeven.plugin import orders

    _patch(orders.off, name, namespace, context, kubeconfig)


def on(
    name: Name,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    always: Annotated[
        bool, typer.Option("--always", help="Pin speculation on (AlwaysOn): a loss is reported and not acted on.")
    ] = False,
) -> None:
    """Undo `off`: back to the mode before it, else to Auto, which tries, measures and keeps speculation where it pays.

    It does not pin speculation on, for then nothing would switch it off where it loses: that is `--always`.

    Example: `kubectl breakeven on llama-70b -n inference`
    """
    from breakeven.plugin import orders

    _patch(lambda body: orders.on(body, always=always), name, namespace, context, kubeconfig)


def auto(name: Name, namespace: Namespace = None, context: Context = None, kubeconfig: Kubeconfig = None) -> None:
    """Let the operator try, measure and decide, whatever the mode was (spec.policy.mode: Auto).

    Example: `kubectl breakeven auto llama-70b -n inference`
    """
    from breakeven.plugin import orders

    _patch(orders.auto, name, namespace, context, kubeconfig)


def _patch(
    order: "Callable[[Mapping[str, Any]], Order]",
    name: str,
    namespace: str | None,
    context: str | None,
    kubeconfig: str | None,
) -> None:
    from breakeven.plugin.gitops import overwritten
    from breakeven.plugin.resources import get
    from breakeven.plugin.telling import apply

    kubectl = asked(namespace, context, kubeconfig)
    found = get(kubectl, name)
    made = order(found.body)
    apply(kubectl, found, made)
    typer.echo(f"{found.namespace}/{found.name}: {made.said}")
    if made.spec_change and (warning := overwritten(found.body, made.spec_change)):
        note(warning)


def _command(
    word: str, name: str, namespace: str | None, context: str | None, kubeconfig: str | None, wait: float
) -> None:
    from datetime import UTC, datetime

    from breakeven.plugin import orders
    from breakeven.plugin.resources import get
    from breakeven.plugin.telling import answer, apply

    kubectl = asked(namespace, context, kubeconfig)
    found, made = get(kubectl, name), orders.command(word, datetime.now(UTC))
    apply(kubectl, found, made)
    if not wait:
        typer.echo(f"{found.namespace}/{found.name}: told to {word}; `kubectl breakeven status` has the answer")
        return
    said = answer(kubectl, found, made.said, seconds=wait)
    if said is None:
        raise PluginError(
            f"told to {word}, and the operator did not answer within {wait:g} s; it takes the command when it looks. "
            "Is it running? `kubectl get pods -A -l app.kubernetes.io/name=breakeven`"
        )
    typer.echo(f"{found.namespace}/{found.name}: {said.text}")
    if said.refused:
        raise typer.Exit(1)
