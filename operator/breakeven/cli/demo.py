"""`breakeven demo`: the main story on the embedded lab."""

from enum import StrEnum
from typing import Annotated

import typer


class Engine(StrEnum):
    """Which engine serves in the demo's pods."""

    SIMULATED = "simulated"
    VLLM = "vllm"


def demo(
    engine: Annotated[
        Engine, typer.Option(help="`simulated`, or `vllm`: a real vLLM on CPU (about 7 GB in the cache, once).")
    ] = Engine.SIMULATED,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the lab up and print how to look at it.")] = False,
) -> None:
    """Apply a resource on a real control plane and watch speculation go on, off and on again.

    The first time it builds the control plane it needs, in some 11 min.

    Example: `breakeven demo --keep`, then `breakeven lab down --name demo`.
    """
    from breakeven.demo.stage import real_stage, simulated_stage
    from breakeven.demo.story import run
    from breakeven.lab.realengine.install import InstallError, ensure_engine
    from breakeven.lab.tools.build import build
    from breakeven.lab.tools.pins import ToolsMissingError, load

    try:
        build(load(), "demo")
        stage = simulated_stage() if engine is Engine.SIMULATED else real_stage(ensure_engine(typer.echo))
    except (InstallError, ToolsMissingError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None
    raise typer.Exit(run(stage, keep=keep))
