"""The story on a real vLLM (CPU build): it really gets faster, then really slower, and the operator follows.

Installs about 7 GB into the per-user cache the first time, so it is not part of `make test`; see `make test-vllm`.
"""

from pathlib import Path

import pytest

from breakeven.demo.stage import real_stage
from breakeven.demo.story import Story
from breakeven.demo.view import View
from breakeven.lab.handle import RunningLab
from breakeven.lab.realengine.install import ensure_engine

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
        actions = [d["action"] for d in reversed(story.status()["decisions"])]

    # The servers' own counters, read back from Prometheus, say the same as the operator did.
    _, off, on = won
    assert off.tpot_ms is not None and on.tpot_ms is not None
    assert off.tpot_ms / on.tpot_ms > 1.2
    _, off, on = lost
    assert off.tpot_ms is not None and on.tpot_ms is not None
    assert off.tpot_ms / on.tpot_ms < 0.95
    assert [a for a in actions if a in ("StartTrial", "Promote", "Disable")] == ["StartTrial", "Promote", "Disable"]
