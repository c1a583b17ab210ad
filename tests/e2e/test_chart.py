"""The chart, rendered by the real Helm, checked against schemas, and installed on a real API server."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from breakeven.lab.handle import RunningLab
from breakeven.lab.tools.find import require

pytestmark = pytest.mark.lab
ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "breakeven"
GOLDEN = ROOT / "tests" / "golden" / "chart_defaults.yaml"
NAMESPACE = "breakeven-system"
HELM_LABELS = {
    "app.kubernetes.io/instance",
    "app.kubernetes.io/version",
    "app.kubernetes.io/managed-by",
    "helm.sh/chart",
}


def helm(*arguments: str, environment: dict[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(require("helm")["helm"]), *arguments],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
        check=False,
    )


def template(*settings: str) -> list[dict[str, Any]]:
    result = helm("template", "breakeven", str(CHART), "--namespace", NAMESPACE, *settings)
    assert result.returncode == 0, result.stderr
    return [d for d in yaml.safe_load_all(result.stdout) if d]


def only(objects: list[dict[str, Any]], kind: str, name: str = "breakeven") -> dict[str, Any]:
    (found,) = (o for o in objects if (o["kind"], o["metadata"]["name"]) == (kind, name))
    return found


def environment(objects: list[dict[str, Any]]) -> dict[str, str]:
    (container,) = only(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    return {item["name"]: item.get("value", "") for item in container["env"]}


def test_lint_has_nothing_to_say() -> None:
    result = helm("lint", "--strict", str(CHART))
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_defaults_render_to_the_golden_file(request: pytest.FixtureRequest) -> None:
    rendered = template("--set", "crds.install=false")
    text = yaml.safe_dump_all(rendered, sort_keys=False, width=120)
    if request.config.getoption("--update-golden"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


def test_the_plain_manifests_are_the_chart_with_its_defaults() -> None:
    def plain(manifest: Any) -> Any:
        if isinstance(manifest, dict):
            return {key: plain(value) for key, value in manifest.items() if key not in HELM_LABELS}
        return [plain(item) for item in manifest] if isinstance(manifest, list) else manifest

    chart = {(m["kind"], m["metadata"]["name"]): plain(m) for m in template()}
    files = [p for p in (ROOT / "manifests" / "install").glob("*.yaml") if p.name != "kustomization.yaml"]
    written = [m for path in files for m in yaml.safe_load_all(path.read_text(encoding="utf-8"))]
    manifests = {(m["kind"], m["metadata"]["name"]): m for m in written if m["kind"] != "Namespace"}
    definition = ("CustomResourceDefinition", "speculativedeployments.breakeven.dev")
    assert chart[definition]["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
    assert chart == manifests


def test_the_definition_is_installed_and_kept_only_when_asked() -> None:
    kinds = {o["kind"] for o in template("--set", "crds.install=false")}
    assert "CustomResourceDefinition" not in kinds
    let_go = only(
        template("--set", "crds.keep=false"), "CustomResourceDefinition", "speculativedeployments.breakeven.dev"
    )
    assert "annotations" not in let_go["metadata"]


def test_namespaced_mode_gives_no_rights_beyond_its_namespaces() -> None:
    objects = template("--set", "namespaces={team-a,team-b}")
    assert {r for rule in only(objects, "ClusterRole")["rules"] for r in rule["resources"]} == {
        "customresourcedefinitions"
    }
    roles = [o for o in objects if o["kind"] == "Role" and o["metadata"]["name"] == "breakeven"]
    assert [o["metadata"]["namespace"] for o in roles] == ["team-a", "team-b"]
    assert environment(objects)["BREAKEVEN_NAMESPACES"] == "team-a,team-b"


def test_prometheus_values_reach_the_operator() -> None:
    objects = template(
        "--set", "prometheus.url=http://p:9090",
        "--set", "prometheus.allowed={http://a:9090,http://b:9090}",
        "--set", "prometheus.tokenSecret.name=prom",
        "--set", "prometheus.caConfigMap.name=ca",
    )  # fmt: skip
    found = environment(objects)
    assert found["BREAKEVEN_PROMETHEUS_URL"] == "http://p:9090"
    assert found["BREAKEVEN_PROMETHEUS_ALLOWED"] == "http://a:9090,http://b:9090"
    pod = only(objects, "Deployment")["spec"]["template"]["spec"]
    mounts = {m["name"]: m["mountPath"] for m in pod["containers"][0]["volumeMounts"]}
    for variable, volume in (("TOKEN", "prometheus-token"), ("CA", "prometheus-ca")):
        assert found[f"BREAKEVEN_PROMETHEUS_{variable}_FILE"].startswith(mounts[volume] + "/")


def test_the_operator_runs_without_privileges() -> None:
    pod = only(template(), "Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["enableServiceLinks"] is False


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("replicaCount=2", "replicaCount"),
        ("prometheus.url=p:9090", "/prometheus/url"),
        ("log.level=loud", "/log/level"),
        ("namespaces={Team}", "/namespaces/0"),
    ],
)
def test_a_bad_value_is_refused_by_name(setting: str, says: str) -> None:
    result = helm("template", "breakeven", str(CHART), "--set", setting)
    assert result.returncode != 0
    assert says in result.stderr


def test_two_replicas_without_leader_election_are_refused() -> None:
    result = helm("template", "breakeven", str(CHART), "--set", "replicas=2", "--set", "leaderElection=false")
    assert result.returncode != 0
    assert "/replicas" in result.stderr


def test_samples_conform_to_the_schema_offline(tmp_path: Path) -> None:
    crd = yaml.safe_load((ROOT / "crds" / "breakeven.dev_speculativedeployments.yaml").read_text(encoding="utf-8"))
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    (tmp_path / "speculativedeployment.json").write_text(json.dumps(schema), encoding="utf-8")
    location = str(tmp_path / "{{ .ResourceKind }}.json")
    command = [str(require("kubeconform")["kubeconform"]), "-strict", "-schema-location", location]
    samples = ROOT / "manifests" / "samples"
    good = subprocess.run([*command, "-summary", str(samples)], capture_output=True, text=True, timeout=60, check=False)
    assert good.returncode == 0, good.stdout + good.stderr
    bad = (samples / "plain.yaml").read_text(encoding="utf-8").replace("replicas: 2", "replicas: two")
    refused = subprocess.run(command, input=bad, capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode != 0
    assert "replicas" in refused.stdout


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


def test_the_chart_installs_and_upgrades_and_its_account_may_do_what_is_declared(installed: RunningLab) -> None:
    arguments = ("chart-test", str(CHART), "--namespace", "chart-test", "--set", "crds.install=false,replicas=0")
    again = helm("upgrade", *arguments, "--set", "log.level=debug", environment=installed.environment())
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
