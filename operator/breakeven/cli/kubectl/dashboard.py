"""`dashboard`: the operator's live page in a browser."""

from typing import Annotated
from urllib.parse import quote

import typer

from breakeven.cli.kubectl.options import Context, Kubeconfig, MaybeName, Namespace, asked, note


def dashboard(
    name: MaybeName = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    operator_namespace: Annotated[
        str | None, typer.Option(metavar="NAMESPACE", help="Where the operator runs. Absent: looked for.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port on this machine; 0 is any free one.")] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Whether to open a browser.")] = True,
) -> None:
    """Open the operator's live page, read-only: all resources, or one, until Ctrl-C.

    kubectl forwards a port of 127.0.0.1 to the operator's pod, which takes the right to create pods/portforward in its
    namespace. Whoever has that right sees the resources of all namespaces.

    Example: `kubectl breakeven dashboard llama-70b -n inference`
    """
    import webbrowser

    from breakeven.plugin.forward import ended, forwarded, operator
    from breakeven.plugin.resources import get

    kubectl, path = asked(namespace, context, kubeconfig), ""
    if name:
        found = get(kubectl, name)
        path = f"{quote(found.namespace)}/{quote(found.name)}"
    to = operator(kubectl, operator_namespace)
    with forwarded(kubectl, to, port) as (address, process):
        url = f"http://{address}/{path}"
        typer.echo(url)
        note(f"the page of {to.namespace}/{to.name}, until Ctrl-C")
        if browser:
            webbrowser.open(url)
        raise ended(process)
