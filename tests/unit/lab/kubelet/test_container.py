"""One container's process, with plain shell commands."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from breakeven.lab.kubelet.container import Backoff, Container, Launch
from breakeven.lab.kubelet.probes import Target


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


class Bench:
    """A container, and waiting for its state."""

    def __init__(self, session: aiohttp.ClientSession, directory: Path, script: str, **spec: Any) -> None:
        policy = spec.pop("restart_policy", "Never")
        self.turn = asyncio.Event()
        self.events: list[str] = []
        self.states: list[str] = []
        self.container = Container(
            spec={"name": "c", "image": "i"} | spec,
            owner="n/p",
            marker=f"test/{directory}",
            restart_policy=policy,
            grace=0.2,
            directory=directory,
            backoff=Backoff(first=0.01, limit=2.0),
            session=session,
            changed=self.changed,
            announce=lambda _kind, reason, _message: self.events.append(reason),
        )
        environment = {"PATH": "/usr/bin:/bin"}
        self.launch = Launch(
            argv=["/bin/sh", "-c", script],
            environment=environment,
            cores=(),
            target=Target(ip="127.0.0.1", ports={}, environment=environment),
            directory=directory,
        )

    def changed(self) -> None:
        state = self.container.state
        self.states.append(state.get("waiting", {}).get("reason") or next(iter(state)))
        self.turn.set()

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(20):
            while not condition(self.container):
                self.turn.clear()
                await self.turn.wait()


async def test_exit_status_and_reason_are_reported(session: aiohttp.ClientSession, tmp_path: Path) -> None:
    bench = Bench(session, tmp_path, "echo out; echo err >&2; exit 3")
    await bench.container.run(bench.launch)
    ended = bench.container.state["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (3, "Error")
    assert bench.container.log().read_text() == "out\nerr\n"
    assert bench.container.ended


async def test_a_signal_is_reported_as_a_shell_would(session: aiohttp.ClientSession, tmp_path: Path) -> None:
    bench = Bench(session, tmp_path, "kill -9 $$")
    await bench.container.run(bench.launch)
    assert bench.container.state["terminated"]["exitCode"] == 137


async def test_status_zero_is_restarted_under_always_and_ends_under_on_failure(
    session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    once = Bench(session, tmp_path / "a", "exit 0", restart_policy="OnFailure")
    (tmp_path / "a").mkdir()
    await once.container.run(once.launch)
    assert once.container.restarts == 0
    (tmp_path / "b").mkdir()
    again = Bench(session, tmp_path / "b", "exit 0", restart_policy="Always")
    running = asyncio.create_task(again.container.run(again.launch))
    await again.until(lambda container: container.restarts >= 2)
    await again.container.stop(1.0)
    await running
    assert "CrashLoopBackOff" in again.states
    assert again.container.last_state["terminated"]["reason"] == "Completed"


async def test_a_command_that_does_not_exist_is_reported(session: aiohttp.ClientSession, tmp_path: Path) -> None:
    bench = Bench(session, tmp_path, "")
    launch = Launch(
        argv=["/nowhere"], environment={}, cores=(), target=bench.launch.target, directory=bench.launch.directory
    )
    await bench.container.run(launch)
    assert bench.container.state["terminated"]["reason"] == "StartError"


async def test_startup_comes_before_readiness(session: aiohttp.ClientSession, tmp_path: Path) -> None:
    def look(name: str) -> dict[str, Any]:
        return {"exec": {"command": ["test", "-e", str(tmp_path / name)]}, "periodSeconds": 0.01, "timeoutSeconds": 5}

    bench = Bench(
        session,
        tmp_path,
        "sleep 60",
        startupProbe=look("started") | {"failureThreshold": 10000},
        readinessProbe=look("ready") | {"failureThreshold": 1},
    )
    running = asyncio.create_task(bench.container.run(bench.launch))
    (tmp_path / "ready").touch()
    await bench.until(lambda container: "running" in container.state)
    assert not bench.container.started
    assert not bench.container.ready
    (tmp_path / "started").touch()
    await bench.until(lambda container: container.ready)
    (tmp_path / "ready").unlink()
    await bench.until(lambda container: not container.ready)
    assert bench.container.started
    await bench.container.stop(1.0)
    await running


async def test_a_failed_liveness_probe_ends_the_process(session: aiohttp.ClientSession, tmp_path: Path) -> None:
    probe = {"exec": {"command": ["false"]}, "periodSeconds": 0.01, "failureThreshold": 2, "timeoutSeconds": 5}
    bench = Bench(session, tmp_path, "sleep 60", livenessProbe=probe)
    await bench.container.run(bench.launch)
    assert bench.container.state["terminated"]["exitCode"] == 143
    assert "Killing" in bench.events


async def test_pre_stop_runs_before_sigterm(session: aiohttp.ClientSession, tmp_path: Path) -> None:
    order = tmp_path / "order"
    script = f"trap 'echo term >> {order}; exit 0' TERM; echo up; while :; do sleep 0.01; done"
    hook = {"exec": {"command": ["sh", "-c", f"echo hook >> {order}"]}}
    probe = {"exec": {"command": ["grep", "-q", "up", str(tmp_path / "0.log")]}, "periodSeconds": 0.01}
    bench = Bench(session, tmp_path, script, lifecycle={"preStop": hook}, readinessProbe=probe | {"timeoutSeconds": 5})
    running = asyncio.create_task(bench.container.run(bench.launch))
    await bench.until(lambda container: container.ready)
    await bench.container.stop(10.0)
    await running
    assert order.read_text() == "hook\nterm\n"


async def test_what_ignores_sigterm_is_killed_after_the_grace(session: aiohttp.ClientSession, tmp_path: Path) -> None:
    probe = {"exec": {"command": ["grep", "-q", "up", str(tmp_path / "0.log")]}, "periodSeconds": 0.01}
    script = "trap '' TERM; echo up; while :; do sleep 0.01; done"
    bench = Bench(session, tmp_path, script, readinessProbe=probe | {"timeoutSeconds": 5})
    running = asyncio.create_task(bench.container.run(bench.launch))
    await bench.until(lambda container: container.ready)
    await bench.container.stop(0.1)
    await running
    assert bench.container.state["terminated"]["exitCode"] == 137


def test_the_back_off_doubles_up_to_its_limit_and_starts_afresh_after_a_long_run() -> None:
    backoff = Backoff(first=10, limit=300)
    assert [backoff.after(1.0) for _ in range(8)] == [0, 10, 20, 40, 80, 160, 300, 300]
    assert backoff.after(601.0) == 0
