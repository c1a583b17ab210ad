"""`python -m breakeven.lab.engine --pod-address 127.1.2.3 -- vllm serve MODEL ...`: one simulated engine."""

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from breakeven.lab.engine.arguments import is_of_vllm
from breakeven.lab.engine.image import become
from breakeven.lab.engine.knobs import knobs_from
from breakeven.lab.engine.process import Process, prepare
from breakeven.lab.engine.refused import Refused


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m breakeven.lab.engine",
        description="A simulated vLLM server. Every setting but the address also comes from BREAKEVEN_SIM_<SETTING>.",
    )
    parser.add_argument("--pod-address", default="127.0.0.1", help="loopback address to listen on, default 127.0.0.1")
    parser.add_argument(
        "--image-version", help="vLLM version to stand for, for example 0.33.0; default the newest known"
    )
    parser.add_argument("--load-delay", type=float, help="seconds until /health answers, default 2")
    parser.add_argument("--time-scale", type=float, help="simulated seconds in a real one, default 1")
    parser.add_argument("--seed", type=int, help="seed of everything random, default from the address")
    parser.add_argument("--profile", type=Path, help="YAML file of simulation settings")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="-- vllm serve MODEL ...")
    return parser.parse_args(arguments)


def _engine_options(options: argparse.Namespace) -> list[str]:
    """The same options, for an engine that another program of the image starts."""
    given = {
        "--pod-address": options.pod_address,
        "--image-version": options.image_version,
        "--load-delay": options.load_delay,
        "--time-scale": options.time_scale,
        "--seed": options.seed,
        "--profile": options.profile and options.profile.resolve(),
    }
    return [f"{name}={value}" for name, value in given.items() if value is not None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one engine; the result is the exit status."""
    options = _options(sys.argv[1:] if arguments is None else arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(asctime)s %(message)s", stream=sys.stderr)
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if command and not is_of_vllm(command):
        become(command, address=options.pod_address, options=_engine_options(options))
    given = {name: getattr(options, name) for name in ("load_delay", "time_scale", "seed")}
    try:
        knobs = knobs_from(os.environ, profile=options.profile, options=given)
    except ValueError as error:
        sys.stderr.write(f"simulated engine: {error}\n")
        return 2
    try:
        served, configuration, engine = prepare(command, options.image_version, knobs, os.environ)
        developer = os.environ.get("VLLM_SERVER_DEV_MODE") == "1"
        process = Process(served, configuration, engine, knobs, developer_routes=developer)
        asyncio.run(process.run(options.pod_address))
    except Refused as refused:
        sys.stderr.write(f"{refused.message}\n")
        return refused.code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
