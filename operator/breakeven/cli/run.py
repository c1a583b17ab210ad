"""`breakeven run`: the operator."""

import os
from pathlib import Path
from typing import Annotated

import typer


def run(
    kubeconfig: Annotated[
        Path | None,
        typer.Option(help="Kubeconfig file, for running outside of a cluster. Absent: the pod's service account."),
    ] = None,
    prometheus_url: Annotated[
        str | None, typer.Option("--prometheus-url", help="Prometheus for resources that name none.")
    ] = None,
    namespace: Annotated[
        list[str] | None, typer.Option("--namespace", "-n", help="Namespace to watch; repeatable. Absent: all.")
    ] = None,
    leader_election: Annotated[
        bool | None, typer.Option("--leader-election/--no-leader-election", help="Whether a Lease decides who writes.")
    ] = None,
    health_host: Annotated[str | None, typer.Option(help="Address of /healthz, /readyz and /metrics.")] = None,
    health_port: Annotated[int | None, typer.Option(help="Port of the same; 0 is any free one.")] = None,
    page_port: Annotated[
        int | None, typer.Option(help="Port of the live page on 127.0.0.1; 0 is any free one. Absent: there is none.")
    ] = None,
    log_format: Annotated[str | None, typer.Option(help="json or text.")] = None,
    gpu_hour_price: Annotated[
        str | None,
        typer.Option(help="Price of one GPU for one hour, such as 2.50: gains are told in money too."),
    ] = None,
    gpu_hour_currency: Annotated[str | None, typer.Option(help="Currency of that price, such as EUR.")] = None,
) -> None:
    """Run the operator: watch every SpeculativeDeployment, measure, decide, act.

    Every option can be set as an environment variable BREAKEVEN_<NAME>, and so can what has no option:
    METRICS_SOURCE, PROMETHEUS_ALLOWED, PROMETHEUS_TOKEN_FILE, PROMETHEUS_CA_FILE, PROMETHEUS_INTERVAL, NAMESPACES,
    RESOURCE_SELECTOR, LEASE_NAMESPACE, LEASE_NAME, LEASE_DURATION, POD_TEMPLATE_DENY, METRICS_TOKEN_FILE, PAGE_HOST,
    IDENTITY, WORKERS, RESYNC, LOG_LEVEL, GRACE.
    An option wins over its variable.

    Example: `breakeven run --kubeconfig ~/.kube/config --prometheus-url http://127.0.0.1:9090 --log-format text`
    """
    from pydantic import ValidationError

    from breakeven.settings import PREFIX, from_environment

    try:
        settings = from_environment(
            os.environ,
            prometheus_url=prometheus_url,
            namespaces=tuple(namespace) if namespace else None,
            leader_election=leader_election,
            health_host=health_host,
            health_port=health_port,
            page_port=page_port,
            log_format=log_format,
            gpu_hour_price=gpu_hour_price,
            gpu_hour_currency=gpu_hour_currency,
        )
    except ValidationError as error:
        for e in error.errors():
            name = "_".join(str(p) for p in e["loc"][:1])
            typer.echo(f"breakeven run: {PREFIX}{name.upper()} (--{name.replace('_', '-')}): {e['msg']}", err=True)
        raise typer.Exit(2) from error
    except ValueError as error:
        typer.echo(f"breakeven run: {error}", err=True)
        raise typer.Exit(2) from error
    if kubeconfig is not None and not kubeconfig.is_file():
        typer.echo(f"breakeven run: --kubeconfig: {kubeconfig} is no file", err=True)
        raise typer.Exit(2)
    raise typer.Exit(_serve(settings, kubeconfig))


def _serve(settings: object, kubeconfig: Path | None) -> int:
    import asyncio

    from breakeven.app import run as serve
    from breakeven.control.errors import ControlError
    from breakeven.settings import Settings
    from breakeven.telemetry.logs import setup

    assert isinstance(settings, Settings)
    setup(form=settings.log_format, level=settings.log_level)
    try:
        return asyncio.run(serve(settings, kubeconfig=kubeconfig))
    except ControlError as error:
        typer.echo(f"breakeven run: {error}", err=True)
        return 1
