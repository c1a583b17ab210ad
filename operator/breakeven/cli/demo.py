"""`breakeven demo`: the main story on the embedded lab."""

from enum import StrEnum
from typing import Annotated

import typer


class Engine(StrEnum):
    """Which engine serves in the demo's pods."""

    SIMULATED = "simulated"
    VLLM = "vllm"


class Mode(StrEnum):
    """How a replica is switched."""

    RELOAD = "reload"
    WARM = "warm"


CARDS = {Mode.RELOAD: 2, Mode.WARM: 1}
"""GPUs of the story: one for what serves, and one for what is tried where that needs its own."""


class Device(StrEnum):
    """What a real engine runs on."""

    CPU = "cpu"
    CUDA = "cuda"


def demo(
    engine: Annotated[
        Engine, typer.Option(help="`simulated`, or `vllm`: a real vLLM (on CPU about 7 GB in the cache, once).")
    ] = Engine.SIMULATED,
    device: Annotated[
        Device,
        typer.Option(
            help="Of `vllm`: `cpu`, or `cuda`: the `vllm` on PATH on two GPUs of this machine; `warm` needs one."
        ),
    ] = Device.CPU,
    mode: Annotated[
        Mode,
        typer.Option(help="`reload`, or `warm`: one replica holds both variants and is switched in seconds."),
    ] = Mode.RELOAD,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the lab up and print how to look at it.")] = False,
) -> None:
    """Apply a resource on a real control plane and watch speculation go on, off and on again.

    The first time it builds the control plane it needs, in some 11 min.

    Example: `breakeven demo --keep`, then `breakeven lab down --name demo`.
    """
    from breakeven.demo.run import run
    from breakeven.demo.stage import Stage, cuda_stage, real_stage, simulated_stage, warm_stage
    from breakeven.lab.realengine.cuda import find_cuda_engine
    from breakeven.lab.realengine.install import InstallError, ensure_engine
    from breakeven.lab.tools.build import build
    from breakeven.lab.tools.pins import ToolsMissingError, load

    if device is Device.CUDA and engine is Engine.SIMULATED:
        typer.echo("error: the simulated engine needs no GPU: write --engine vllm beside --device cuda", err=True)
        raise typer.Exit(2)

    if mode is Mode.WARM and engine is Engine.VLLM and device is Device.CPU:
        typer.echo("error: engines sleep on GPUs only: write --device cuda, or leave --engine vllm out", err=True)
        raise typer.Exit(2)

    def stage_of() -> Stage:
        if engine is Engine.SIMULATED:
            return warm_stage() if mode is Mode.WARM else simulated_stage()
        if device is Device.CUDA:
            return cuda_stage(find_cuda_engine(typer.echo, cards=CARDS[mode]))
        return real_stage(ensure_engine(typer.echo))

    try:
        build(load(), "demo")
        stage = stage_of()
    except (InstallError, ToolsMissingError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None
    raise typer.Exit(run(stage, keep=keep))
