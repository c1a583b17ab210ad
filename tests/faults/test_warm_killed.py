"""SIGKILL of any process that takes part at each step of a warm switch, while clients ask all the time.

A running operator orders the switch on a real control plane. The engines are simulated and take a second to fall asleep
and to wake. What may be lost are requests that the killed process itself was answering or passing on, and nothing else.
"""

import json
import os
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.loop import NAMESPACE, Cluster, detailed

from breakeven.demo.operator import Operator, install
from breakeven.demo.stage import warm_stage
from breakeven.lab.handle import RunningLab
from breakeven.lab.reap import POD_VARIABLE
from breakeven.lab.settings import H200, NodeSettings

pytestmark = [pytest.mark.lab, pytest.mark.faults, pytest.mark.timeout(900)]
STAGE = warm_stage()
NAME, REPLICAS = "killed", 2
PHASES = ("drain", "sleep", "wake", "smoke")
UNDER_WAY = 24
"""Four requests a second over two replicas, each of some seconds, and those that were held for the switch."""
VICTIMS = ("operator", "engine that wakes", "engine that falls asleep", "proxy", "supervisor")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    node = NodeSettings(name="h200", product=H200, gpus=8)
    settings = STAGE.lab.model_copy(update={"name": "warm-killed", "nodes": (node,)})
    with RunningLab.start(settings, directory=tmp_path_factory.mktemp("killed") / "lab") as lab:
        install(lab)
        lab.kubectl("create", "namespace", NAMESPACE)
        with Operator(lab) as operator:
            world = Cluster(lab, operator)
            resource = deepcopy(STAGE.resource)
            resource["metadata"]["name"] = NAME
            resource["spec"] |= {"replicas": REPLICAS}
            resource["spec"]["policy"] |= {"mode": "AlwaysOff", "holdback": {"mode": "Never"}}
            for variable in resource["spec"]["engine"]["env"]:
                variable["value"] = "1"  # slow enough to be hit in each phase
            world.apply(resource)
            world.wait(NAME, "both variants everywhere", lambda s: awake(s, False) == REPLICAS, timeout=180)
            yield world


def profile(cluster: Cluster) -> Path:
    """Answers of some seconds, so that there is always one to wait for."""
    made = yaml.safe_load(Path(STAGE.predictable).read_text())
    for phase in made["phases"]:
        for mix in phase["mix"]:
            mix["output"] = {"median": 150, "spread": 0.2}
    path = cluster.lab.directory / "long-answers.yaml"
    path.write_text(yaml.safe_dump(made))
    return path


def awake(status: Any, speculates: bool) -> int:
    """Replicas in which such a variant is awake."""
    variants = detailed(status).get("variants", [])
    return sum(v.get("awake") or 0 for v in variants if bool(v.get("speculates")) is speculates)


def page(address: str) -> dict[str, Any]:
    """The supervisor's; empty while it does not answer."""
    try:
        with urllib.request.urlopen(f"http://{address}:8001/state", timeout=2) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
    except (OSError, ValueError):
        return {}


def processes(uid: str) -> dict[int, list[str]]:
    """Command lines of a pod's processes by number."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and f"{POD_VARIABLE}={uid}/".encode() in (entry / "environ").read_bytes():
                found[int(entry.name)] = (entry / "cmdline").read_text().split("\0")
        except OSError:
            continue
    return found


def kill(cluster: Cluster, victim: str, uid: str, *, to_speculation: bool) -> None:
    """SIGKILL one process of a pod, or the operator, which then begins anew as its Deployment would have it."""
    if victim == "operator":
        cluster.operator.kill()
        cluster.operator.start()
        return
    running = processes(uid)
    engines = {pid: "--speculative-config" in " ".join(words) for pid, words in running.items() if "serve" in words}
    (pid,) = {
        "engine that wakes": [pid for pid, drafts in engines.items() if drafts is to_speculation],
        "engine that falls asleep": [pid for pid, drafts in engines.items() if drafts is not to_speculation],
        "proxy": [pid for pid, words in running.items() if words[0].endswith("haproxy")],
        "supervisor": [pid for pid, words in running.items() if words[1:3] == ["-m", "warm"]],
    }[victim]
    os.kill(pid, signal.SIGKILL)


def caught(cluster: Cluster, phase: str) -> str:
    """The pod that is in this phase of a switch."""
    pods = {p["metadata"]["uid"]: p["status"]["podIP"] for p in cluster.pods(NAME)}
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for uid, address in pods.items():
            if (page(address).get("switching") or {}).get("phase") == phase:
                return uid
    raise AssertionError(f"no switch was seen in its phase {phase}")


def lost(cluster: Cluster, victim: str, phase: str, *, to_speculation: bool) -> tuple[int, int, float]:
    """Requests lost, of how many, and seconds until every replica serves with what is wanted."""
    cluster.traffic(NAME, profile(cluster))
    time.sleep(5)
    cluster.patch(NAME, policy={"mode": "AlwaysOn" if to_speculation else "AlwaysOff"})
    uid = caught(cluster, phase)
    kill(cluster, victim, uid, to_speculation=to_speculation)
    began = time.monotonic()
    cluster.wait(
        NAME,
        f"what is wanted is awake everywhere after the {victim} was killed in its phase {phase}",
        lambda s: awake(s, to_speculation) == s.get("readyReplicas") == REPLICAS,
        timeout=180,
    )
    took = time.monotonic() - began
    time.sleep(2)
    summary = cluster.quiet(NAME)
    return summary["failed"], summary["finished"] + summary["failed"], took


def anew(cluster: Cluster) -> None:
    """Begin with replicas in which nothing died yet."""
    cluster.lab.kubectl("delete", "pods", "-n", NAMESPACE, "--all", "--grace-period=1")
    cluster.wait(NAME, "fresh replicas", lambda s: awake(s, True) + awake(s, False) == REPLICAS, timeout=180)
    cluster.wait(NAME, "ready replicas", lambda s: s.get("readyReplicas") == REPLICAS, timeout=180)


def at_most(victim: str, phase: str) -> int:
    """How many requests may be lost: those that the killed process was answering or passing on.

    Everything of the pod goes through its proxy, and the engines end with their supervisor; what comes to the pod until
    the Service sends it elsewhere is lost with either, as with a plain pod that dies.
    """
    passes_on = victim in ("proxy", "supervisor")
    return UNDER_WAY if passes_on or (victim, phase) == ("engine that falls asleep", "drain") else 0


@pytest.mark.parametrize("victim", VICTIMS)
def test_a_switch_is_carried_to_its_end_whoever_is_killed(
    cluster: Cluster, victim: str, fault: Callable[..., None]
) -> None:
    anew(cluster)  # an engine that dies four times within the hour is not loaded again
    for phase in PHASES:
        to_speculation = awake(cluster.status(NAME), True) == 0
        failed, asked, took = lost(cluster, victim, phase, to_speculation=to_speculation)
        assert failed <= at_most(victim, phase)
        fault(f"SIGKILL of the {victim} in a warm switch, phase {phase}", f"{failed} of {asked} requests lost", took)
