"""The whole loop on a real control plane: from `kubectl apply` to speculation on, off and on again, and its bad days.

The engines are simulated (and say so on their pages); everything between them and the operator is real.
"""

import json
import re
import time
from collections.abc import Iterator, Mapping
from datetime import datetime

import pytest
from tests.support.loop import NAMESPACE, Cluster, Status, actions, declare, detailed, speculating
from tests.support.pages import PageRecorder

from breakeven.demo.operator import Operator, install
from breakeven.demo.stage import simulated_stage
from breakeven.demo.story import Story
from breakeven.demo.view import View
from breakeven.lab.handle import RunningLab
from breakeven.lab.settings import H200, LabSettings, NodeSettings

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    settings = LabSettings(name="loop", nodes=(NodeSettings(name="h200", product=H200, gpus=8),))
    with RunningLab.start(settings, directory=tmp_path_factory.mktemp("loop") / "lab") as lab:
        install(lab)
        lab.kubectl("create", "namespace", NAMESPACE)
        with Operator(lab) as operator:
            world = Cluster(lab, operator)
            yield world
            for name in list(world.loads):
                world.quiet(name)


def test_the_loop_survives_a_kill_and_an_outage_and_its_figures_are_those_of_the_pods(cluster: Cluster) -> None:
    name = "story"
    patient = declare(name)["spec"]["evidence"] | {"trialTimeout": "100s"}  # the operator is killed in the middle of it
    cluster.apply(declare(name, evidence=patient))
    cluster.wait(name, "replicas serve", lambda s: s.get("readyReplicas", 0) == 3)
    cluster.traffic(name, "greedy")
    recorder = PageRecorder(lambda: cluster.addresses(name))
    try:
        before = cluster.wait(name, "a canary", lambda s: s.get("state") == "Trial")

        # kill -9 in the middle of the canary: it carries on, repeats nothing, forgets nothing.
        cluster.operator.kill()
        assert cluster.status(name)["since"] == before["since"]
        cluster.operator.start()
        promoted = cluster.wait(name, "promotion", speculating)
        assert actions(promoted).count("StartTrial") == 1, promoted["history"]
        assert actions(promoted).count("Promote") == 1

        _figures_equal_the_pages(cluster, name, promoted, recorder)
    finally:
        recorder.close()

    # Prometheus goes away: Hold, no toggle, a condition that says so; and it is over when Prometheus is back.
    decided = actions(cluster.status(name))
    cluster.lab.stop_prometheus()
    cluster.lab.wait_for(
        "MetricsAvailable=False", lambda: cluster.condition(name, "MetricsAvailable").get("status") == "False"
    )
    cluster.traffic(name, "sampled")
    time.sleep(40)  # longer than the two windows that would have switched it off
    held = cluster.status(name)
    assert held["state"] == "Speculating"
    assert actions(held) == decided
    cluster.lab.start_prometheus()
    cluster.lab.wait_for(
        "MetricsAvailable=True", lambda: cluster.condition(name, "MetricsAvailable").get("status") == "True"
    )

    # The traffic at temperature 1.0 is under break-even: off, and `kubectl describe` says why, with figures.
    off = cluster.wait(name, "speculation off", lambda s: s.get("state") in ("Cooldown", "Baseline"))
    assert actions(off)[-1] == "Disable"
    described = cluster.lab.kubectl("describe", "spd", name, "-n", NAMESPACE).stdout
    since, why = described.partition("Conditions:")[2].splitlines()[1:3]
    assert "Last Transition Time:" in since
    assert re.search(r"Message: +Switched off: \d+ % slower with the draft .*Accepted \d+ %, needs \d+ %\.", why)
    assert re.search(r"Next try [0-9:]+ UTC\.", why)
    assert re.search(r"Warning +Disable .*Switched off: ", described)
    shown = cluster.lab.kubectl("get", "spd", name, "-n", NAMESPACE).stdout
    assert shown.split()[:7] == ["NAME", "READY", "STATE", "SPEEDUP", "REASON", "MESSAGE", "AGE"]
    assert "Switched off: " in shown

    cluster.traffic(name, "greedy")
    again = cluster.wait(name, "speculation again", speculating)
    assert actions(again).count("Promote") == 2
    cluster.quiet(name)
    cluster.lab.kubectl("delete", "spd", name, "-n", NAMESPACE, "--wait=false")
    cluster.lab.wait_for("its objects are collected", lambda: not cluster.pods(name), timeout=90)


def _figures_equal_the_pages(cluster: Cluster, name: str, status: Status, recorder: PageRecorder) -> None:
    evidence = detailed(status)["evidence"]
    end = datetime.fromisoformat(evidence["windowEnd"]).timestamp()
    window = 15.0
    on_name, off_name = _variants(status)
    on = _sum(recorder, cluster, f"{name}-{on_name}", end - window, end)
    off = _sum(recorder, cluster, f"{name}-{off_name}", end - window, end)
    assert on["accepted"] / on["drafted"] == pytest.approx(float(evidence["acceptance"]), rel=0.1)
    assert _tpot_ms(on) == pytest.approx(float(evidence["tpotOnMs"]), rel=0.1)
    assert _tpot_ms(off) == pytest.approx(float(evidence["tpotOffMs"]), rel=0.1)
    assert _tpot_ms(off) / _tpot_ms(on) == pytest.approx(float(evidence["speedup"]), rel=0.15)


def _variants(status: Status) -> tuple[str, str]:
    on = next(v["name"] for v in detailed(status)["variants"] if v["speculation"] != "off")
    off = next(v["name"] for v in detailed(status)["variants"] if v["speculation"] == "off")
    return on, off


def _sum(recorder: PageRecorder, cluster: Cluster, prefix: str, start: float, end: float) -> dict[str, float]:
    total: dict[str, float] = {}
    for pod in cluster.addresses("story"):
        if pod.startswith(prefix):
            for key, value in recorder.increase(pod, start, end).items():
                total[key] = total.get(key, 0.0) + value
    return total


def _tpot_ms(totals: Mapping[str, float]) -> float:
    return 1000 * totals["step_seconds"] / (totals["generated"] - totals["first_tokens"])


def test_one_replica_without_a_spare_gpu_is_reported_and_not_stopped(cluster: Cluster) -> None:
    name = "single"
    fixed = {"acceptance": {"floor": "0.5"}}
    cluster.apply(declare(name, replicas=1, thresholds=fixed, policy={"mode": "AlwaysOn"}))
    cluster.wait(name, "speculation pinned on", lambda s: speculating(s) or s.get("readyReplicas") == 1)
    pod = cluster.pods(name)[0]["metadata"]["name"]
    cluster.traffic(name, "sampled")
    cluster.apply(declare(name, replicas=1, thresholds=fixed, policy={"mode": "Auto"}))

    blocked = cluster.lab.wait_for(
        "CapacityAvailable=False",
        lambda: (c := cluster.condition(name, "CapacityAvailable")).get("status") == "False" and c,
        timeout=180,
    )
    assert "surge" in blocked["message"] or "allowDowntime" in blocked["message"]
    assert [p["metadata"]["name"] for p in cluster.pods(name)] == [pod]
    cluster.quiet(name)
    cluster.lab.kubectl("delete", "spd", name, "-n", NAMESPACE)


def test_what_the_engine_cannot_do_ends_in_a_condition_without_pods(cluster: Cluster) -> None:
    name = "refused"
    cluster.apply(declare(name, engine={"image": "vllm/vllm-openai:v0.12.0"}))
    stalled = cluster.lab.wait_for(
        "Stalled=True", lambda: (c := cluster.condition(name, "Stalled")).get("status") == "True" and c
    )
    assert "spec.draft.method" in stalled["message"] or "draft.method" in stalled["message"]
    assert "0.15" in stalled["message"]
    assert cluster.pods(name) == []
    cluster.lab.kubectl("delete", "spd", name, "-n", NAMESPACE)


def test_a_draft_that_answers_wrongly_is_refused_before_its_engine_answered_20_prompts(cluster: Cluster) -> None:
    stage = simulated_stage()
    assert stage.unverified is not None
    name = stage.unverified["metadata"]["name"]
    with Story(stage, cluster.lab, View("answers")) as story:
        story.operator = cluster.operator
        count = story.refuse(stage.unverified)  # as the demo tells it, with a user's request each second
    assert 8 <= count < 20
    lossless = cluster.condition(name, "Lossless")
    assert (lossless["status"], lossless["reason"]) == ("False", "AnswersDiffer")
    assert "greedy prompts are answered differently with the draft" in lossless["message"]
    assert "EndTrial" in cluster.events(name)
    cluster.delete(name)


def test_advise_serves_what_is_declared_and_only_records_what_it_would_do(cluster: Cluster) -> None:
    name = "advised"
    cluster.apply(declare(name, replicas=2, policy={"mode": "Advise"}))
    cluster.wait(name, "replicas serve", lambda s: s.get("readyReplicas", 0) == 2)
    pods = sorted(cluster.addresses(name))
    assert any("--speculative-config" in json.dumps(p["spec"]) for p in cluster.pods(name))
    cluster.traffic(name, "sampled")
    advised = cluster.wait(name, "what it would do", lambda s: "WouldDisable" in actions(s))
    assert sorted(cluster.addresses(name)) == pods
    assert advised["state"] == "Speculating"
    cluster.quiet(name)
    cluster.lab.kubectl("delete", "spd", name, "-n", NAMESPACE)


def test_drift_is_repaired_and_a_steady_resource_is_not_written(cluster: Cluster) -> None:
    name = "plain"
    resource = declare(name, replicas=1)
    del resource["spec"]["draft"]
    cluster.apply(resource)
    cluster.wait(name, "the replica serves", lambda s: s.get("readyReplicas", 0) == 1)
    deployment = cluster.lab.kubectl(
        "get", "deployments", "-n", NAMESPACE, "-l", f"app.kubernetes.io/instance={name}", "-o", "name"
    ).stdout.strip()
    cluster.lab.kubectl("scale", "-n", NAMESPACE, deployment, "--replicas=0")
    cluster.lab.wait_for(
        "the Deployment is scaled back",
        lambda: (
            cluster.lab.kubectl("get", "-n", NAMESPACE, deployment, "-o", "jsonpath={.spec.replicas}").stdout == "1"
        ),
    )
    cluster.wait(name, "the replica serves again", lambda s: s.get("readyReplicas", 0) == 1)
    cluster.lab.kubectl("wait", f"spd/{name}", "-n", NAMESPACE, "--for=condition=Ready", "--timeout=30s")

    def versions() -> list[str]:
        kinds = ("spd", "deployments", "services")
        return [
            cluster.lab.kubectl(
                "get", kind, "-n", NAMESPACE, "-o", "jsonpath={.items[*].metadata.resourceVersion}"
            ).stdout
            for kind in kinds
        ]

    time.sleep(5)
    seen = versions()
    time.sleep(20)
    assert versions() == seen
    cluster.lab.kubectl("delete", "spd", name, "-n", NAMESPACE)
