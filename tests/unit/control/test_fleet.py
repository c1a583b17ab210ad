"""What pods and Deployments say."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from breakeven.control.fleet import (
    LAST_WORDS,
    STUCK_AFTER,
    SmokeResult,
    fleets,
    last_words,
    loading_minutes,
    pods_by_variant,
)
from breakeven.domain.counters.observation import Fleet, Smoke

T0 = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LABELS = {"breakeven.dev/variant": "v"}


def deployment(replicas: int, *conditions: dict[str, str]) -> dict[str, Any]:
    return {
        "kind": "Deployment",
        "metadata": {"name": "d", "labels": LABELS},
        "spec": {"replicas": replicas},
        "status": {"conditions": list(conditions)},
    }


def pod(name: str = "p", *, ready: datetime | None = T0, **changes: Any) -> dict[str, Any]:
    condition = {"type": "Ready", "status": "True" if ready else "False"}
    if ready:
        condition["lastTransitionTime"] = ready.isoformat()
    made: dict[str, Any] = {
        "metadata": {"name": name, "namespace": "n", "labels": LABELS, "creationTimestamp": T0.isoformat()},
        "status": {
            "phase": "Running",
            "startTime": (T0 - timedelta(minutes=3)).isoformat(),
            "conditions": [condition],
            "containerStatuses": [
                {"ready": bool(ready), "restartCount": 0, "state": {"running": {"startedAt": T0.isoformat()}}}
            ],
        },
    }
    made["status"].update(changes)
    return made


def one(deployments: list[dict[str, Any]], pods: list[dict[str, Any]], **more: Any) -> Fleet:
    return fleets(
        deployments,
        pods,
        now=more.get("now", T0),
        unsettled_at=more.get("unsettled_at", {}),
        smoke=more.get("smoke", {}),
    )["v"]


def test_settled_since_the_last_pod_became_ready_or_was_seen_to_move() -> None:
    pods = [pod("a"), pod("b", ready=T0 + timedelta(minutes=1))]
    assert one([deployment(2)], pods).settled_since == T0 + timedelta(minutes=1)
    later = T0 + timedelta(minutes=5)
    assert one([deployment(2)], pods, unsettled_at={"v": later}).settled_since == later
    assert one([deployment(3)], pods).settled_since is None


def test_waiting_since_the_newest_pod_that_is_not_ready_was_made_or_ceased_to_be() -> None:
    assert one([deployment(1)], [pod("a")]).waiting_since is None
    assert one([deployment(1)], []).waiting_since is None
    assert one([deployment(1)], [pod("a", ready=None)]).waiting_since == T0
    lost = {"type": "Ready", "status": "False", "lastTransitionTime": (T0 + timedelta(minutes=9)).isoformat()}
    pods = [pod("a", ready=None, conditions=[lost]), pod("b", ready=None), pod("c")]
    assert one([deployment(3)], pods).waiting_since == T0 + timedelta(minutes=9)


def test_terminating_pod_counts_apart() -> None:
    going = pod("a")
    going["metadata"]["deletionTimestamp"] = T0.isoformat()
    found = one([deployment(1)], [going, pod("b")])
    assert (found.existing, found.ready, found.terminating) == (1, 1, 1)
    assert found.settled_since is None


def test_pod_that_should_have_stopped_long_ago_is_stuck_and_unsettles_nothing() -> None:
    going = pod("a")
    going["metadata"]["deletionTimestamp"] = T0.isoformat()
    going["spec"] = {"nodeName": "h100-3"}
    pods = [going, pod("b")]
    in_time = one([deployment(1)], pods, now=T0 + STUCK_AFTER)
    assert (in_time.terminating, in_time.stuck, in_time.settled_since) == (1, (), None)
    late = one([deployment(1)], pods, now=T0 + STUCK_AFTER + timedelta(seconds=1))
    assert (late.terminating, late.stuck, late.settled_since) == (0, ("a on node h100-3",), T0)


def test_pod_that_is_over_is_not_stuck() -> None:
    over = pod("a", phase="Failed")
    over["metadata"]["deletionTimestamp"] = T0.isoformat()
    assert one([deployment(1)], [over], now=T0 + timedelta(days=1)).stuck == ()


def test_engine_that_crashed_with_exit_code_0_is_failing() -> None:
    status = {
        "ready": False,
        "restartCount": 2,
        "state": {"running": {"startedAt": T0.isoformat()}},
        "lastState": {"terminated": {"reason": "Completed", "exitCode": 0, "message": "EngineDead"}},
    }
    found = one([deployment(1)], [pod(ready=None, containerStatuses=[status])])
    assert "Completed (exit code 0), EngineDead" in found.failing
    assert found.restarts == 2


def test_image_that_cannot_be_pulled_is_failing_and_a_pod_that_loads_is_not() -> None:
    waiting = {"ready": False, "restartCount": 0, "state": {"waiting": {"reason": "ImagePullBackOff"}}}
    assert "ImagePullBackOff" in one([deployment(1)], [pod(ready=None, containerStatuses=[waiting])]).failing
    assert one([deployment(1)], [pod(ready=None)]).failing == ""


def test_deadline_and_quota_are_failing() -> None:
    late = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "late"}
    quota = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota"}
    assert one([deployment(1, late)], []).failing == "ProgressDeadlineExceeded: late"
    assert one([deployment(1, quota)], []).failing == "FailedCreate: exceeded quota"


def test_schedulers_message_is_kept() -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no GPU"}
    assert one([deployment(1)], [pod(ready=None, conditions=[condition])]).unschedulable == "no GPU"


def test_pods_without_a_deployment_are_still_seen() -> None:
    assert one([], [pod()]).wanted == 0
    assert one([], [pod()]).existing == 1


def test_smoke_outcome_is_carried() -> None:
    assert one([deployment(1)], [pod()], smoke={"v": SmokeResult(Smoke.FAILED, "x")}).smoke is Smoke.FAILED
    assert one([deployment(1)], [pod()]).smoke is Smoke.PENDING


def test_metrics_get_living_pods_with_the_start_of_their_container() -> None:
    over = pod("over", phase="Succeeded")
    found = pods_by_variant([pod("a"), over], {})
    assert [(p.name, p.ready_since, p.started_at) for p in found["v"]] == [("a", T0, T0)]


def test_loading_time_is_the_median_over_pods_that_never_restarted() -> None:
    assert loading_minutes([pod("a"), pod("b", ready=T0 + timedelta(minutes=2))]) == 4
    assert loading_minutes([pod(ready=None)]) is None


TRACE = """INFO 11-26 01:00:00 loading weights
\x1b[31mERROR\x1b[0m EngineCore failed to start.
Traceback (most recent call last):
  File "/usr/lib/vllm/engine.py", line 7, in run
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB
[rank0]: destroy_process_group() was not called
"""


def test_an_engine_that_crashed_is_quoted_by_its_last_error_in_one_line() -> None:
    status = {
        "ready": False,
        "restartCount": 3,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"reason": "Error", "exitCode": 1, "message": TRACE}},
    }
    found = one([deployment(1)], [pod(ready=None, containerStatuses=[status])])
    words = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB"
    assert found.failing.endswith(f"CrashLoopBackOff after Error (exit code 1), {words}")
    assert found.crash == f"after Error (exit code 1), {words}"


def test_the_newest_end_of_a_container_is_quoted() -> None:
    def ended(message: str) -> dict[str, Any]:
        return {"terminated": {"reason": "Error", "exitCode": 1, "message": message}}

    status = {"ready": False, "restartCount": 1, "state": ended("newer"), "lastState": ended("older")}
    assert "newer" in one([deployment(1)], [pod(ready=None, containerStatuses=[status])]).failing


@pytest.mark.parametrize("log", ["x" * 5000, "\x00\x1b[2J\n" * 100, "a\r\nb\u2028c", "", "\n\n"])
def test_last_words_are_short_and_printable_whatever_was_logged(log: str) -> None:
    words = last_words(log)
    assert len(words) <= LAST_WORDS
    assert words.isprintable()
