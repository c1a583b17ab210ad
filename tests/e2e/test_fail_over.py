"""A leader that is killed is followed by its standby, which writes within 15 s."""

import time
from collections.abc import Iterator

import pytest
from tests.support.loop import NAMESPACE, Cluster, declare

from breakeven.demo.operator import Operator, install
from breakeven.lab.handle import RunningLab
from breakeven.lab.settings import H200, LabSettings, NodeSettings

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]
NAME = "followed"


@pytest.fixture
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    settings = LabSettings(name="fail-over", nodes=(NodeSettings(name="h200", product=H200, gpus=8),))
    with RunningLab.start(settings, directory=tmp_path_factory.mktemp("fail-over") / "lab") as lab:
        install(lab)
        lab.kubectl("create", "namespace", NAMESPACE)
        yield lab


def test_from_the_kill_of_the_leader_to_the_next_write_it_takes_less_than_15_s(lab: RunningLab) -> None:
    with Operator(lab) as leader:
        cluster = Cluster(lab, leader)
        cluster.apply(declare(NAME, replicas=1, policy={"mode": "AlwaysOff"}))
        cluster.wait(NAME, "a replica serves", lambda s: s.get("readyReplicas") == 1)
        with Operator(lab) as standby:
            lab.wait_for("the standby to be ready", lambda: bool(standby.series("breakeven_resources")))
            leader.kill()
            killed = time.monotonic()
            cluster.patch(NAME, replicas=2)
            cluster.wait(NAME, "the new generation", lambda s: s.get("observedGeneration") == 2, timeout=60)
            took = time.monotonic() - killed
            assert took < 15, f"the next write came {took:.1f} s after the kill"
            print(f"fail-over: {took:.1f} s")
