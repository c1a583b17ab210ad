"""What the operator stands on is broken, one thing after the other, on a real control plane; then it must work again.

The operator reaches the API server and Prometheus through a proxy that breaks connections. It is started again when it
has ended, as its Deployment would. "Recovery" is the time from the end of the fault until a change is carried out.
"""

import json
import time
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.faulty_proxy import Fault, FaultyProxy
from tests.support.loop import NAMESPACE, Cluster, condition, declare, settled

from breakeven.demo.operator import Operator, define, install
from breakeven.lab.handle import RunningLab
from breakeven.lab.settings import H200, LabSettings, NodeSettings
from breakeven.settings import Settings

pytestmark = [pytest.mark.lab, pytest.mark.faults, pytest.mark.timeout(300)]
NAME = "held"
SPD = "speculativedeployments.breakeven.dev"
LASTS_S = 8.0
"""Seconds of a fault: longer than a leader may write without renewing its Lease, so that this is tried too."""
Record = Callable[..., None]


def proxied(url: str) -> FaultyProxy:
    parts = urllib.parse.urlsplit(url)
    assert parts.hostname and parts.port
    return FaultyProxy(parts.hostname, parts.port)


class ProxiedOperator(Operator):
    """The operator behind two proxies."""

    def __init__(self, lab: RunningLab, api: FaultyProxy, prometheus: FaultyProxy) -> None:
        super().__init__(lab, lease_s=Settings().lease_duration)
        at = self._arguments.index("--kubeconfig") + 1
        config = yaml.safe_load(Path(self._arguments[at]).read_text(encoding="utf-8"))
        config["clusters"][0]["cluster"]["server"] = f"https://{api.host}:{api.port}"
        path = lab.directory / "proxied.kubeconfig"
        path.write_text(yaml.safe_dump(config))
        path.chmod(0o600)
        self._arguments[at] = str(path)
        self._environment["BREAKEVEN_PROMETHEUS_URL"] = f"http://{prometheus.host}:{prometheus.port}"

    def keep(self) -> None:
        """Start it again when it has ended."""
        if self.pid is None:
            self.start()


class Stage(Cluster):
    """One small resource that serves, and the proxies."""

    operator: ProxiedOperator

    def __init__(self, lab: RunningLab, operator: ProxiedOperator, api: FaultyProxy, prometheus: FaultyProxy) -> None:
        super().__init__(lab, operator)
        self.api, self.prometheus = api, prometheus

    def serves(self, name: str = NAME, timeout: float = 90) -> None:
        """Return when its replicas serve and nothing is stalled."""

        def look() -> bool:
            self.operator.keep()
            status = self.status(name)
            return settled(status) and bool(status.get("readyReplicas")) and not condition(status, "Stalled")

        self.lab.wait_for(f"{name} serves", look, timeout=timeout, every=0.25)

    def carry_out(self, timeout: float = 90) -> float:
        """Change the spec; seconds until the change is carried out: the replicas are there."""
        begun = time.monotonic()
        self.patch(NAME, replicas=3 - int(self.resource(NAME)["spec"]["replicas"]))
        self.carried_out(timeout)
        return time.monotonic() - begun

    def carried_out(self, timeout: float = 90) -> None:
        """Return when the replicas of the newest generation serve, and no others."""

        def look() -> bool:
            self.operator.keep()
            body = self.resource(NAME)
            status = body.get("status") or {}
            return (
                status.get("observedGeneration") == body["metadata"]["generation"]
                and status.get("readyReplicas") == len(self.pods(NAME)) == body["spec"]["replicas"]
                and settled(status)
            )

        self.lab.wait_for("the replicas of the newest generation", look, timeout=timeout, every=0.25)

    def watched(self, seconds: float) -> None:
        """Time goes by; no pod that serves goes away and no Deployment changes."""
        before = self.untouched()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert self.untouched() == before
            time.sleep(0.5)

    def untouched(self) -> tuple[list[str], list[tuple[str, int]]]:
        """Pods, and generations of Deployments."""
        items = self.get(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments")["items"]
        return sorted(self.addresses(NAME)), [(d["metadata"]["name"], d["metadata"]["generation"]) for d in items]


def plain(name: str = NAME, **changes: Any) -> dict[str, Any]:
    return declare(name, **({"replicas": 1, "policy": {"mode": "AlwaysOff"}} | changes))


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    settings = LabSettings(name="faults", nodes=(NodeSettings(name="h200", product=H200, gpus=8),))
    with (
        RunningLab.start(settings, directory=tmp_path_factory.mktemp("faults") / "lab") as lab,
        proxied(lab.server) as api,
        proxied(lab.prometheus_url) as prometheus,
    ):
        install(lab)
        lab.kubectl("create", "namespace", NAMESPACE)
        with ProxiedOperator(lab, api, prometheus) as operator:
            made = Stage(lab, operator, api, prometheus)
            made.apply(plain())
            made.serves()
            yield made


@pytest.mark.parametrize("kind", ["slow", "hang", "truncate", "reset"])
def test_connections_to_the_api_server(stage: Stage, kind: Fault, fault: Record) -> None:
    with stage.api.fault(kind):
        stage.watched(LASTS_S)
    fault(f"API server: connections {kind}", "nothing moved", stage.carry_out())


@pytest.mark.parametrize("kind", ["hang", "truncate", "reset"])
def test_connections_to_prometheus(stage: Stage, kind: Fault, fault: Record) -> None:
    said = lambda value: lambda: condition(stage.status(NAME), "MetricsAvailable").get("status") == value  # noqa: E731
    stage.lab.wait_for("metrics", said("True"), timeout=60)
    with stage.prometheus.fault(kind):
        stage.lab.wait_for("the outage named", said("False"), timeout=60)
        stage.watched(2)
    begun = time.monotonic()
    stage.lab.wait_for("metrics again", said("True"), timeout=60, every=0.25)
    fault(f"Prometheus: connections {kind}", "named, nothing moved", time.monotonic() - begun)


@pytest.mark.parametrize("moment", range(3))
def test_the_operator_is_killed_on_the_real_api_server(stage: Stage, moment: int, fault: Record) -> None:
    """Killed before, at and after the first write that follows a change."""
    generation = stage.resource(NAME)["metadata"]["generation"] + 1
    replicas = 3 - int(stage.resource(NAME)["spec"]["replicas"])
    if moment == 0:
        stage.operator.kill()
    stage.patch(NAME, replicas=replicas)
    if moment == 1:
        stage.lab.wait_for("the status", lambda: stage.status(NAME).get("observedGeneration") == generation, every=0.02)
    if moment == 2:
        total = lambda: sum(  # noqa: E731
            d["spec"]["replicas"] for d in stage.get(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments")["items"]
        )
        stage.lab.wait_for("the Deployment", lambda: total() == replicas, every=0.02)
    stage.operator.kill()
    begun = time.monotonic()
    stage.operator.start()
    stage.carried_out()
    where = ("before a write", "after the status", "after the Deployment")[moment]
    fault(f"SIGKILL {where}", "carried on", time.monotonic() - begun)


def test_no_quota_is_left(stage: Stage, fault: Record) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "full", "namespace": NAMESPACE},
        "spec": {"hard": {"pods": str(len(stage.addresses(NAME)))}},
    }
    stage.apply(quota)
    stage.apply(plain("waits"))
    stage.lab.wait_for("not ready", lambda: condition(stage.status("waits"), "Ready").get("status") == "False")
    stage.watched(3)
    stage.lab.kubectl("delete", "resourcequota", "full", "-n", NAMESPACE)
    begun = time.monotonic()
    stage.serves("waits")
    fault("ResourceQuota is used up", "Ready=False, others untouched", time.monotonic() - begun)
    stage.delete("waits")


def test_a_limit_range_changes_the_pods(stage: Stage, fault: Record) -> None:
    """Defaults of a LimitRange are in the pods and not in the Deployment: nothing is applied for ever."""
    limits = {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": {"name": "small", "namespace": NAMESPACE},
        "spec": {"limits": [{"type": "Container", "default": {"memory": "8Gi"}, "defaultRequest": {"memory": "1Gi"}}]},
    }
    stage.apply(limits)
    took = stage.carry_out()
    stage.watched(4)
    stage.lab.kubectl("delete", "limitrange", "small", "-n", NAMESPACE)
    fault("LimitRange with defaults", "no write in a steady state", took)


def test_a_namespace_terminates(stage: Stage, fault: Record) -> None:
    other = "leaving"
    stage.lab.kubectl("create", "namespace", other)
    leaving = plain("gone")
    leaving["metadata"]["namespace"] = other
    stage.apply(leaving)
    path = f"/apis/apps/v1/namespaces/{other}/deployments"
    stage.lab.wait_for("its Deployment", lambda: stage.get(path)["items"])
    stage.lab.kubectl("delete", "namespace", other, "--wait=false")
    took = stage.carry_out()
    fault("namespace terminating", "others carried out", took)


def test_a_resource_is_deleted_and_recreated_at_once(stage: Stage, fault: Record) -> None:
    uid = stage.resource(NAME)["metadata"]["uid"]
    stage.delete(NAME)
    stage.apply(plain())
    begun = time.monotonic()
    stage.serves()
    assert stage.resource(NAME)["metadata"]["uid"] != uid
    fault("deleted and recreated", "served by objects of its own", time.monotonic() - begun)


def test_a_resource_nested_as_deep_as_the_api_server_takes_it(stage: Stage, fault: Record) -> None:
    deep = '{"a":' * 6_000 + "1" + "}" * 6_000
    body = json.dumps(plain("deep", podTemplate={"spec": {"x": "DEEP"}})).replace('"DEEP"', deep)
    made = stage.lab.kubectl("create", "--validate=ignore", "-f", "-", input=body, check=False)
    assert made.returncode == 0, made.stderr[:2000]
    stage.carry_out()
    stage.operator.kill()
    stage.operator.start()
    begun = time.monotonic()
    stage.serves()
    took = stage.carry_out()
    assert stage.operator.pid is not None
    raw = stage.lab.kubectl("get", "spd", "deep", "-n", NAMESPACE, "-o", "jsonpath={.status.conditions}").stdout
    assert "nested deeper than" in raw
    fault("spec nested 6,000 deep, and a restart", "named, others served", time.monotonic() - begun if took else None)
    stage.lab.kubectl("delete", "spd", "deep", "-n", NAMESPACE, "--wait=false")


def test_the_definition_is_deleted_and_comes_back(stage: Stage, fault: Record) -> None:
    stage.lab.kubectl("delete", "crd", SPD, "--timeout=60s")
    path = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
    stage.lab.wait_for("the objects of its resources gone", lambda: not stage.get(path)["items"], timeout=60)
    define(stage.lab)
    begun = time.monotonic()
    stage.lab.wait_for("a resource again", lambda: stage.apply(plain()) or True)
    stage.serves(timeout=150)
    fault("CRD deleted and installed again", "resources of the new one served", time.monotonic() - begun)
