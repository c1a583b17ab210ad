"""Warm replicas on a real control plane: both variants in each pod, HAProxy in front, switched under load."""

import json
import time
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.loop import NAMESPACE, Cluster, Status, actions, detailed

from breakeven.demo.operator import Operator, install
from breakeven.demo.stage import warm_stage
from breakeven.lab.handle import RunningLab
from breakeven.lab.settings import H200, NodeSettings

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]
STAGE = warm_stage()
TWENTY_TURNS_S = STAGE.quiet_s
"""A sudden loss is told by twenty turns before it."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    node = NodeSettings(name="h200", product=H200, gpus=8)
    settings = STAGE.lab.model_copy(update={"name": "warm", "nodes": (node,)})
    with RunningLab.start(settings, directory=tmp_path_factory.mktemp("warm") / "lab") as lab:
        install(lab)
        lab.kubectl("create", "namespace", NAMESPACE)
        with Operator(lab) as operator:
            world = Cluster(lab, operator)
            yield world
            for name in list(world.loads):
                world.quiet(name)


def warm(name: str, replicas: int) -> dict[str, Any]:
    """The resource of `make demo MODE=warm` under another name."""
    resource = deepcopy(STAGE.resource)
    resource["metadata"]["name"] = name
    resource["spec"]["replicas"] = replicas
    return resource


def traffic(cluster: Cluster, profile: str, replicas: int) -> Path:
    """Its traffic, so much for each replica."""
    made = yaml.safe_load(Path(profile).read_text())
    for phase in made["phases"]:
        phase["rate"] *= replicas
    path = cluster.lab.directory / f"{replicas}-{Path(profile).name}"
    path.write_text(yaml.safe_dump(made))
    return path


def resident(replicas: int) -> Any:
    def reached(status: Status) -> bool:
        held = [c for c in status.get("conditions", []) if c["type"] == "WarmSwitching"]
        return bool(held) and held[0]["status"] == "True" and status.get("readyReplicas") == replicas

    return reached


def awake(status: Status, *, speculating: bool) -> int:
    """Replicas in which a variant that speculates is awake, or one that does not."""
    variants = detailed(status).get("variants", [])
    return sum(v.get("awake") or 0 for v in variants if bool(v.get("speculates")) is speculating)


def uids(cluster: Cluster, name: str) -> set[str]:
    return {p["metadata"]["uid"] for p in cluster.pods(name)}


def restarts(pods: list[Mapping[str, Any]]) -> int:
    return sum(c["restartCount"] for p in pods for c in p["status"].get("containerStatuses", []))


@pytest.mark.parametrize("replicas", [1, 3])
def test_trial_promotion_and_switch_off_move_no_pod_and_fail_no_request(cluster: Cluster, replicas: int) -> None:
    name = f"warm-{replicas}"
    cluster.apply(warm(name, replicas))
    cluster.wait(name, "both variants in every replica", resident(replicas), timeout=180)
    pods = uids(cluster, name)
    cluster.traffic(name, traffic(cluster, STAGE.predictable, replicas))
    cluster.wait(name, "a trial", lambda s: s.get("state") == "Trial", timeout=240)
    if replicas == 1:
        cluster.operator.kill()  # in the middle of the alternation: nothing is lost
        cluster.operator.start()
    on = cluster.wait(
        name,
        "speculation everywhere",
        lambda s: s.get("state") == "Speculating" and awake(s, speculating=True) >= replicas - 1,
        timeout=400,
    )
    assert actions(on).count("Promote") == 1
    time.sleep(TWENTY_TURNS_S)
    summaries = [cluster.quiet(name)]
    cluster.traffic(name, traffic(cluster, STAGE.creative, replicas))
    off = cluster.wait(name, "speculation off", lambda s: s.get("state") in ("Cooldown", "Baseline"), timeout=300)
    assert actions(off)[-1] == "Disable"
    time.sleep(15)
    assert uids(cluster, name) == pods
    assert restarts(cluster.pods(name)) == 0
    for summary in (*summaries, cluster.quiet(name)):
        assert summary["failed"] == 0, json.dumps(summary)
        assert summary["finished"] > 50
    cluster.delete(name)
