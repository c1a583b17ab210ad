"""The rendered pod of a warm replica as the lab's kubelet runs it: a sidecar, and ConfigMaps that change."""

import asyncio
import hashlib
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import aiohttp

from breakeven.api.variant import Variant
from breakeven.lab.block import Block
from breakeven.lab.controlplane.client import ApiError
from breakeven.lab.kubelet.cores import Cores
from breakeven.lab.kubelet.gpus import Gpus
from breakeven.lab.kubelet.pod import PodRunner, Surroundings
from breakeven.lab.reap import POD_VARIABLE, marked
from breakeven.lab.settings import LabSettings
from breakeven.render.names import Owner
from breakeven.render.warm import WarmObjects, WarmSettings, warm_objects

TOKEN = "a token"
OWNER = Owner(name="llama", namespace="n")
SETTINGS = WarmSettings(
    token_sha256=hashlib.sha256(TOKEN.encode()).hexdigest(), host_memory_bytes=1 << 30, gpu_memory_bytes=80 << 30
)
QUICK = {"LOAD_DELAY": "0.1", "FIRST_SLEEP": "0.1", "SLEEP": "0.05", "WAKE": "0.05"}


def variant(k: int = 0) -> Variant:
    env = [{"name": f"BREAKEVEN_SIM_{name}", "value": value} for name, value in QUICK.items()]
    body: dict[str, Any] = {
        "engine": {"image": "vllm/vllm-openai:v0.26.0", "env": env, "startupTimeout": "60s", "shutdownTimeout": "5s"},
        "target": {"model": "meta-llama/Llama-3.1-8B-Instruct", "servedName": "llama"},
    }
    if k:
        body["draft"] = {"method": "Eagle3", "model": "/models/head", "numSpeculativeTokens": k}
    return Variant.model_validate(body)


class ApiServer:
    """Keeps the ConfigMaps of one rendering, and the status of the one pod."""

    def __init__(self, made: WarmObjects) -> None:
        self.status: dict[str, Any] = {}
        self.serve(made)

    def serve(self, made: WarmObjects) -> None:
        self.maps = {m["metadata"]["name"]: m for m in (made.programs, made.slots) if m is not None}

    async def get(self, path: str) -> dict[str, Any]:
        name = path.rpartition("/")[2]
        if name not in self.maps:
            raise ApiError(404, f'configmaps "{name}" not found')
        return self.maps[name]

    async def patch(self, _path: str, body: dict[str, Any], _kind: str) -> None:
        self.status = body["status"]

    async def delete(self, _path: str, _body: dict[str, Any]) -> None:
        return


class Pod:
    """A pod that runs."""

    def __init__(self, server: ApiServer, runner: PodRunner, session: aiohttp.ClientSession) -> None:
        self.server, self.runner, self.session = server, runner, session

    async def until(self, holds: Any, seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while not await holds():
            assert time.monotonic() < deadline, self.server.status
            await asyncio.sleep(0.1)

    async def ready(self) -> bool:
        conditions = self.server.status.get("conditions", ())
        return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)

    async def call(self, path: str, port: int = 8001, **body: Any) -> tuple[int, Any]:
        url = f"http://{self.server.status['podIP']}:{port}{path}"
        headers = {"Authorization": f"Bearer {TOKEN}"}
        method = "POST" if body else "GET"
        async with self.session.request(method, url, json=body or None, headers=headers) as response:
            return response.status, json.loads(await response.read() or b"null")

    async def complete(self) -> int:
        body = {"model": "llama", "prompt": "a", "max_tokens": 4, "ignore_eos": True}
        return (await self.call("/v1/completions", 8000, **body))[0]

    def kill(self, container: str) -> None:
        for descriptor in marked(POD_VARIABLE, f"{self.runner.pod['metadata']['uid']}/{container}"):
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            os.close(descriptor)


@asynccontextmanager
async def running(folder: Path, made: WarmObjects) -> AsyncIterator[Pod]:
    assert made.deployment is not None
    template = made.deployment["spec"]["template"]
    about = {"name": "warm-0", "namespace": "n", "uid": f"{os.getpid()}-{time.monotonic_ns()}", **template["metadata"]}
    server = ApiServer(made)
    block = Block(octet=253, listener=cast(Any, None))
    async with aiohttp.ClientSession() as session:
        around = Surroundings(
            client=cast(Any, server),
            block=block,
            settings=LabSettings(backoff_seconds=0.2, volume_refresh_seconds=0.2),
            identity="warm-pod-test",
            directory=folder,
            session=session,
            cores=Cores(),
            gpus=Gpus({}),
            recorder=cast(Any, SimpleNamespace(post=lambda *_: None)),
            account_kubeconfig=cast(Any, None),
            cluster=("127.0.0.1", "1"),
        )
        runner = PodRunner({"metadata": about, "spec": template["spec"]}, around)
        task = asyncio.create_task(runner.run())
        try:
            pod = Pod(server, runner, session)
            await pod.until(pod.ready)
            yield pod
        finally:
            task.cancel()
            await asyncio.wait([task])


async def test_the_rendered_pod_is_switched_loses_its_proxy_and_takes_a_new_candidate(tmp_path: Path) -> None:
    plain, draft, other = variant(), variant(3), variant(2)
    async with running(tmp_path, warm_objects(OWNER, [plain, draft], replicas=1, settings=SETTINGS)) as pod:
        assert [item["name"] for item in pod.server.status["initContainerStatuses"]] == ["proxy"]
        status, state = await pod.call("/awake", id="1", variant=draft.name)
        assert (status, state["awake"]) == (200, draft.name)
        assert await pod.complete() == 200
        assert (await pod.call("/sleep", 8000))[0] == 404

        pod.kill("proxy")

        async def proxy_is_back() -> bool:
            proxy = pod.server.status["initContainerStatuses"][0]
            return bool(proxy["restartCount"] == 1 and proxy["ready"]) and await pod.ready()

        await pod.until(proxy_is_back)
        assert (await pod.call("/state"))[1]["awake"] == draft.name
        assert await pod.complete() == 200

        made = warm_objects(OWNER, [draft, other], replicas=1, settings=SETTINGS)
        pod.server.serve(made)

        async def has_read_it() -> bool:
            return bool((await pod.call("/state"))[1]["revision"] == made.revision)

        async def has_loaded_it() -> bool:
            state = (await pod.call("/state"))[1]
            return bool(state["last"]["id"] == "2" and state["loadedRevision"] == made.revision)

        await pod.until(has_read_it)
        assert (await pod.call("/load", id="2", revision=made.revision))[0] == 202
        await pod.until(has_loaded_it)
        await pod.until(pod.ready)
        assert (await pod.call("/awake", id="3", variant=other.name))[0] == 200
        assert await pod.complete() == 200
        assert pod.server.status["containerStatuses"][0]["restartCount"] == 0
