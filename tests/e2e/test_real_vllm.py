"""A real vLLM (CPU build): it really gets faster, then slower, and both the operator and `breakeven measure` say so.

Installs about 7 GB into the per-user cache the first time, so it is not part of `make test`; see `make test-vllm`.
"""

import asyncio
import csv
import json
import os
import socket
import sys
from pathlib import Path

import pytest

from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.api.status import Role
from breakeven.api.variant import declared_variant
from breakeven.demo.details import details
from breakeven.demo.stage import Stage, real_stage
from breakeven.demo.story import Story
from breakeven.demo.view import View
from breakeven.domain.decision import Placement
from breakeven.lab.handle import RunningLab
from breakeven.lab.realengine.install import ensure_engine
from breakeven.measure.serve import Command, Engine, command_of
from breakeven.planning.measured import supplied
from breakeven.render import Owner, desired

ASKED = (
    "--temperatures=0,1.0",
    "--concurrency=2",
    "--output-tokens=32",
    "--warmup=2s",
    "--duration=6m",
    "--precision=5%",
)
"""Six rounds of two cells on two servers of one core, about 15 s a visit: an answer takes seconds there."""

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(3000)]


def test_a_real_engine_is_promoted_while_it_wins_and_switched_off_when_it_loses(tmp_path: Path) -> None:
    stage = real_stage(ensure_engine(print))
    with (
        View(stage.title) as view,
        RunningLab.start(stage.lab, directory=tmp_path / "lab", progress=print) as lab,
        Story(stage, lab, view) as story,
    ):
        story.tell()
        won, lost = story.report()
        actions = [d["action"] for d in reversed(details(story.status())["decisions"])]

    # The servers' own counters, read back from Prometheus, say the same as the operator did.
    _, off, on = won
    assert off.tpot_ms is not None and on.tpot_ms is not None
    assert off.tpot_ms / on.tpot_ms > 1.2
    _, off, on = lost
    assert off.tpot_ms is not None and on.tpot_ms is not None
    assert off.tpot_ms / on.tpot_ms < 0.95
    assert [a for a in actions if a in ("StartTrial", "Promote", "Disable")] == ["StartTrial", "Promote", "Disable"]


def test_measuring_two_real_engines_says_that_only_predictable_text_pays(tmp_path: Path) -> None:
    stage = real_stage(ensure_engine(print))
    code = asyncio.run(measured(stage, tmp_path))

    report = tmp_path / "report"
    document = json.loads((report / "report.json").read_text(encoding="utf-8"))
    assert code == 0, document["verdict"]["headline"]
    cells = {(c["temperature"], c["concurrency"]): c for c in document["cells"]}
    predictable, creative = cells[0.0, 2.0], cells[1.0, 2.0]
    assert predictable["speedup"]["lower"] > 1.05
    assert creative["speedup"]["upper"] < 0.98
    assert predictable["on"]["acceptance"]["value"] > 0.5
    assert creative["on"]["acceptance"]["value"] < 0.2
    # Clients and counters are two measurements of one thing.
    for each in cells.values():
        assert each["clientSpeedup"]["value"] == pytest.approx(each["speedup"]["value"], rel=0.2)
    with (report / "profile.csv").open(encoding="utf-8", newline="") as text:
        assert supplied(csv.DictReader(text), source="measured").inflation(2, 4) is not None


async def measured(stage: Stage, folder: Path) -> int:
    """Run `breakeven measure -o report` in a folder, on engines without and with speculation; its exit code."""
    off = Engine(command(stage, speculates=False), folder / "off.log")
    on = Engine(command(stage, speculates=True), folder / "on.log")
    async with off, on:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "breakeven", "measure", "--off", off.url, "--on", on.url, "-o", "report", *ASKED),
            cwd=folder,
        )
        return await process.wait()


def command(stage: Stage, *, speculates: bool) -> Command:
    """The rendered command on a free port, bound to the last core. Both engines may be: one is loaded at a time."""
    declared = declared_variant(SpeculativeDeploymentSpec.model_validate(stage.resource["spec"]))
    variant = declared if speculates else declared.baseline
    placement = Placement(variant=variant, role=Role.STABLE, replicas=1)
    rendered = command_of(desired(Owner(name="tiny", namespace="x"), [placement]).deployments[variant.name])
    (image,) = stage.lab.images
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = [word for word in rendered.words if not word.startswith("--port=")]
    bound = ("taskset", "--cpu-list", str(max(os.sched_getaffinity(0))))
    folders = image.command[: image.command.index("{args}")]
    return Command(
        words=(*bound, *folders, *words, "--host=127.0.0.1", f"--port={port}"),
        environment={**rendered.environment, **image.env},
    )
