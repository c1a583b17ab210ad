"""Pods in the lab: placed by the real scheduler, run as processes, probed, restarted, ended, and logged."""

import json
import os
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from tests.support.lab import deployment, pod_spec

from breakeven.lab.handle import RunningLab
from breakeven.lab.reap import POD_VARIABLE, marked

pytestmark = pytest.mark.lab


def pods(lab: RunningLab, namespace: str) -> list[dict[str, Any]]:
    return list(json.loads(lab.kubectl("get", "pods", "-n", namespace, "-o", "json").stdout)["items"])


def ready(pod: dict[str, Any]) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", ()))


def one_pod(lab: RunningLab, namespace: str, spec: dict[str, Any], name: str = "one") -> None:
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace}, "spec": spec}
    lab.kubectl("apply", "-f", "-", input=json.dumps(manifest))


def status_of(lab: RunningLab, namespace: str) -> dict[str, Any]:
    return dict(pods(lab, namespace)[0]["status"]["containerStatuses"][0])


def processes(pod: dict[str, Any]) -> int:
    found = list(marked(POD_VARIABLE, f"{pod['metadata']['uid']}/engine"))
    for descriptor in found:
        os.close(descriptor)
    return len(found)


def test_the_fifth_pod_of_two_gpus_stays_pending_on_a_node_of_eight(lab: RunningLab, namespace: str) -> None:
    lab.kubectl("apply", "-f", "-", input=deployment(namespace, "engine", pod_spec(gpus=2), replicas=5))
    lab.wait_for("4 Ready pods", lambda: sum(map(ready, pods(lab, namespace))) == 4)
    found = pods(lab, namespace)
    waiting = [pod for pod in found if not ready(pod)]
    assert {pod["spec"]["nodeName"] for pod in found if ready(pod)} == {"h100"}
    assert len({pod["status"]["podIP"] for pod in found if ready(pod)}) == 4
    assert [pod["status"]["phase"] for pod in waiting] == ["Pending"]
    assert "Insufficient nvidia.com/gpu" in waiting[0]["status"]["conditions"][0]["message"]


def test_a_process_gets_the_rendered_arguments_and_variables(lab: RunningLab, namespace: str) -> None:
    lab.kubectl("create", "secret", "generic", "keys", "-n", namespace, "--from-literal=token=s3cret")
    spec = pod_spec(arguments=["--served", "$(WHO)", '{"k": "{ip}"}', "$$(WHO)"])
    spec["containers"][0]["env"] = [
        {"name": "WHO", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "token"}}},
    ]
    one_pod(lab, namespace, spec)
    lab.wait_for("Ready", lambda: ready(pods(lab, namespace)[0]))
    address = pods(lab, namespace)[0]["status"]["podIP"]
    with urllib.request.urlopen(f"http://{address}:8000/whoami", timeout=5) as answer:
        assert json.load(answer)["arguments"] == ["--served", "one", '{"k": "{ip}"}', "$(WHO)"]
    with urllib.request.urlopen(f"http://{address}:8000/environment", timeout=5) as answer:
        assert json.load(answer)["TOKEN"] == "s3cret"


def test_a_crashing_container_is_restarted_and_reported_as_crash_loop(lab: RunningLab, namespace: str) -> None:
    one_pod(lab, namespace, pod_spec(environment={"CRASH": "3"}))

    def looping() -> bool:
        status = status_of(lab, namespace)
        return status["restartCount"] >= 2 and status["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff"

    lab.wait_for("CrashLoopBackOff", looping)
    status = status_of(lab, namespace)
    assert status["lastState"]["terminated"]["exitCode"] == 3
    assert not status["ready"]
    assert "standin crashes" in lab.kubectl("logs", "one", "-n", namespace, "--previous").stdout


def test_an_exit_with_status_zero_is_restarted_too(lab: RunningLab, namespace: str) -> None:
    one_pod(lab, namespace, pod_spec(environment={"CRASH": "0"}))
    lab.wait_for("a restart", lambda: status_of(lab, namespace)["restartCount"] >= 1)
    lab.wait_for("its reason", lambda: status_of(lab, namespace)["lastState"]["terminated"]["reason"] == "Completed")


def test_a_failed_liveness_probe_restarts_the_container(lab: RunningLab, namespace: str, tmp_path: Path) -> None:
    unready = tmp_path / "unready"
    probe = {"httpGet": {"path": "/health", "port": 8000}, "periodSeconds": 1}
    probes = {"startupProbe": probe | {"failureThreshold": 30}, "livenessProbe": probe | {"failureThreshold": 1}}
    one_pod(lab, namespace, pod_spec(environment={"UNREADY_FILE": str(unready)}, **probes))
    lab.wait_for("Ready", lambda: ready(pods(lab, namespace)[0]))
    unready.touch()
    lab.wait_for("a restart", lambda: status_of(lab, namespace)["restartCount"] >= 1)


def test_readiness_follows_the_probe_and_startup_comes_first(lab: RunningLab, namespace: str, tmp_path: Path) -> None:
    unready = tmp_path / "unready"
    unready.touch()
    startup = {"httpGet": {"path": "/metrics", "port": "http"}, "periodSeconds": 1, "failureThreshold": 30}
    one_pod(lab, namespace, pod_spec(environment={"UNREADY_FILE": str(unready)}, startupProbe=startup))
    lab.wait_for("started", lambda: status_of(lab, namespace)["started"])
    assert not ready(pods(lab, namespace)[0])
    unready.unlink()
    lab.wait_for("Ready", lambda: ready(pods(lab, namespace)[0]))
    unready.touch()
    lab.wait_for("not Ready", lambda: not ready(pods(lab, namespace)[0]))
    assert status_of(lab, namespace)["restartCount"] == 0


def test_deletion_runs_pre_stop_then_sends_sigterm(lab: RunningLab, namespace: str, tmp_path: Path) -> None:
    told, hook = tmp_path / "term", tmp_path / "hook"
    lifecycle = {"preStop": {"exec": {"command": ["touch", str(hook)]}}}
    one_pod(lab, namespace, pod_spec(environment={"TERM_FILE": str(told)}, lifecycle=lifecycle))
    lab.wait_for("Ready", lambda: ready(pods(lab, namespace)[0]))
    lab.kubectl("delete", "pod", "one", "-n", namespace)
    assert told.read_text() == "SIGTERM"
    assert hook.exists()


def test_a_process_that_ignores_sigterm_is_killed_with_all_its_children(lab: RunningLab, namespace: str) -> None:
    one_pod(lab, namespace, pod_spec(environment={"STUBBORN": "1", "CHILD": "1"}, grace=1))
    lab.wait_for("Ready", lambda: ready(pods(lab, namespace)[0]))
    pod = pods(lab, namespace)[0]
    assert processes(pod) == 2
    lab.kubectl("delete", "pod", "one", "-n", namespace)
    assert processes(pod) == 0
    assert pods(lab, namespace) == []


def test_an_image_without_a_local_command_is_not_pulled(lab: RunningLab, namespace: str) -> None:
    one_pod(lab, namespace, pod_spec(image="registry.invalid/other:1"))
    lab.wait_for("its reason", lambda: status_of(lab, namespace)["state"]["waiting"]["reason"] == "ImagePullBackOff")
    lab.kubectl("delete", "pod", "one", "-n", namespace)


def test_a_missing_secret_holds_the_container_back_until_it_is_there(lab: RunningLab, namespace: str) -> None:
    spec = pod_spec()
    spec["containers"][0]["envFrom"] = [{"secretRef": {"name": "late"}}]
    one_pod(lab, namespace, spec)
    lab.wait_for(
        "its reason",
        lambda: status_of(lab, namespace)["state"].get("waiting", {}).get("reason") == "CreateContainerConfigError",
    )
    lab.kubectl("create", "secret", "generic", "late", "-n", namespace, "--from-literal=A=1")
    lab.wait_for("Ready", lambda: ready(pods(lab, namespace)[0]))


def test_kubectl_logs_follows_until_the_container_ends(lab: RunningLab, namespace: str) -> None:
    one_pod(lab, namespace, pod_spec(arguments=["hello"]))
    lab.wait_for("Ready", lambda: ready(pods(lab, namespace)[0]))
    with subprocess.Popen(
        [str(lab.tool("kubectl")), "logs", "-f", "one", "-n", namespace],
        env=lab.environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as following:
        assert following.stdout is not None
        assert following.stdout.readline() == "standin starts hello\n"
        lab.kubectl("delete", "pod", "one", "-n", namespace)
        rest, _ = following.communicate(timeout=20)
    assert rest.endswith("standin ends\n")


def test_kubectl_logs_shows_the_tail(lab: RunningLab, namespace: str) -> None:
    one_pod(lab, namespace, pod_spec(arguments=["a\nb\nc"], readinessProbe=None))
    lab.wait_for("a log", lambda: lab.kubectl("logs", "one", "-n", namespace).stdout.endswith("c\n"))
    assert lab.kubectl("logs", "one", "-n", namespace, "--tail=2").stdout == "b\nc\n"
