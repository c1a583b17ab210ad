"""The service proxy and Prometheus in the lab."""

import json
import socket
import urllib.request
from pathlib import Path

import pytest
from tests.support.lab import deployment, pod_spec, service

from breakeven.lab.handle import RunningLab

pytestmark = pytest.mark.lab


def who(url: str) -> str:
    with urllib.request.urlopen(f"{url}/whoami", timeout=5) as answer:
        return str(json.load(answer)["pod"])


def ready_replicas(lab: RunningLab, namespace: str, name: str) -> int:
    found = json.loads(lab.kubectl("get", "deployment", name, "-n", namespace, "-o", "json").stdout)
    return int(found["status"].get("readyReplicas", 0))


def test_a_service_balances_over_ready_pods_only(lab: RunningLab, namespace: str, tmp_path: Path) -> None:
    unready = tmp_path / "unready"
    lab.kubectl("apply", "-f", "-", input=service(namespace, "engine"))
    lab.kubectl("apply", "-f", "-", input=deployment(namespace, "engine", pod_spec(), replicas=2))
    lab.wait_for("2 Ready", lambda: ready_replicas(lab, namespace, "engine") == 2)
    url = lab.service_url(namespace, "engine")
    lab.wait_for("both pods", lambda: len({who(url) for _ in range(4)}) == 2)
    assert url.startswith("http://127.")

    unready.touch()
    slow = pod_spec(environment={"UNREADY_FILE": str(unready)})
    lab.kubectl("apply", "-f", "-", input=deployment(namespace, "other", slow, replicas=1))
    lab.kubectl("label", "pods", "-l", "app=other", "-n", namespace, "app=engine", "--overwrite")
    assert len({who(url) for _ in range(6)}) == 2

    lab.kubectl("scale", "deployment/engine", "--replicas=1", "-n", namespace)
    lab.wait_for("one pod", lambda: len({who(url) for _ in range(4)}) == 1)


def test_answers_are_streamed_as_they_come(lab: RunningLab, namespace: str) -> None:
    lab.kubectl("apply", "-f", "-", input=service(namespace, "engine"))
    lab.kubectl("apply", "-f", "-", input=deployment(namespace, "engine", pod_spec()))
    lab.wait_for("1 Ready", lambda: ready_replicas(lab, namespace, "engine") == 1)
    url = lab.service_url(namespace, "engine", "http")

    def first_part() -> bytes:
        with urllib.request.urlopen(f"{url}/slow", timeout=5) as answer:
            first = bytes(answer.readline())
            assert answer.read() == b"part 1\npart 2\n"
            return first

    assert lab.wait_for("an answer", first_part) == b"part 0\n"


def test_a_service_without_ready_pods_refuses_connections(lab: RunningLab, namespace: str) -> None:
    lab.kubectl("apply", "-f", "-", input=service(namespace, "nobody", port=80))
    url = lab.service_url(namespace, "nobody")
    host, port = url.removeprefix("http://").split(":")
    assert int(port) == 10080
    with socket.socket() as probe:
        assert probe.connect_ex((host, int(port))) != 0


def test_prometheus_finds_pods_and_labels_them(lab: RunningLab, namespace: str) -> None:
    lab.kubectl("apply", "-f", "-", input=deployment(namespace, "engine", pod_spec(), replicas=2))
    series = lab.wait_for(
        "2 series", lambda: len(found := lab.query(f'standin_up{{namespace="{namespace}"}}')) == 2 and found
    )
    names = lab.kubectl("get", "pods", "-n", namespace, "-o", "name").stdout.split()
    assert sorted(f"pod/{one['metric']['pod']}" for one in series) == sorted(names)
    assert {one["metric"]["node"] for one in series} == {"h100"}


def test_prometheus_keeps_its_data_over_a_stop_and_start(lab: RunningLab, namespace: str) -> None:
    lab.kubectl("apply", "-f", "-", input=deployment(namespace, "engine", pod_spec()))
    query = f'count_over_time(standin_up{{namespace="{namespace}"}}[10m])'
    before = lab.wait_for("samples", lambda: (found := lab.query(query)) and float(found[0]["value"][1]))
    lab.stop_prometheus()
    with pytest.raises(Exception, match="Prometheus"):
        lab.query("up")
    lab.start_prometheus()
    assert float(lab.wait_for("samples", lambda: lab.query(query))[0]["value"][1]) >= before
