"""`bundle`: a support bundle without secrets."""

from pathlib import Path
from typing import Annotated

import typer

from breakeven.cli.kubectl.options import Context, Everywhere, Kubeconfig, Name, Namespace, asked, note


def bundle(
    name: Name,
    namespace: Namespace = None,
    everywhere: Everywhere = False,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Where to. Absent: breakeven-NAMESPACE-NAME-TIME.tar.gz here."
        ),
    ] = None,
    engine_logs: Annotated[
        bool,
        typer.Option("--engine-logs", help="Logs of the engines too: where vLLM logs requests, prompts are in them."),
    ] = False,
    log_lines: Annotated[int, typer.Option(min=1, max=1_000_000, help="Lines of each log, the newest.")] = 5000,
) -> None:
    """Collect what somebody else needs to understand a resource, as one tar.gz for this user only.

    The resource, its report and memory, its objects and their Events, the operator's Deployment, logs and metrics, and
    versions. Values of environment variables, tokens, passwords and keys are taken out; Secrets are not read. What may
    not be read is named in its README. Look through it before you give it away.

    Example: `kubectl breakeven bundle llama-70b -n inference -o llama.tar.gz`
    """
    from datetime import UTC, datetime

    from breakeven.plugin.bundle import collected, packed, write
    from breakeven.plugin.resources import get

    kubectl, now = asked(namespace, context, kubeconfig, everywhere=everywhere), datetime.now(UTC)
    found = get(kubectl, name)
    got = collected(kubectl, found, engine_logs=engine_logs, lines=log_lines)
    path = output or Path(f"breakeven-{found.namespace}-{found.name}-{now:%Y%m%dT%H%M%SZ}.tar.gz")
    write(path, packed(got, found, now, lines=log_lines))
    for line in got.missing:
        note(f"not in it: {line}")
    typer.echo(str(path))
