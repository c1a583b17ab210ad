"""The servers of a resource, found among its pods."""

from typing import Any

from breakeven.measure.grid import Arm
from breakeven.measure.pods import _pod, arms


def pod(
    name: str, *, drafts: bool = False, ready: bool = True, ip: str = "10.0.0.1", **metadata: Any
) -> dict[str, Any]:
    args = ["llama", "--port=8000", *(['--speculative-config={"method":"ngram"}'] if drafts else [])]
    return {
        "metadata": {"name": name, "labels": {"breakeven.dev/variant": name[:3]}, **metadata},
        "spec": {"containers": [{"name": "sidecar"}, {"name": "engine", "command": ["vllm", "serve"], "args": args}]},
        "status": {"podIP": ip, "conditions": [{"type": "Ready", "status": str(ready)}]},
    }


def test_the_first_ready_pod_with_and_without_a_draft_is_taken() -> None:
    listed = [pod("b-on", drafts=True), pod("a-off"), pod("c-off"), pod("a-starting", drafts=True, ready=False)]
    chosen = arms(found for item in listed if (found := _pod(item)) is not None)
    assert {arm: each.name for arm, each in chosen.items()} == {Arm.OFF: "a-off", Arm.ON: "b-on"}


def test_a_pod_that_ends_or_has_no_address_is_passed_over() -> None:
    assert _pod(pod("x", deletionTimestamp="2026-01-01T00:00:00Z")) is None
    assert _pod(pod("x", ip="")) is None


def test_an_address_of_version_six_is_put_in_brackets() -> None:
    found = _pod(pod("x", ip="fd00::7"))
    assert found is not None
    assert found.address == "http://[fd00::7]:8000"
