"""The rendered pod of a warm replica on a real control plane: switched by calling its port by hand."""

import hashlib
import json
import threading
import urllib.error
import urllib.request
from datetime import timedelta
from typing import Any

import pytest

from breakeven.api.variant import Variant
from breakeven.lab.handle import RunningLab
from breakeven.render.names import Owner
from breakeven.render.warm import WarmObjects, WarmSettings, warm_objects

pytestmark = pytest.mark.lab
TOKEN = "a token"
SETTINGS = WarmSettings(
    token_sha256=hashlib.sha256(TOKEN.encode()).hexdigest(),
    host_memory_bytes=40 << 30,
    gpu_memory_bytes=80 << 30,
    drain_timeout=timedelta(seconds=30),
)
QUICK = {"LOAD_DELAY": "0.2", "FIRST_SLEEP": "0.2", "SLEEP": "0.1", "WAKE": "0.1"}
"""Of the simulation."""


def variant(draft: int | None) -> Variant:
    body: dict[str, Any] = {
        "engine": {
            "image": "vllm/vllm-openai:v0.26.0",
            "env": [{"name": f"BREAKEVEN_SIM_{name}", "value": value} for name, value in QUICK.items()],
            "startupTimeout": "60s",
            "shutdownTimeout": "10s",
        },
        "target": {"model": "meta-llama/Llama-3.1-8B-Instruct", "servedName": "llama"},
        "hardware": {"accelerators": ["H100"], "gpusPerReplica": 1},
    }
    if draft is not None:
        body["draft"] = {
            "method": "Eagle3",
            "model": "yuhuili/EAGLE3-LLaMA3.1-Instruct-8B",
            "numSpeculativeTokens": draft,
        }
    return Variant.model_validate(body)


class Pod:
    """The only pod of a namespace."""

    def __init__(self, lab: RunningLab, namespace: str) -> None:
        self._lab, self._namespace = lab, namespace

    def object(self) -> dict[str, Any]:
        found = json.loads(self._lab.kubectl("get", "pods", "-n", self._namespace, "-o", "json").stdout)["items"]
        return dict(found[0]) if found else {"metadata": {"uid": ""}, "status": {}}

    def ready(self) -> bool:
        conditions = self.object()["status"].get("conditions", ())
        return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)

    def call(self, path: str, port: int = 8001, token: str = TOKEN, **body: Any) -> tuple[int, dict[str, Any]]:
        address = self.object()["status"]["podIP"]
        asked = urllib.request.Request(
            f"http://{address}:{port}{path}",
            data=json.dumps(body).encode() if body else None,
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(asked, timeout=60) as answer:
                return answer.status, json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            return error.code, {}

    def complete(self) -> int:
        body = {"model": "llama", "prompt": "a b c", "max_tokens": 20, "ignore_eos": True}
        return self.call("/v1/completions", 8000, **body)[0]


def apply(lab: RunningLab, made: WarmObjects) -> None:
    assert made.refusals == ()
    for manifest in made.objects:
        lab.kubectl("apply", "--server-side", "-f", "-", input=json.dumps(manifest))


def test_the_rendered_pod_switches_under_load_and_takes_a_new_candidate(lab: RunningLab, namespace: str) -> None:
    owner, plain, draft, other = Owner(name="llama", namespace=namespace), variant(None), variant(3), variant(2)
    apply(lab, warm_objects(owner, [plain, draft], replicas=1, settings=SETTINGS))
    pod = Pod(lab, namespace)
    lab.wait_for("a ready pod", pod.ready)
    status = pod.object()["status"]
    assert [item["name"] for item in status["initContainerStatuses"]] == ["proxy"]
    assert pod.call("/state")[1]["awake"] == plain.name
    assert pod.call("/awake", token="wrong", id="0", variant=draft.name)[0] == 401
    assert pod.call("/sleep", 8000, x=1)[0] == 404

    answers: list[int] = []
    stopping = threading.Event()

    def ask() -> None:
        while not stopping.is_set():
            answers.append(pod.complete())

    clients = [threading.Thread(target=ask) for _ in range(3)]
    for client in clients:
        client.start()
    for number in range(4):
        wanted = (draft, plain)[number % 2]
        answered, state = pod.call("/awake", id=str(number), variant=wanted.name)
        assert (answered, state["awake"], state["last"]["error"]) == (200, wanted.name, "")
    stopping.set()
    for client in clients:
        client.join()
    assert set(answers) == {200}
    assert pod.ready()

    before = pod.object()
    made = warm_objects(owner, [plain, other], replicas=1, settings=SETTINGS)
    apply(lab, made)
    lab.wait_for("the new slots.json", lambda: pod.call("/state")[1]["revision"] == made.revision)
    assert pod.call("/load", id="load", revision=made.revision)[0] == 202
    lab.wait_for("the candidate", lambda: pod.call("/state")[1]["last"]["id"] == "load")
    assert pod.call("/state")[1]["loadedRevision"] == made.revision
    lab.wait_for("a ready pod", pod.ready)
    assert pod.call("/awake", id="5", variant=other.name)[1]["awake"] == other.name
    assert pod.complete() == 200
    after = pod.object()
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["status"]["containerStatuses"][0]["restartCount"] == 0
