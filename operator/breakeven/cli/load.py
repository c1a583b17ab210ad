"""`breakeven load`: drive a server with a traffic profile."""

from typing import Annotated

import typer


def load(
    url: Annotated[str, typer.Option(help="Base URL of the server, such as http://127.0.0.1:8000.")],
    profile: Annotated[str, typer.Option(help="Packaged profile by name, or a YAML file.")] = "greedy-then-sampled",
    duration: Annotated[
        float | None, typer.Option(min=0.1, help="Seconds to send; default: the length of the profile.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Served model name; default: the server's first.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of arrivals, lengths and mix; default: the profile's.")] = None,
    keep_alive: Annotated[
        bool, typer.Option(help="Reuse connections. A proxy that balances connections then picks one replica.")
    ] = False,
    allow_remote: Annotated[
        bool, typer.Option(help="Send load to another machine too. Without it only loopback addresses are taken.")
    ] = False,
) -> None:
    """Send open-loop Poisson traffic from a profile and print a JSON summary.

    Arrivals never wait for answers. The summary has requests sent, finished and failed, and percentiles of latency,
    time to first token and time per output token, by phase.

    Example: `breakeven load --url http://127.0.0.1:8000 --profile greedy-then-sampled --duration 60`
    """
    import asyncio
    import json
    import signal

    from breakeven.lab.load.generator import LoadGenerator
    from breakeven.lab.load.profile import load_profile

    async def run() -> dict[str, object]:
        generator = LoadGenerator(
            url, load_profile(profile), model=model, seed=seed, allow_remote=allow_remote, keep_alive=keep_alive
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, generator.stop)
        return await generator.run(duration)

    try:
        summary = asyncio.run(run())
    except ValueError as error:
        typer.echo(f"breakeven load: {error}", err=True)
        raise typer.Exit(2) from error
    typer.echo(json.dumps(summary, indent=2))
    total = summary["total"]
    if isinstance(total, dict) and not total["finished"]:
        typer.echo("breakeven load: no request was answered", err=True)
        raise typer.Exit(1)
