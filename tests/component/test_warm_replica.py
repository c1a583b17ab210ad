"""A warm replica: supervisor, HAProxy and two simulated engines as processes, switched, killed and attacked."""

import asyncio
import os
import signal
from pathlib import Path

import aiohttp
import pytest
from tests.support.warm_process import WarmReplica, drafting, plain, slots, warm_replica


class Load:
    """Clients that ask one request after the other, every fourth a long stream."""

    def __init__(self, replica: WarmReplica, clients: int) -> None:
        self.answered = 0
        self.failures: list[str] = []
        self._replica = replica
        self._tasks = [asyncio.create_task(self._ask(number)) for number in range(clients)]
        self._stopping = False

    async def _ask(self, number: int) -> None:
        while not self._stopping:
            tokens = 40 if number % 4 == 0 else 5
            try:
                got = await self._replica.complete(tokens, stream=number % 4 == 0)
            except (aiohttp.ClientError, ValueError, TimeoutError) as error:
                self.failures.append(repr(error))
            else:
                self.answered += 1
                if got != tokens:
                    self.failures.append(f"{got} of {tokens} tokens")

    async def stop(self) -> None:
        self._stopping = True
        await asyncio.gather(*self._tasks)


async def test_twenty_switches_under_load_fail_no_request(tmp_path: Path) -> None:
    async with warm_replica(tmp_path, plain(), drafting()) as replica:
        before = await replica.until_ready()
        assert {slot["phase"] for slot in before["slots"].values()} == {"awake", "asleep"}
        load = Load(replica, 8)
        for number in range(20):
            wanted = "draft" if number % 2 == 0 else "plain"
            status, state = await replica.wake(wanted, f"switch-{number}")
            assert (status, state["awake"], state["last"]["error"]) == (200, wanted, ""), replica.log()[-2000:]
            assert set(state["last"]["phases"]) == {"hold", "drain", "sleep", "wake", "smoke"}
            assert await replica.health() == 200
            await asyncio.sleep(0.1)
        await load.stop()
        assert load.failures == []
        assert load.answered > 40
        async with replica.session.get(f"{replica.url}/metrics") as response:
            page = await response.text()
        for variant in ("plain", "draft"):
            line = next(
                line
                for line in page.splitlines()
                if line.startswith(f'vllm:generation_tokens_total{{breakeven_variant="{variant}",')
            )
            assert float(line.rpartition(" ")[2]) > 0
        assert page.count("# TYPE vllm:generation_tokens_total") == 1


TRICKS = (
    *("/sleep", "/wake_up", "/is_sleeping", "/collective_rpc", "/reset_prefix_cache", "/server_info", "/pause"),
    *("//sleep", "/%2fsleep", "/v1/../sleep", "/v1/..%2fsleep", "/v1/%2e%2e/sleep", "/SLEEP", "/sleep/", "/v1//sleep"),
    *("/health/../sleep", "/v1/;/../sleep", "/v1\\..\\sleep", "/sleep?x=/v1/", "/awake", "/load", "/v1%00/sleep"),
)


async def test_no_developer_route_answers_from_outside_and_orders_need_the_token(tmp_path: Path) -> None:
    async with warm_replica(tmp_path, plain(), drafting()) as replica:
        await replica.until_ready()
        lines = [f"{method} {path} HTTP/1.1" for path in TRICKS for method in ("GET", "POST")]
        lines += [
            "POST http://x/sleep HTTP/1.1",
            "POST http://x/v1/../sleep HTTP/1.1",
            "CONNECT 127.0.0.1:8101 HTTP/1.1",
        ]
        for line in lines:
            status = await _status(replica, line)
            assert status in (400, 404), f"{line}: {status}"
        assert (await replica.state())["awake"] == "plain"
        assert await replica.complete() == 8
        for token in ("", "wrong", "secret2"):
            status, _ = await replica.order("/awake", token=token, id="1", variant="draft")
            assert status == 401
        assert (await replica.order("/awake", id="1", variant="other"))[0] == 404
        assert (await replica.order("/awake", id="", variant="draft"))[0] == 400
        assert (await replica.order("/sleep", id="1"))[0] == 404
        assert (await replica.order("/load", id="1", revision="another"))[0] == 409
        assert (await replica.state())["last"] is None


async def _status(replica: WarmReplica, line: str) -> int:
    reader, writer = await asyncio.open_connection(replica.address, 8000)
    writer.write(f"{line}\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
    answer = await asyncio.wait_for(reader.readline(), 30)
    writer.close()
    return int(answer.split()[1])


async def test_the_same_order_is_carried_out_once(tmp_path: Path) -> None:
    async with warm_replica(tmp_path, plain(), drafting()) as replica:
        await replica.until_ready()
        answers = await asyncio.gather(*(replica.wake("draft", "one") for _ in range(3)))
        assert [status for status, _ in answers] == [200, 200, 200]
        await replica.wake("plain", "two")
        assert (await replica.wake("plain", "two"))[1]["last"]["id"] == "two"
        assert replica.log().count("[supervisor] draft is awake") == 1


@pytest.mark.parametrize("victim", ["plain", "draft"])
async def test_an_engine_that_dies_leaves_the_other_serving(tmp_path: Path, victim: str) -> None:
    async with warm_replica(tmp_path, plain(), drafting()) as replica:
        await replica.until_ready()
        os.kill(replica.engines()[victim], signal.SIGKILL)
        state = await replica.until(lambda state: any(slot["phase"] == "failed" for slot in state["slots"].values()))
        other = "plain" if victim == "draft" else "draft"
        state = await replica.until_ready(other)
        failed = next(slot for slot in state["slots"].values() if slot["phase"] == "failed")
        assert failed["variant"] == victim
        assert "ended with -9" in failed["error"]
        assert await replica.complete() == 8
        assert (await replica.wake(victim, "1"))[0] == 409


async def test_an_engine_that_died_is_loaded_again_when_ordered_and_its_deaths_are_counted(tmp_path: Path) -> None:
    async with warm_replica(tmp_path, plain(), drafting()) as replica:
        state = await replica.until_ready()
        revision = state["revision"]
        for deaths in (1, 2):
            os.kill(replica.engines()["draft"], signal.SIGKILL)
            state = await replica.until(lambda s: any(slot["phase"] == "failed" for slot in s["slots"].values()))
            (failed,) = (slot for slot in state["slots"].values() if slot["phase"] == "failed")
            assert failed["deaths"] == deaths
            assert (await replica.order("/load", id=f"load-{deaths}", revision=revision))[0] == 202
            await replica.until(lambda s, id=f"load-{deaths}": (s["last"] or {}).get("id") == id)
            await replica.until_ready("plain")
        assert (await replica.wake("draft", "1"))[0] == 200
        assert await replica.complete() == 8


async def test_without_any_engine_the_supervisor_ends_as_a_plain_engine_would(tmp_path: Path) -> None:
    async with warm_replica(tmp_path, plain()) as replica:
        await replica.until_ready()
        os.kill(replica.engines()["plain"], signal.SIGKILL)
        assert replica.supervisor is not None
        assert await asyncio.wait_for(replica.supervisor.wait(), 30) == 1
        assert "nothing serves" in replica.log()
        assert await replica.health() != 200


async def test_a_variant_that_cannot_start_leaves_the_other_serving(tmp_path: Path) -> None:
    async with warm_replica(tmp_path, plain(), drafting(draft_fails_at_start="1"), first="draft") as replica:
        state = await replica.until_ready("plain")
        failed = next(slot for slot in state["slots"].values() if slot["phase"] == "failed")
        assert "told to fail while it starts" in failed["error"]
        assert await replica.complete() == 8


async def test_a_switch_that_fails_brings_the_former_engine_back(tmp_path: Path) -> None:
    async with warm_replica(tmp_path, plain(), drafting(draft_fails_to_wake="1")) as replica:
        await replica.until_ready()
        load = Load(replica, 4)
        await asyncio.sleep(0.3)
        status, state = await replica.wake("draft", "1")
        assert (status, state["awake"]) == (500, "plain")
        assert "/wake_up answered 500" in state["last"]["error"]
        assert (await replica.wake("draft", "1"))[0] == 500
        await load.stop()
        assert load.failures == []


async def test_a_proxy_that_died_and_came_back_is_told_again(tmp_path: Path) -> None:
    async with warm_replica(tmp_path, plain(), drafting()) as replica:
        await replica.until_ready()
        await replica.wake("draft", "1")
        assert replica.proxy is not None
        replica.proxy.kill()
        await replica.proxy.wait()
        async with replica.session.get(f"{replica.port}/health") as response:
            assert response.status in (200, 503)
        await replica.start_proxy()
        await replica.until_ready("draft")
        assert await replica.complete() == 8


async def test_engines_end_with_their_supervisor_whenever_it_is_killed(tmp_path: Path) -> None:
    async with warm_replica(tmp_path, plain(), drafting(sleep="1", wake="1")) as replica:
        await replica.until_ready()
        switching = asyncio.create_task(replica.wake("draft", "1"))
        await replica.until(lambda state: (state["switching"] or {}).get("phase") == "wake")
        assert replica.supervisor is not None
        replica.supervisor.kill()
        await replica.supervisor.wait()
        with pytest.raises(aiohttp.ClientError):
            await switching
        await replica.until_no_engine()
        assert await replica.health() != 200
        await replica.start_supervisor()
        await replica.until_ready("plain")
        assert await replica.complete() == 8


@pytest.mark.parametrize(
    ("victim", "phase", "awake"), [("plain", "sleep", "draft"), ("draft", "wake", "plain"), ("proxy", "wake", "draft")]
)
async def test_whatever_dies_during_a_switch_one_engine_serves_afterwards(
    tmp_path: Path, victim: str, phase: str, awake: str
) -> None:
    slow = {"BREAKEVEN_SIM_SLEEP": "1", "BREAKEVEN_SIM_WAKE": "1"}
    async with warm_replica(tmp_path, {**plain(), "env": slow}, drafting(sleep="1", wake="1")) as replica:
        await replica.until_ready()
        switching = asyncio.create_task(replica.wake("draft", "1"))
        await replica.until(lambda state: (state["switching"] or {}).get("phase") == phase)
        if victim == "proxy":
            assert replica.proxy is not None
            replica.proxy.kill()
            await replica.proxy.wait()
            await replica.start_proxy()
        else:
            os.kill(replica.engines()[victim], signal.SIGKILL)
        status, _ = await switching
        assert status == (500 if awake == "plain" else 200)
        await replica.until_ready(awake)
        assert await replica.complete() == 8


@pytest.mark.parametrize(("choice", "status", "awake"), [("Wait", 500, "plain"), ("Abort", 200, "draft")])
async def test_long_requests_put_a_switch_off_or_are_cut_off_as_chosen(
    tmp_path: Path, choice: str, status: int, awake: str
) -> None:
    async with warm_replica(tmp_path, plain(), drafting(), drainTimeout=0.5, onDrainTimeout=choice) as replica:
        await replica.until_ready()
        tokens = 1000
        long = asyncio.create_task(replica.complete(tokens, stream=True))
        await asyncio.sleep(0.5)
        answered, state = await replica.wake("draft", "1")
        assert (answered, state["awake"]) == (status, awake)
        assert (await long == tokens) == (choice == "Wait")


async def test_a_candidate_is_loaded_into_the_slot_that_is_not_wanted_any_more(tmp_path: Path) -> None:
    async with warm_replica(tmp_path, plain(), drafting()) as replica:
        await replica.until_ready()
        kept = replica.engines()["plain"]
        revision = replica.write(slots(plain(), drafting("other", k=2)))
        await replica.until(lambda state: state["revision"] == revision)
        assert (await replica.order("/load", id="l", revision=revision))[0] == 202
        state = await replica.until(lambda state: (state["last"] or {}).get("id") == "l")
        assert (state["last"]["error"], state["loadedRevision"]) == ("", revision)
        await replica.until_ready("plain")
        assert replica.engines()["plain"] == kept
        assert (await replica.wake("other", "1"))[0] == 200
        assert (await replica.wake("draft", "2"))[0] == 404


async def test_sigterm_lets_requests_finish(tmp_path: Path) -> None:
    async with warm_replica(tmp_path, plain(), drafting()) as replica:
        await replica.until_ready()
        asked = asyncio.create_task(replica.complete(200, stream=True))
        await asyncio.sleep(0.3)
        assert replica.supervisor is not None
        replica.supervisor.terminate()
        assert await asked == 200
        assert await asyncio.wait_for(replica.supervisor.wait(), 30) == 0
        assert replica.engines() == {}
