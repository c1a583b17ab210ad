"""The chart, rendered by the real Helm, checked against schemas, and installed on a real API server."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.helm import CHART, NAMESPACE, helm, only, template

from breakeven.lab.tools.find import require

pytestmark = pytest.mark.lab
ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "chart_defaults.yaml"
HELM_LABELS = {
    "app.kubernetes.io/instance",
    "app.kubernetes.io/version",
    "app.kubernetes.io/managed-by",
    "helm.sh/chart",
}


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


def test_credentials_for_prometheus_are_files_of_their_secrets() -> None:
    parts = {"basicAuthSecret": "BASIC_AUTH", "headersSecret": "HEADERS", "clientTLSSecret": "CLIENT_TLS"}
    objects = template("--set", ",".join(f"prometheus.{part}.name=from-{part.lower()}" for part in parts))
    pod = only(objects, "Deployment")["spec"]["template"]["spec"]
    where = {m["name"]: m["mountPath"] for m in pod["containers"][0]["volumeMounts"]}
    secret = {where[v["name"]]: v["secret"]["secretName"] for v in pod["volumes"] if "secret" in v}
    for part, variable in parts.items():
        assert secret[environment(objects)[f"BREAKEVEN_PROMETHEUS_{variable}_DIR"]] == f"from-{part.lower()}"


def test_the_key_of_a_google_account_is_a_file_of_its_secret() -> None:
    objects = template("--set", "prometheus.googleSecret.name=account,prometheus.googleSecret.key=key.json")
    pod = only(objects, "Deployment")["spec"]["template"]["spec"]
    where = {m["name"]: m["mountPath"] for m in pod["containers"][0]["volumeMounts"]}
    assert environment(objects)["BREAKEVEN_PROMETHEUS_GOOGLE_FILE"] == f"{where['prometheus-google']}/key.json"
    assert {"name": "prometheus-google", "secret": {"secretName": "account"}} in pod["volumes"]


def test_requests_are_signed_for_a_region_with_a_file_of_credentials_or_the_role_of_the_account() -> None:
    role = "serviceAccount.annotations.eks\\.amazonaws\\.com/role-arn=arn:aws:iam::1:role/reader"
    objects = template("--set", f"prometheus.awsRegion=eu-central-1,{role}")
    assert environment(objects)["BREAKEVEN_PROMETHEUS_AWS_REGION"] == "eu-central-1"
    assert "AWS_SHARED_CREDENTIALS_FILE" not in environment(objects)
    assert "eks.amazonaws.com/role-arn" in only(objects, "ServiceAccount")["metadata"]["annotations"]
    objects = template("--set", "prometheus.awsRegion=eu-central-1,prometheus.awsSecret.name=keys")
    pod = only(objects, "Deployment")["spec"]["template"]["spec"]
    where = {m["name"]: m["mountPath"] for m in pod["containers"][0]["volumeMounts"]}
    assert environment(objects)["AWS_SHARED_CREDENTIALS_FILE"] == f"{where['prometheus-aws']}/credentials"
    assert {"name": "prometheus-aws", "secret": {"secretName": "keys"}} in pod["volumes"]


def test_alerts_dashboard_and_scraping_are_there_when_asked_for() -> None:
    asked = ",".join(
        f"monitoring.{part}.create=true" for part in ("rules", "dashboard", "serviceMonitor", "podMonitor")
    )
    objects = template("--set", asked, "--set", "monitoring.rules.runbooks=https://wiki.example/breakeven")
    rules = (CHART / "rules" / "breakeven.yaml").read_text(encoding="utf-8")
    expected = yaml.safe_load(rules.replace("docs/runbooks.md", "https://wiki.example/breakeven"))
    assert only(objects, "PrometheusRule")["spec"] == expected
    dashboard = only(objects, "ConfigMap", "breakeven-dashboard")
    assert json.loads(dashboard["data"]["breakeven.json"])["uid"] == "breakeven"
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    service = only(objects, "Service", "breakeven-metrics")
    monitor = only(objects, "ServiceMonitor")["spec"]
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert monitor["endpoints"][0]["port"] in [port["name"] for port in service["spec"]["ports"]]
    endpoints = [*monitor["endpoints"], *only(objects, "PodMonitor")["spec"]["podMetricsEndpoints"]]
    assert [e["honorLabels"] for e in endpoints] == [True, True]
    kinds = {o["kind"] for o in template()}
    assert not kinds & {"PrometheusRule", "ConfigMap", "ServiceMonitor", "PodMonitor"}


def test_a_price_reaches_the_operator_and_none_leaves_nothing() -> None:
    found = environment(template("--set", "gpuHour.price=2.5,gpuHour.currency=EUR"))
    assert (found["BREAKEVEN_GPU_HOUR_PRICE"], found["BREAKEVEN_GPU_HOUR_CURRENCY"]) == ("2.5", "EUR")
    assert not [name for name in environment(template()) if "GPU_HOUR" in name]


def test_the_page_is_on_loopback_unless_it_is_exposed_with_a_token() -> None:
    objects = template()
    found = environment(objects)
    assert found["BREAKEVEN_PAGE_PORT"] == "8081" and "BREAKEVEN_PAGE_HOST" not in found
    assert [p["name"] for p in only(objects, "Service", "breakeven-metrics")["spec"]["ports"]] == ["http"]
    assert "BREAKEVEN_PAGE_PORT" not in environment(template("--set", "page.enabled=false,page.exposed=true"))
    exposed = template("--set", "page.exposed=true,monitoring.tokenSecret.name=metrics")
    found = environment(exposed)
    assert found["BREAKEVEN_PAGE_HOST"] == "0.0.0.0" and "BREAKEVEN_METRICS_TOKEN_FILE" in found
    assert [p["name"] for p in only(exposed, "Service", "breakeven-metrics")["spec"]["ports"]] == ["http", "page"]
    assert [p["port"] for p in only(exposed, "NetworkPolicy")["spec"]["ingress"][0]["ports"]] == ["http", "page"]
    with pytest.raises(AssertionError, match=r"page\.exposed: set monitoring\.tokenSecret\.name"):
        template("--set", "page.exposed=true")


def test_the_monitoring_manifests_are_the_charts_and_kustomize_takes_them() -> None:
    folder = ROOT / "manifests" / "monitoring"
    command = [str(require("kubectl")["kubectl"]), "kustomize", str(folder)]
    built = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert built.returncode == 0, built.stderr
    objects = list(yaml.safe_load_all(built.stdout))
    chart = template("--set", "monitoring.rules.create=true,monitoring.dashboard.create=true")
    for kind, name in (("PrometheusRule", "breakeven"), ("ConfigMap", "breakeven-dashboard")):
        for part in ("spec", "data"):
            assert only(objects, kind, name).get(part) == only(chart, kind, name).get(part)


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
        ("prometheus.tokenSecret.name=a,prometheus.basicAuthSecret.name=b", "/prometheus"),
        ("prometheus.googleSecret.name=a,prometheus.basicAuthSecret.name=b", "/prometheus"),
        ("prometheus.awsRegion=eu-central-1,prometheus.tokenSecret.name=b", "/prometheus"),
        ("prometheus.awsRegion=Frankfurt", "/prometheus/awsRegion"),
        ("log.level=loud", "/log/level"),
        ("namespaces={Team}", "/namespaces/0"),
        ("gpuHour.price=cheap", "/gpuHour/price"),
        ("image.digest=sha256:12", "/image/digest"),
        ("podDisruptionBudget.maxUnavailable=0", "/podDisruptionBudget/maxUnavailable"),
        ("commonLabels.helm\\.sh/chart=x", "/commonLabels/helm.sh"),
        ("fullnameOverride=Gate", "/fullnameOverride"),
        ("monitoring.rules.runbooks=a b", "/monitoring/rules/runbooks"),
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


def test_metrics_are_read_from_the_pods_and_the_operator_is_let_through_to_them() -> None:
    objects = template("--set", "metricsSource=Pods", "--set", "networkPolicy.engineNamespaces={inference,search}")
    assert environment(objects)["BREAKEVEN_METRICS_SOURCE"] == "Pods"
    policies = [o for o in objects if (o["kind"], o["metadata"]["name"]) == ("NetworkPolicy", "breakeven-engines")]
    assert [p["metadata"]["namespace"] for p in policies] == ["inference", "search"]
    operator = only(objects, "Deployment")["spec"]["selector"]["matchLabels"]
    for policy in policies:
        assert policy["spec"]["podSelector"] == {"matchLabels": {"app.kubernetes.io/managed-by": "breakeven"}}
        ((peer,),) = [rule["from"] for rule in policy["spec"]["ingress"]]
        assert peer["podSelector"]["matchLabels"] == operator
        assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": NAMESPACE}
