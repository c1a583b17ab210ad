"""What goes wrong on ordinary days, on a real control plane: many small resources at once, each with its own trouble.

All scenarios run side by side in one lab, since most of their time is waiting; each test then asks for the outcome of
one. The last tests take away what all resources share. The engines are simulated and say so on their pages.
"""

import copy
import json
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.loop import (
    NAMESPACE,
    Cluster,
    actions,
    condition,
    declare,
    detailed,
    reasons,
    remembered,
    settled,
    speculating,
)

from breakeven.demo.operator import Operator, install
from breakeven.lab.handle import RunningLab
from breakeven.lab.settings import H200, LabSettings, NodeSettings

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]
SPD = "speculativedeployments.breakeven.dev"
Scenario = Callable[[Cluster], None]
SCENARIOS: dict[str, Scenario] = {}
AT_ONCE = 6
"""Scenarios side by side; with more, two cores are so busy with starting processes that samples come late."""


def scenario(run: Scenario) -> Scenario:
    """Have it run beside the others."""
    SCENARIOS[run.__name__] = run
    return run


def small(name: str, **changes: Any) -> dict[str, Any]:
    """Two replicas, and no control that a single replica would rule out."""
    resource = declare(name, **({"replicas": 2} | changes))
    if "evidence" not in changes:  # 500 requests of each arm would take longer, so a promotion does not wait for tails
        resource["spec"]["evidence"]["trialTimeout"] = "4m"
    policy: dict[str, Any] = declare("any")["spec"]["policy"] | {"holdback": {"mode": "Auto"}}
    resource["spec"]["policy"] = policy | changes.get("policy", {})
    resource["spec"]["engine"] = changes.get("engine", engine())
    return resource


def engine(**knobs: str) -> dict[str, Any]:
    """The demo's engine, with settings of the simulation."""
    env = [{"name": f"BREAKEVEN_SIM_{name.upper()}", "value": value} for name, value in knobs.items()]
    made: dict[str, Any] = declare("any")["spec"]["engine"] | {"env": env, "startupTimeout": "90s"}
    return made


def steady(cluster: Cluster, *temperatures: float) -> Path:
    """A load profile that costs little: three requests a second, not streamed, evenly of each temperature."""
    path = cluster.lab.directory / f"steady-{'-'.join(map(str, temperatures))}.yaml"
    one = {"stream": False, "prompt": {"median": 200}, "output": {"median": 120}}
    mix = [one | {"name": f"at {t}", "temperature": t} for t in temperatures]
    path.write_text(yaml.safe_dump({"repeat": True, "phases": [{"name": "x", "duration": 60, "rate": 3, "mix": mix}]}))
    return path


def annotate(cluster: Cluster, name: str, command: str) -> None:
    cluster.lab.kubectl("annotate", "spd", name, "-n", NAMESPACE, f"breakeven.dev/command={command}", "--overwrite")


def _patch_status(cluster: Cluster, name: str, **changes: Any) -> None:
    patch = json.dumps({"status": changes})
    cluster.lab.kubectl("patch", "spd", name, "-n", NAMESPACE, "--subresource=status", "--type=merge", "-p", patch)


def on_trial(status: Mapping[str, Any]) -> bool:
    return status.get("state") == "Trial" and settled(status)


@scenario
def worse_than_before(cluster: Cluster) -> None:
    """A verified deployment is changed for the worse: measured against the last good one, and rolled back to it."""
    name = "worse"
    cluster.apply(small(name))
    cluster.wait(name, "a replica", lambda s: s.get("readyReplicas"))
    cluster.traffic(name, steady(cluster, 0.0))
    good = cluster.wait(name, "speculation promoted", speculating)
    cluster.patch(name, engine=engine(draft_step_factor="4"))
    back = cluster.wait(name, "the rollback", lambda s: "RollBack" in actions(s))
    assert reasons(back)[actions(back).index("RollBack")] == "BelowBreakEven"
    assert remembered(back)["stable"] == remembered(good)["stable"] == remembered(back)["lastGood"]["variant"]
    assert condition(back, "SpeculationActive")["reason"] == "TrialFailed"
    assert "spec.engine.env" in detailed(cluster.status(name))["decisions"][1]["message"]
    cluster.wait(name, "the good one serves", speculating)
    cluster.patch(name, engine={"env": None})
    newer = cluster.wait(
        name, "the newer generation", lambda s: remembered(s).get("generation") == 3 and speculating(s)
    )
    assert remembered(newer)["stable"] == remembered(good)["stable"]
    assert condition(newer, "SpeculationActive")["status"] == "True"


@scenario
def restarted_by_the_user(cluster: Cluster) -> None:
    """Pods are deleted and a Deployment is restarted by hand while speculation serves: no decision follows from it."""
    name = "restarted"
    cluster.apply(declare(name, replicas=3, engine=engine()))
    cluster.wait(name, "a replica", lambda s: s.get("readyReplicas"))
    cluster.traffic(name, steady(cluster, 0.0))
    before = cluster.wait(name, "speculation promoted", speculating)
    pods = sorted(cluster.addresses(name))
    on = next(v["name"] for v in detailed(before)["variants"] if v["speculation"] != "off")
    cluster.lab.kubectl("rollout", "restart", f"deployment/{name}-{on}", "-n", NAMESPACE)
    kept = next(p for p in pods if on not in p)
    cluster.lab.kubectl("delete", "pod", kept, "-n", NAMESPACE, "--wait=false")
    cluster.lab.wait_for("every pod is new", lambda: not set(pods) & set(cluster.addresses(name)), timeout=150)
    after = cluster.wait(name, "all serve again", speculating)
    assert actions(after) == actions(before)
    summary = cluster.quiet(name)
    assert summary["finished"] > 0
    assert summary["failed"] == 0, "replicas drain before they stop: no request is lost"
    # No traffic now: nothing is judged, nothing is switched, and the status says why.
    held = cluster.wait(name, "a reason to hold", lambda s: s.get("hold"), timeout=60)
    assert held["state"] == "Speculating"
    assert actions(held) == actions(before)


@scenario
def mixed_traffic(cluster: Cluster) -> None:
    """Half of the requests at temperature 0, half at 1: one verdict about the mixture, and no flapping."""
    # Such a mixture is close to break-even: without a shorter limit the verdict may take as long as it is given.
    cluster.apply(small("mixed", evidence=declare("any")["spec"]["evidence"] | {"trialTimeout": "2m"}))
    cluster.wait("mixed", "a replica", lambda s: s.get("readyReplicas"))
    cluster.traffic("mixed", steady(cluster, 0.0, 1.0))
    judged = cluster.wait("mixed", "a verdict", lambda s: {"Promote", "EndTrial"} & set(actions(s)))
    assert 0.15 < float(detailed(judged)["evidence"]["acceptance"]) < 0.6, "between those of the two kinds of requests"
    cluster.stays("mixed", lambda s: [a for a in actions(s) if a in ("Promote", "Disable", "EndTrial")], seconds=20)
    assert cluster.quiet("mixed")["failed"] == 0
    cluster.delete("mixed")


@scenario
def dies_on_first_request(cluster: Cluster) -> None:
    """A canary that is healthy and dies on its first request: the smoke test ends the trial before clients meet it."""
    cluster.apply(small("dies", engine=engine(draft_dies_on_first_request="1")))
    cluster.wait("dies", "the replicas serve", lambda s: s.get("readyReplicas") == 2)
    ended = cluster.wait("dies", "the end of the trial", lambda s: "EndTrial" in actions(s))
    assert reasons(ended)[actions(ended).index("EndTrial")] in ("SmokeTestFailed", "EngineFailing")
    cluster.wait("dies", "two replicas without speculation", lambda s: s.get("readyReplicas") == 2)
    assert "EndTrial" in cluster.events("dies")
    cluster.delete("dies")


@scenario
def canary_crashes(cluster: Cluster) -> None:
    """A canary that ends before it is ready, again and again: what serves goes on, the trial ends with a reason."""
    cluster.apply(small("crashes", engine=engine(draft_fails_at_start="1")))
    began = cluster.wait("crashes", "a trial", lambda s: "StartTrial" in actions(s))
    assert condition(began, "Stalled") == {}
    ended = cluster.wait("crashes", "the end of the trial", lambda s: "EndTrial" in actions(s))
    assert reasons(ended)[actions(ended).index("EndTrial")] == "EngineFailing"
    assert ended["readyReplicas"] >= 1
    cluster.wait("crashes", "two replicas without speculation", lambda s: s.get("readyReplicas") == 2)
    cluster.delete("crashes")


@scenario
def canary_never_ready(cluster: Cluster) -> None:
    """A canary that loads for ever: the trial ends when startupTimeout is over."""
    slow = engine(draft_load_delay="600") | {"startupTimeout": "10s"}
    cluster.apply(small("never", engine=slow))
    ended = cluster.wait("never", "the end of the trial", lambda s: "EndTrial" in actions(s))
    assert reasons(ended)[actions(ended).index("EndTrial")] in ("StartupTimeout", "EngineFailing")
    cluster.wait("never", "two replicas without speculation", lambda s: s.get("readyReplicas") == 2)
    cluster.delete("never")


@scenario
def idle(cluster: Cluster) -> None:
    """No request but the operator's own: nothing is judged, the status says why, and a trial ends undecided."""
    evidence = declare("any")["spec"]["evidence"] | {"window": "30s", "trialTimeout": "40s"}
    cluster.apply(small("idle", evidence=evidence))
    cluster.wait("idle", "a reason to hold", lambda s: on_trial(s) and s.get("hold"))
    ended = cluster.wait("idle", "the end of the trial", lambda s: "EndTrial" in actions(s))
    assert reasons(ended)[actions(ended).index("EndTrial")] == "Undecided"
    assert "Promote" not in actions(ended)
    cluster.delete("idle")


@scenario
def blind(cluster: Cluster) -> None:
    """A Prometheus that the operator may not ask: a condition says which setting is missing, and nothing is tried."""
    cluster.apply(small("blind", metrics={"prometheusURL": "http://127.0.0.1:9"}))
    said = cluster.wait("blind", "no metrics", lambda s: condition(s, "MetricsAvailable").get("status") == "False")
    assert condition(said, "MetricsAvailable")["reason"] == "PrometheusNotAllowed"
    assert "BREAKEVEN_PROMETHEUS_ALLOWED" in condition(said, "MetricsAvailable")["message"]
    served = cluster.wait("blind", "the replicas serve", lambda s: s.get("readyReplicas") == 2)
    assert condition(served, "Ready")["status"] == "True"
    cluster.stays("blind", actions, seconds=10)
    assert actions(cluster.status("blind")) == ["Begin"]
    cluster.delete("blind")


@scenario
def commands(cluster: Cluster) -> None:
    """Annotations are obeyed once; a later change of the spec does not repeat them. Pausing and modes are obeyed."""
    name = "commands"
    cluster.apply(small(name))
    cluster.wait(name, "a trial", lambda s: s.get("state") == "Trial")
    annotate(cluster, name, "abort")
    aborted = cluster.wait(name, "the trial aborted", lambda s: s.get("state") == "Cooldown")
    assert reasons(aborted)[-1] == "Commanded"
    annotate(cluster, name, "retry")
    cluster.wait(name, "a second trial", lambda s: on_trial(s) and actions(s).count("StartTrial") == 2)
    cluster.patch(name, evidence={"trialTimeout": "5m"})
    generation = cluster.resource(name)["metadata"]["generation"]
    seen = cluster.wait(name, "the change seen", lambda s: remembered(s).get("generation") == generation)
    assert actions(seen).count("Retry") == 1, "a command given for an older generation is not repeated"
    cluster.patch(name, policy={"paused": True})
    cluster.wait(name, "Paused", lambda s: condition(s, "Paused").get("status") == "True")
    pods = sorted(cluster.addresses(name))
    cluster.patch(name, policy={"paused": False, "mode": "AlwaysOff"})
    off = cluster.wait(name, "speculation pinned off", lambda s: s.get("state") == "Baseline" and settled(s))
    assert reasons(off)[-1] == "PinnedOff"
    assert len(pods) == 2
    cluster.patch(name, policy={"mode": "AlwaysOn"})
    on = cluster.wait(name, "speculation pinned on", speculating)
    assert reasons(on)[-1] == "PinnedOn"
    cluster.delete(name)


@scenario
def scaled_during_a_trial(cluster: Cluster) -> None:
    """`kubectl scale` during a trial: replicas follow at once, and the trial goes on while it can."""
    name = "scaled"

    def scale(replicas: int) -> None:
        cluster.lab.kubectl("scale", "spd", name, "-n", NAMESPACE, f"--replicas={replicas}")

    cluster.apply(small(name))
    cluster.wait(name, "a trial", on_trial)
    scale(4)
    four = cluster.wait(name, "four replicas", lambda s: s.get("readyReplicas") == 4)
    assert four["state"] == "Trial"
    scale(2)
    two = cluster.wait(name, "two replicas", lambda s: on_trial(s) and s["replicas"] == 2)
    assert actions(two).count("StartTrial") == 1
    scale(1)
    one = cluster.wait(name, "one replica", lambda s: settled(s) and s["replicas"] == 1 and s.get("state") != "Trial")
    assert actions(one)[-1] == "AbandonTrial"
    assert [v["speculation"] for v in detailed(one)["variants"] if v["wanted"]] == ["off"]
    scale(0)
    none = cluster.wait(name, "no replica", lambda s: s.get("replicas") == 0 and s.get("hold"))
    assert condition(none, "Ready")["status"] == "True"
    scale(2)
    cluster.wait(name, "two replicas", lambda s: s.get("readyReplicas") == 2)
    cluster.delete(name)


@scenario
def mistaken(cluster: Cluster) -> None:
    """A combination that the engine version cannot run: what serves stays, Stalled says why, and a fix is enough."""
    name = "mistaken"
    cluster.apply(small(name, replicas=1))
    cluster.wait(name, "a replica", lambda s: s.get("readyReplicas") == 1)
    pods = sorted(cluster.addresses(name))
    good = declare(name)["spec"]["draft"]
    cluster.patch(name, engine={"image": "vllm/vllm-openai:v0.12.0"})
    refused = cluster.wait(name, "Stalled", lambda s: condition(s, "Stalled").get("status") == "True")
    assert "draft.method" in condition(refused, "Stalled")["message"]
    assert sorted(cluster.addresses(name)) == pods
    cluster.patch(name, engine={"image": "vllm/vllm-openai:v0.33.0"}, draft=good)
    fixed = cluster.wait(name, "Stalled gone", lambda s: not condition(s, "Stalled"))
    assert condition(fixed, "Ready")["status"] == "True"
    assert sorted(cluster.addresses(name)) == pods
    cluster.delete(name)


@scenario
def similar_names(cluster: Cluster) -> None:
    """Resources `twin` and `twin-b`: each counts its own pods, and deleting one leaves the other alone."""
    for name in ("twin", "twin-b"):
        cluster.apply(small(name, replicas=1 if name == "twin" else 2, policy={"mode": "AlwaysOff"}))
    cluster.wait("twin", "one replica", lambda s: s.get("readyReplicas") == 1)
    cluster.wait("twin-b", "two replicas", lambda s: s.get("readyReplicas") == 2)
    pods = sorted(cluster.addresses("twin-b"))
    cluster.delete("twin")
    cluster.lab.wait_for("the pods of twin are gone", lambda: not cluster.pods("twin"), timeout=120)
    assert sorted(cluster.addresses("twin-b")) == pods
    assert cluster.status("twin-b")["readyReplicas"] == 2
    cluster.delete("twin-b")


@scenario
def deleted_and_made_again(cluster: Cluster) -> None:
    """Deleted in the middle of a trial and applied again at once: the new one begins anew, the old objects go."""
    name = "again"
    cluster.apply(small(name))
    cluster.wait(name, "a trial", lambda s: s.get("state") == "Trial")
    old = cluster.resource(name)["metadata"]["uid"]
    cluster.lab.kubectl("delete", "spd", name, "-n", NAMESPACE)
    cluster.apply(small(name, policy={"mode": "AlwaysOff"}))
    new = cluster.resource(name)["metadata"]["uid"]
    assert new != old
    cluster.wait(name, "two replicas", lambda s: s.get("readyReplicas") == 2 and settled(s))

    def owners() -> set[str]:
        path = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments?labelSelector=app.kubernetes.io%2Finstance%3D{name}"
        return {r["uid"] for d in cluster.get(path)["items"] for r in d["metadata"].get("ownerReferences", [])}

    cluster.lab.wait_for("only objects of the new one", lambda: owners() == {new})
    cluster.delete(name)
    cluster.lab.wait_for("its pods are gone", lambda: not cluster.pods(name), timeout=120)


@scenario
def foreign_service(cluster: Cluster) -> None:
    """A Service of that name that somebody else made is left alone, and the resource says so."""
    name = "taken"
    mine = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"team": "search"}},
        "spec": {"selector": {"app": "search"}, "ports": [{"name": "http", "port": 80}]},
    }
    cluster.apply(mine)
    cluster.apply(small(name, replicas=1))
    said = cluster.wait(name, "Stalled", lambda s: condition(s, "Stalled").get("status") == "True")
    assert name in condition(said, "Stalled")["message"]
    service = cluster.get(f"/api/v1/namespaces/{NAMESPACE}/services/{name}")
    assert service["spec"]["selector"] == {"app": "search"}
    assert "ownerReferences" not in service["metadata"]
    cluster.lab.kubectl("delete", "service", name, "-n", NAMESPACE)
    cluster.wait(name, "it serves", lambda s: s.get("readyReplicas") == 1 and not condition(s, "Stalled"))
    cluster.delete(name)


@scenario
def status_of_a_newer_release(cluster: Cluster) -> None:
    """A status that this release cannot read: nothing is done, a condition says so, and nothing of it is lost."""
    name = "newer"
    cluster.apply(small(name, replicas=1))
    cluster.wait(name, "a replica", lambda s: s.get("readyReplicas") == 1 and remembered(s).get("stable"))
    pods = sorted(cluster.addresses(name))
    memory = dict(remembered(cluster.status(name)))
    strange = json.dumps(memory | {"stable": memory["stable"] | {"ofANewerRelease": 1}})
    _patch_status(cluster, name, memory=strange)
    said = cluster.wait(name, "Stalled", lambda s: condition(s, "Stalled").get("status") == "True")
    assert "ofANewerRelease" in condition(said, "Stalled")["message"]
    assert said["memory"] == strange
    assert sorted(cluster.addresses(name)) == pods
    _patch_status(cluster, name, memory=json.dumps(memory))
    cluster.wait(name, "Stalled gone", lambda s: remembered(s).get("stable") and not condition(s, "Stalled"))
    assert sorted(cluster.addresses(name)) == pods
    cluster.delete(name)


@scenario
def copied_by_somebody(cluster: Cluster) -> None:
    """A Deployment is copied with labels and owner reference: nothing is scaled or deleted, and the copy is named."""
    name, copied = "copied", "copied-elsewhere"
    cluster.apply(small(name, replicas=1, policy={"mode": "AlwaysOff"}))
    cluster.wait(name, "a replica", lambda s: s.get("readyReplicas") == 1 and settled(s))
    listed = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
    label = urllib.parse.quote(f"breakeven.dev/resource={name}")
    own = cluster.get(f"{listed}?labelSelector={label}")["items"][0]
    meta = {key: own["metadata"][key] for key in ("namespace", "labels", "ownerReferences")}
    made = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta | {"name": copied}, "spec": own["spec"]}
    cluster.apply(made)
    said = cluster.wait(name, "the copy named", lambda s: condition(s, "ForeignObjects"))
    assert f"Deployment {copied}" in condition(said, "ForeignObjects")["message"]
    cluster.stays(name, lambda s: (s["replicas"], s["readyReplicas"]), 15)
    assert cluster.get(f"{listed}/{own['metadata']['name']}")["metadata"]["generation"] == own["metadata"]["generation"]
    assert cluster.get(f"{listed}/{copied}")["metadata"]["generation"] == 1
    cluster.lab.kubectl("delete", "deployment", copied, "-n", NAMESPACE, "--wait=false")
    cluster.wait(
        name, "no foreign object", lambda s: remembered(s).get("stable") and not condition(s, "ForeignObjects")
    )
    cluster.delete(name)


@scenario
def pod_that_never_stops(cluster: Cluster) -> None:
    """A pod terminates for ever, as on a dead node: a switch goes on without it, and Stalled names it."""
    name, finalizers = "never-stops", "/metadata/finalizers"
    cluster.apply(small(name, policy={"mode": "AlwaysOff"}))
    cluster.wait(name, "replicas", lambda s: s.get("readyReplicas") == 2 and settled(s))
    pod = sorted(cluster.addresses(name))[0]
    hold = json.dumps([{"op": "add", "path": finalizers, "value": ["example.com/dead-node"]}])
    cluster.lab.kubectl("patch", "pod", pod, "-n", NAMESPACE, "--type=json", "-p", hold)
    cluster.lab.kubectl("delete", "pod", pod, "-n", NAMESPACE, "--grace-period=1", "--wait=false")
    cluster.patch(name, policy={"mode": "AlwaysOn"})
    on = cluster.wait(name, "speculation on every replica", speculating, timeout=400)
    assert condition(on, "Stalled")["reason"] == "PodNotStopping"
    assert pod in condition(on, "Stalled")["message"]
    release = json.dumps([{"op": "remove", "path": finalizers}])
    cluster.lab.kubectl("patch", "pod", pod, "-n", NAMESPACE, "--type=json", "-p", release)
    cluster.wait(name, "Stalled gone", lambda s: remembered(s).get("stable") and not condition(s, "Stalled"))
    cluster.delete(name)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    settings = LabSettings(
        name="bad-days",
        nodes=(NodeSettings(name="h200", product=H200, gpus=40),),
        scrape_interval_seconds=2.0,
        backoff_seconds=0.5,
        backoff_limit_seconds=2.0,
    )
    with RunningLab.start(settings, directory=tmp_path_factory.mktemp("bad-days") / "lab") as lab:
        install(lab)
        lab.kubectl("create", "namespace", NAMESPACE)
        with Operator(lab, interval_s=2.0) as operator:
            world = Cluster(lab, operator)
            yield world
            for name in list(world.loads):
                world.quiet(name)


@pytest.fixture(scope="module")
def outcomes(cluster: Cluster) -> Iterator[Mapping[str, Future[None]]]:
    """Every scenario, under way since the first test."""
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        yield {name: pool.submit(run, cluster) for name, run in SCENARIOS.items()}
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("name", SCENARIOS)
def test_bad_day(outcomes: Mapping[str, Future[None]], name: str) -> None:
    outcomes[name].result(timeout=500)


def test_the_api_server_is_away_while_speculation_serves(
    cluster: Cluster, outcomes: Mapping[str, Future[None]]
) -> None:
    for outcome in outcomes.values():
        outcome.exception(timeout=500)
    outcomes["worse_than_before"].result()
    name = "worse"
    # Windows of 15 s scatter in load, and one that leaves the measured bands asks for the control again.
    cluster.wait(name, "the rollback verified", lambda s: "VerifyRollback" in actions(s)[-2:] and settled(s))
    lost = cluster.quiet(name)["failed"]
    assert lost == 0, "requests fail neither while replicas switch nor while a canary is taken back"
    before = cluster.status(name)
    pods = sorted(cluster.addresses(name))
    cluster.lab.stop_apiserver()
    time.sleep(15)  # as long as the operator's lease, and longer than it may write without renewing it
    cluster.lab.start_apiserver()
    cluster.lab.wait_for("the API server answers", lambda: cluster.status(name))
    if cluster.operator.pid is None:
        cluster.operator.start()  # it lost its lease and ended; its Deployment would start it again
    # It works again: a change is carried out.
    cluster.patch(name, replicas=3)
    after = cluster.wait(name, "a third replica", lambda s: s.get("readyReplicas") == 3)
    known = len(actions(before))
    assert actions(after)[:known] == actions(before), "nothing was lost"
    # The traffic ended above, so the load may have left the measured bands: that asks for a live control.
    added = list(zip(actions(after), reasons(after), strict=True))[known:]
    assert added in ([], [("KeepControl", "LoadNotMeasured")]), "nothing was repeated"
    assert after["since"] == before["since"]
    assert set(pods) <= set(cluster.addresses(name))


def test_a_missing_right_is_said_and_is_no_crash_loop(cluster: Cluster, outcomes: Mapping[str, Future[None]]) -> None:
    for outcome in outcomes.values():
        outcome.exception(timeout=500)
    name = "forbidden"
    allowed = json.loads(cluster.lab.kubectl("get", "clusterrole", "breakeven", "-o", "json").stdout)
    role = copy.deepcopy(allowed)
    for rule in role["rules"]:
        if "deployments" in rule["resources"]:
            rule["verbs"] = ["get", "list", "watch"]
    for body in (role, allowed):
        body["metadata"].pop("resourceVersion")
    cluster.lab.kubectl("replace", "-f", "-", input=json.dumps(role))
    cluster.apply(small(name, replicas=1))
    said = cluster.wait(name, "Stalled", lambda s: condition(s, "Stalled").get("status") == "True", timeout=60)
    assert "deployments" in condition(said, "Stalled")["message"]
    assert cluster.operator.pid is not None
    cluster.lab.kubectl("replace", "-f", "-", input=json.dumps(allowed))
    cluster.wait(name, "it serves", lambda s: s.get("readyReplicas") == 1 and not condition(s, "Stalled"), timeout=120)
    cluster.delete(name)


def test_a_pod_monitor_is_made_kept_and_taken_away_where_the_kind_exists(
    cluster: Cluster, outcomes: Mapping[str, Future[None]]
) -> None:
    for outcome in outcomes.values():
        outcome.exception(timeout=500)
    name, lab = "watched", cluster.lab
    cluster.operator.stop()
    lab.kubectl("apply", "--server-side", "-f", str(Path(__file__).parents[1] / "data" / "podmonitors-crd.yaml"))
    monitors = f"/apis/monitoring.coreos.com/v1/namespaces/{NAMESPACE}/podmonitors"
    lab.wait_for("PodMonitor to be served", lambda: cluster.get(monitors))
    cluster.operator.start()
    cluster.apply(small(name, replicas=1))
    made = lab.wait_for("its PodMonitor", lambda: cluster.get(f"{monitors}/{name}"))
    assert made["spec"]["podMetricsEndpoints"] == [{"port": "http", "path": "/metrics", "interval": "15s"}]
    pods = lab.wait_for("its pod", lambda: cluster.addresses(name))
    selector = ",".join(f"{k}={v}" for k, v in made["spec"]["selector"]["matchLabels"].items())
    assert (
        len(json.loads(lab.kubectl("get", "pods", "-n", NAMESPACE, "-l", selector, "-o", "json").stdout)["items"]) == 1
    )
    assert len(pods) == 1
    lab.kubectl("delete", "podmonitor", name, "-n", NAMESPACE)
    cluster.operator.stop()  # the kind is not watched, for most clusters have none: a listing finds what is missing
    cluster.operator.start()
    again = lab.wait_for("it is made again", lambda: cluster.get(f"{monitors}/{name}"))
    assert again["metadata"]["uid"] != made["metadata"]["uid"]
    cluster.delete(name)
    # The garbage collector looks for new kinds every half minute.
    lab.wait_for(
        "it goes with its owner",
        lambda: all(o["metadata"]["name"] != name for o in cluster.get(monitors)["items"]),
        timeout=120,
    )
