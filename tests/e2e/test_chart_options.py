"""What the chart can be told beyond its defaults, rendered by the real Helm and installed on a real API server."""

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from tests.support.helm import CHART, NAMESPACE, helm, only, template

from breakeven.lab.handle import RunningLab

pytestmark = pytest.mark.lab

FULL = """
crds: {install: false}
replicas: 2
openshift: true
commonLabels: {team: search}
image: {digest: "sha256:%s"}
nodeSelector: {breakeven.dev/none: here}
topologySpreadConstraints:
  - {maxSkew: 1, topologyKey: topology.kubernetes.io/zone, whenUnsatisfiable: ScheduleAnyway}
extraVolumes: [{name: more, emptyDir: {}}]
extraVolumeMounts: [{name: more, mountPath: /more}]
extraObjects:
  - {apiVersion: v1, kind: ConfigMap, metadata: {name: "{{ .Release.Name }}-one"}}
  - |
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: '{{ include "breakeven.name" . }}-two'}
""" % ("0f" * 32)


@pytest.fixture
def full(tmp_path: Path) -> str:
    path = tmp_path / "full.yaml"
    path.write_text(FULL, encoding="utf-8")
    return str(path)


def test_openshift_gives_the_users_and_everything_else_stays_restricted(full: str) -> None:
    objects = template("-f", full, tests=True)
    pods = [only(objects, "Deployment")["spec"]["template"]["spec"], only(objects, "Pod", "breakeven-test")["spec"]]
    for pod in pods:
        assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
        (container,) = pod["containers"]
        assert "runAsUser" not in container["securityContext"]
        assert container["image"] == "breakeven@sha256:" + "0f" * 32


def test_common_labels_are_on_every_object_and_on_the_pod_but_not_in_the_selector(full: str) -> None:
    asked = [f"monitoring.{part}.create=true" for part in ("rules", "dashboard", "serviceMonitor", "podMonitor")]
    objects = template("-f", full, "--set", ",".join([*asked, "monitoring.rules.labels.team=mine"]), tests=True)
    extra = {"breakeven-one", "breakeven-two"}
    teams = {o["kind"]: o["metadata"]["labels"]["team"] for o in objects if o["metadata"]["name"] not in extra}
    assert len(teams) == 15
    assert teams.pop("PrometheusRule") == "mine"
    assert set(teams.values()) == {"search"}
    spec = only(objects, "Deployment")["spec"]
    assert spec["template"]["metadata"]["labels"]["team"] == "search"
    assert "team" not in spec["selector"]["matchLabels"]


def test_several_replicas_are_spread_and_drained_one_at_a_time(full: str) -> None:
    objects = template("-f", full)
    deployment = only(objects, "Deployment")["spec"]
    (constraint,) = deployment["template"]["spec"]["topologySpreadConstraints"]
    assert constraint["labelSelector"] == deployment["selector"]
    assert constraint["whenUnsatisfiable"] == "ScheduleAnyway"
    budget = only(objects, "PodDisruptionBudget")["spec"]
    assert (budget["maxUnavailable"], budget["selector"]) == (1, deployment["selector"])
    for settings in (("replicas=1",), ("replicas=2", "podDisruptionBudget.create=false")):
        kinds = {o["kind"] for o in template("--set", ",".join(settings))}
        assert "PodDisruptionBudget" not in kinds


def test_more_volumes_and_objects_are_taken_as_they_are_with_templates_in_them(full: str) -> None:
    objects = template("-f", full)
    pod = only(objects, "Deployment")["spec"]["template"]["spec"]
    assert {"name": "more", "emptyDir": {}} in pod["volumes"]
    assert {"name": "more", "mountPath": "/more"} in pod["containers"][0]["volumeMounts"]
    assert {"breakeven-one", "breakeven-two"} == {o["metadata"]["name"] for o in objects if o["kind"] == "ConfigMap"}


def environment(deployment: dict[str, Any]) -> dict[str, str]:
    (container,) = deployment["template"]["spec"]["containers"]
    return {item["name"]: item.get("value", "") for item in container["env"]}


def test_names_can_be_given(full: str) -> None:
    for settings, name in (("nameOverride=gate", "breakeven-gate"), ("fullnameOverride=gate", "gate")):
        objects = template("-f", full, "--set", settings)
        deployment = only(objects, "Deployment", name)["spec"]
        assert deployment["template"]["spec"]["serviceAccountName"] == name
        # kubectl breakeven finds the operator by this label, whatever its name.
        assert deployment["selector"]["matchLabels"]["app.kubernetes.io/name"] == "breakeven"
        assert environment(deployment)["BREAKEVEN_LEASE_NAME"] == name


def test_a_parent_chart_can_leave_it_out(tmp_path: Path) -> None:
    parent = tmp_path / "platform"
    shutil.copytree(CHART, parent / "charts" / "breakeven")
    dependency = {"name": "breakeven", "version": "*", "condition": "breakeven.enabled"}
    described = {"apiVersion": "v2", "name": "platform", "version": "1.0.0", "dependencies": [dependency]}
    (parent / "Chart.yaml").write_text(yaml.safe_dump(described), encoding="utf-8")
    assert only(template("--set", "breakeven.replicas=2", chart=parent), "Deployment")["spec"]["replicas"] == 2
    assert template("--set", "breakeven.enabled=false", chart=parent) == []


def test_the_test_asks_healthz_and_is_let_through_to_it() -> None:
    objects = template(tests=True)
    pod, policy = only(objects, "Pod", "breakeven-test"), only(objects, "NetworkPolicy", "breakeven-test")
    operator = only(objects, "Deployment")["spec"]
    service = only(objects, "Service", "breakeven-metrics")
    asked = urlsplit(pod["spec"]["containers"][0]["args"][-1])
    assert asked.hostname == f"{service['metadata']['name']}.{NAMESPACE}.svc"
    assert (asked.port, asked.path) == (service["spec"]["ports"][0]["port"], "/healthz")
    assert policy["spec"]["podSelector"] == operator["selector"]
    ((peer,),) = [rule["from"] for rule in policy["spec"]["ingress"]]
    assert peer["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert not operator["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    for hook in (pod, policy):
        assert hook["metadata"]["annotations"]["helm.sh/hook"] == "test"


@pytest.mark.parametrize(("status", "ends"), [(200, 0), (503, 1)])
def test_the_test_ends_with_an_error_when_the_operator_is_not_healthy(status: int, ends: int) -> None:
    """The very program of the test pod, with a server that answers so and without the pause before the second try."""

    class Health(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    (container,) = only(template(tests=True), "Pod", "breakeven-test")["spec"]["containers"]
    program = container["args"][0].replace("sleep(5)", "sleep(0)")
    with HTTPServer(("127.0.0.1", 0), Health) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/healthz"
        ended = subprocess.run([sys.executable, "-c", program, url], capture_output=True, timeout=60, check=False)
        server.shutdown()
    assert ended.returncode == ends


@pytest.fixture
def installed(server: RunningLab) -> Iterator[RunningLab]:
    space = server.environment()
    server.kubectl("create", "namespace", "chart-test")
    arguments = ("chart-test", str(CHART), "--namespace", "chart-test")
    result = helm("install", *arguments, "--set", "crds.install=false,replicas=0", environment=space)
    assert result.returncode == 0, result.stderr
    yield server
    helm("uninstall", "chart-test", "--namespace", "chart-test", environment=space)
    server.kubectl("delete", "namespace", "chart-test", "--wait=false")


def test_it_installs_with_the_declared_rights_upgrades_to_every_option_and_leaves_nothing_behind(
    installed: RunningLab, full: str
) -> None:
    release = ("chart-test", str(CHART), "--namespace", "chart-test")
    debug = ("--set", "crds.install=false,replicas=0,log.level=debug")
    again = helm("upgrade", *release, *debug, environment=installed.environment())
    assert again.returncode == 0, again.stderr
    assert "kubectl explain spd.spec" in again.stdout
    account = "--as=system:serviceaccount:chart-test:chart-test-breakeven"

    def may(verb: str, resource: str, *more: str) -> bool:
        answer = installed.kubectl("auth", "can-i", verb, resource, account, *more, check=False)
        return answer.stdout.strip() == "yes"

    assert may("patch", "deployments.apps", "--all-namespaces")
    assert may("patch", "speculativedeployments.breakeven.dev", "--subresource=status", "-n", "default")
    assert may("update", "leases.coordination.k8s.io", "-n", "chart-test")
    assert not may("update", "leases.coordination.k8s.io", "-n", "default")
    assert not may("patch", "speculativedeployments.breakeven.dev", "-n", "default")
    assert not may("get", "secrets", "-n", "default")

    label = "pod-security.kubernetes.io/warn=restricted"
    installed.kubectl("label", "namespace", "chart-test", label)
    space = installed.environment()
    upgraded = helm("upgrade", *release, "-f", full, environment=space)
    assert upgraded.returncode == 0, upgraded.stderr
    assert "violate" not in upgraded.stderr
    kinds = "all,pdb,sa,netpol,cm,roles,rolebindings,clusterroles,clusterrolebindings"

    def there() -> set[str]:
        chosen = ("-l", "app.kubernetes.io/instance=chart-test")
        return set(installed.kubectl("get", kinds, "--all-namespaces", *chosen, "-o", "name").stdout.split())

    assert "poddisruptionbudget.policy/chart-test-breakeven" in there()
    gone = helm("uninstall", "chart-test", "--namespace", "chart-test", environment=space)
    assert gone.returncode == 0, gone.stderr
    installed.wait_for("nothing of it to be left", lambda: not there())
    left = installed.kubectl("get", "cm", "-n", "chart-test", "-o", "name").stdout.split()
    assert not [name for name in left if "chart-test" in name]
