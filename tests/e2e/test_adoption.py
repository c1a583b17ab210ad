"""What serves is taken over while it serves, by the commands of docs/adopting.md, and judged without a Prometheus."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.commands import blocks
from tests.support.loop import NAMESPACE, Cluster, actions, declare, speculating

from breakeven.demo.operator import Operator, install
from breakeven.lab.handle import RunningLab
from breakeven.lab.settings import H200, LabSettings, NodeSettings

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]
NAME, REPLICAS = "llama", 3
PAGE = Path(__file__).parents[2] / "docs" / "adopting.md"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """As many GPUs as the old replicas take: each new one gets that of an old one."""
    settings = LabSettings(name="adoption", nodes=(NodeSettings(name="h200", product=H200, gpus=REPLICAS),))
    with RunningLab.start(settings, directory=tmp_path_factory.mktemp("adoption") / "lab") as lab:
        install(lab)
        lab.kubectl("create", "namespace", NAMESPACE)
        source = {"BREAKEVEN_PROMETHEUS_URL": "", "BREAKEVEN_METRICS_SOURCE": "Pods"}
        with Operator(lab, interval_s=2, settings=source) as operator:
            yield Cluster(lab, operator)


def old_deployment(name: str = NAME, replicas: int = REPLICAS) -> list[dict[str, Any]]:
    """A team's own Deployment and Service, at another port than ours and with a name for it."""
    spec = declare(NAME)["spec"]
    container = {
        "name": "vllm",
        "image": spec["engine"]["image"],
        "command": ["vllm", "serve", spec["target"]["model"]],
        "args": ["--port", "8080", "--quantization=fp8", "--max-model-len", "8192", "--max-num-seqs", "64"],
        "ports": [{"name": "api", "containerPort": 8080}],
        "resources": {"limits": {"nvidia.com/gpu": "1"}},
        "startupProbe": {"httpGet": {"path": "/health", "port": "api"}, "periodSeconds": 1, "failureThreshold": 600},
        "readinessProbe": {"httpGet": {"path": "/health", "port": "api"}, "periodSeconds": 1},
        "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
    }
    labels = {"app.kubernetes.io/name": f"{name}-server"}
    tolerations = [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [container], "tolerations": tolerations, "terminationGracePeriodSeconds": 70},
            },
        },
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"selector": labels, "ports": [{"name": "http", "port": 80, "targetPort": "api"}]},
    }
    return [deployment, service]


def documented_commands(name: str, replicas: int, *, kind: str = "deployment", spare: bool = False) -> str:
    """The loop of the page, for this resource, without a free GPU or with one."""
    said = {"NAME": name, "N": str(replicas), "KIND": kind}
    block = blocks(PAGE, "bash")[spare]
    return re.sub(r"\b(NAME|N|KIND)\b", lambda word: said[word[0]], block)


def move(cluster: Cluster, folder: Path, resource: dict[str, Any], commands: str) -> None:
    """Do what the page says, with the resource as its file."""
    lab = cluster.lab
    (folder / "spd.yaml").write_text(yaml.safe_dump(resource))
    context = f"kubectl config set-context --current --namespace={NAMESPACE} >/dev/null\n"
    moved = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", context + commands],
        cwd=folder, env=lab.environment(lab.kubeconfig), capture_output=True, text=True, timeout=420, check=False,
    )  # fmt: skip
    assert moved.returncode == 0, moved.stdout + moved.stderr


def adopted(cluster: Cluster, name: str = NAME, kind: str = "deployment") -> dict[str, Any]:
    """`breakeven adopt --from`, with what the lab needs besides.

    Windows are longer than those of other tests: here the operator reads the pages itself, every 2 s where it may, and
    on a busy machine later. With `Throughput` no promotion waits for the 500 requests that a percentile takes.
    """
    command = [sys.executable, "-m", "breakeven", "adopt", "--from", f"{kind}/{name}", "-n", NAMESPACE]
    command += ["--kubeconfig", str(cluster.lab.kubeconfig)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    resource: dict[str, Any] = yaml.safe_load(result.stdout)
    return for_the_lab(resource)


def for_the_lab(resource: dict[str, Any]) -> dict[str, Any]:
    """Its GPU, and short waits."""
    short = declare(NAME)["spec"]
    if "engine" in resource["spec"]:
        resource["spec"]["engine"]["shutdownTimeout"] = short["engine"]["shutdownTimeout"]
    for part in ("evidence", "policy"):
        resource["spec"][part] = short[part]
    resource["spec"]["evidence"]["window"] = "40s"
    resource["spec"]["objective"] = {"kind": "Throughput"}
    resource["spec"].setdefault("hardware", {})["accelerators"] = short["hardware"]["accelerators"]
    return resource


def with_the_old_entry_point(workload: dict[str, Any]) -> None:
    """`python -m …` and `--model`, as before there was `vllm serve`."""
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    model = container["command"].pop()
    container["command"] = ["python3", "-m", "vllm.entrypoints.openai.api_server"]
    container["args"] = ["--model", model, *container["args"]]


def as_a_script(workload: dict[str, Any]) -> None:
    """One line for a shell."""
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    line = shlex.join([*container.pop("command"), *container.pop("args")])
    container |= {"command": ["sh", "-c"], "args": [f"exec {line}"]}


def as_a_stateful_set(workload: dict[str, Any]) -> None:
    """Pods with numbers."""
    workload["kind"] = "StatefulSet"
    workload["spec"]["serviceName"] = workload["metadata"]["name"]


def unchanged(workload: dict[str, Any]) -> None:
    """As it is; a `workloadRef` reads it."""


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (with_the_old_entry_point, "deployment"),
        (as_a_script, "deployment"),
        (as_a_stateful_set, "statefulset"),
        (unchanged, "deployment"),
    ],
)
def test_other_shapes_change_places_with_a_free_gpu_and_no_request_fails(
    cluster: Cluster, tmp_path: Path, change: Callable[[dict[str, Any]], None], kind: str
) -> None:
    lab, name = cluster.lab, change.__name__.replace("_", "-")[:20]
    workload, service = old_deployment(name, 1)
    change(workload)
    lab.kubectl("apply", "-f", "-", input=yaml.safe_dump_all([workload, service]))
    lab.kubectl("rollout", "status", f"{kind}/{name}", "-n", NAMESPACE, "--timeout=120s")
    cluster.traffic(name, "greedy")
    resource = adopted(cluster, name, kind) if change is not unchanged else referring(name)
    move(cluster, tmp_path, resource, documented_commands(name, 1, kind=kind, spare=True))
    lab.wait_for("only the new replica to be left", lambda: not old_pods(lab, workload))
    total = cluster.quiet(name)
    assert total["finished"] > 10 and total["failed"] == 0, json.dumps(total)
    lab.kubectl("delete", "spd", name, "-n", NAMESPACE)
    lab.kubectl("delete", f"{kind}/{name}", f"service/{name}", "-n", NAMESPACE)
    lab.wait_for("its GPU to be free", lambda: not cluster.pods(name), timeout=90)


def referring(name: str) -> dict[str, Any]:
    """A resource without a template of its own."""
    spec = {
        "replicas": 1,
        "workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
        "service": {"enabled": False},
    }
    resource = declare(name)
    return for_the_lab({**resource, "spec": spec})


def old_pods(lab: RunningLab, workload: dict[str, Any]) -> list[str]:
    """Pods of the workload itself: those of the resource carry its label too."""
    (label,) = (f"{k}={v}" for k, v in workload["spec"]["selector"]["matchLabels"].items())
    chosen = f"{label},breakeven.dev/resource!={workload['metadata']['name']}"
    return lab.kubectl("get", "pods", "-n", NAMESPACE, "-l", chosen, "-o", "name").stdout.split()


def test_old_replicas_give_way_one_at_a_time_and_no_request_fails(cluster: Cluster, tmp_path: Path) -> None:
    lab = cluster.lab
    lab.kubectl("apply", "-f", "-", input=yaml.safe_dump_all(old_deployment()))
    lab.kubectl("rollout", "status", f"deployment/{NAME}", "-n", NAMESPACE, "--timeout=120s")
    cluster.traffic(NAME, "greedy")
    resource = adopted(cluster)
    assert resource["spec"]["service"] == {"enabled": False}
    assert (resource["spec"]["engine"]["port"], resource["spec"]["engine"]["portName"]) == (8080, "api")
    move(cluster, tmp_path, resource, documented_commands(NAME, REPLICAS))
    cluster.wait(NAME, "all replicas serve", lambda s: s.get("readyReplicas") == REPLICAS)
    assert cluster.condition(NAME, "Stalled") == {}
    total = cluster.quiet(NAME)
    assert total["finished"] > 50
    assert total["failed"] == 0, json.dumps(total)


def test_a_draft_is_judged_by_the_pods_own_pages(cluster: Cluster) -> None:
    lab = cluster.lab
    cluster.traffic(NAME, "greedy")
    cluster.patch(NAME, draft=declare(NAME)["spec"]["draft"])
    promoted = cluster.wait(NAME, "promotion", speculating, timeout=420)
    assert "Promote" in actions(promoted)
    fresh = cluster.condition(NAME, "MetricsAvailable")
    assert (fresh["status"], fresh["message"]) == (
        "True",
        "Engine metrics are fresh, read from the pods themselves since this operator began",
    )
    assert cluster.quiet(NAME)["failed"] == 0
    lab.kubectl("delete", "spd", NAME, "-n", NAMESPACE)
    lab.wait_for("the old Service is still there", lambda: lab.kubectl("get", "service", NAME, "-n", NAMESPACE).stdout)
