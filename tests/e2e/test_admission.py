"""The resource on a real API server: what it takes, what it refuses and in which words, what it shows."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from tests.support.refusals import Refusal, accepted, merged, refusals
from tests.support.specs import specs

from breakeven.adapters.kubernetes.cluster import KubernetesCluster
from breakeven.adapters.kubernetes.rest import Rest, connect
from breakeven.api.conditions import ConditionType, Reason, set_condition
from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.api.status import (
    DecisionRecord,
    Details,
    EvidenceStatus,
    LastGood,
    Memory,
    Role,
    State,
    Status,
    VariantStatus,
)
from breakeven.api.variant import declared_variant
from breakeven.control.errors import Refused
from breakeven.lab.handle import RunningLab

pytestmark = pytest.mark.lab
ROOT = Path(__file__).parents[2]
SAMPLES = sorted((ROOT / "manifests" / "samples").glob("*.yaml"))


def create(server: RunningLab, resource: dict[str, Any]) -> str:
    """Try to create it, without keeping it; returns what kubectl says against it."""
    text = json.dumps(resource)  # PyYAML would leave a model named Y unquoted, which kubectl reads as true
    result = server.kubectl("create", "--dry-run=server", "-f", "-", input=text, check=False)
    return result.stderr if result.returncode else ""


def stored(server: RunningLab, namespace: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(server.kubectl("get", "spd", name, "-n", namespace, "-o", "json").stdout)
    return found


def kept(server: RunningLab, namespace: str, **changes: Any) -> str:
    """Create the accepted resource in a namespace; returns its name."""
    resource = merged(accepted(), {"metadata": {"namespace": namespace}, "spec": changes})
    server.kubectl("create", "-f", "-", input=yaml.safe_dump(resource))
    return str(resource["metadata"]["name"])


def test_the_api_server_has_no_objection_to_the_schema(server: RunningLab) -> None:
    conditions = json.loads(server.kubectl("get", "crd/speculativedeployments.breakeven.dev", "-o", "json").stdout)[
        "status"
    ]["conditions"]
    assert {c["type"]: c["status"] for c in conditions}["Established"] == "True"
    assert "NonStructuralSchema" not in {c["type"] for c in conditions}


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_samples_are_accepted(server: RunningLab, path: Path) -> None:
    resource = merged(yaml.safe_load(path.read_text(encoding="utf-8")), {"metadata": {"namespace": "default"}})
    assert create(server, resource) == ""


@pytest.mark.parametrize(
    "case",
    [case for part in ("refused", "only_in_the_cluster", "types") for case in refusals(part)],
    ids=lambda case: case.name,
)
def test_a_bad_resource_is_refused_by_field_with_what_to_write(server: RunningLab, case: Refusal) -> None:
    objection = create(server, case.resource)
    assert case.field in objection
    assert case.says in objection


def test_a_null_counts_as_absent(server: RunningLab) -> None:
    resource = accepted()
    resource["spec"] |= {"policy": None, "hardware": {"gpusPerReplica": None}, "draft": None}
    assert create(server, resource) == ""


def test_removals_of_the_pod_template_reach_the_operator_and_nulls_do_not(server: RunningLab, namespace: str) -> None:
    one = {"annotations": {"prometheus.io/scrape": {"$patch": "delete"}}}
    removed = {"metadata": one, "spec": {"nodeSelector": {"$patch": "delete"}, "affinity": None}}
    name = kept(server, namespace, podTemplate=removed)
    template = stored(server, namespace, name)["spec"]["podTemplate"]
    assert template == {"metadata": one, "spec": {"nodeSelector": {"$patch": "delete"}}}


def test_an_unknown_field_is_refused_by_name(server: RunningLab) -> None:
    objection = create(server, merged(accepted(), {"spec": {"drafts": {"model": "x"}}}))
    assert 'unknown field "spec.drafts"' in objection


@pytest.mark.parametrize("template", [{"toleration": []}, {"terminationGracePeriodSeconds": "soon"}], ids=str)
async def test_a_body_that_the_api_server_cannot_read_is_refused_and_not_tried_for_ever(
    server: RunningLab, template: dict[str, Any]
) -> None:
    labels = {"app": "x"}
    spec = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": template}}
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "x", "namespace": "default"},
        "spec": spec,
    }
    rest = Rest(await connect(server.kubeconfig))
    try:
        with pytest.raises(Refused, match=r"\.spec\.template\.spec"):
            await KubernetesCluster(rest).apply(body)
    finally:
        await rest.close()


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(specs)
def test_the_api_server_takes_what_pydantic_takes(server: RunningLab, wire: dict[str, Any]) -> None:
    SpeculativeDeploymentSpec.model_validate(wire)
    resource = accepted() | {"spec": wire}
    assert create(server, resource) == ""


def test_defaults_are_shown_and_mean_the_same_to_python(server: RunningLab, namespace: str) -> None:
    resource = accepted()
    name = kept(server, namespace)
    spec = stored(server, namespace, name)["spec"]
    assert spec["evidence"]["window"] == "10m"
    assert spec["policy"]["holdback"] == {"mode": "Auto", "replicas": 1}
    assert spec["draft"]["acceptance"] == {"method": "Rejection", "allowLossy": False}
    assert spec["thresholds"]["speedup"] == {"promote": "1.05", "disable": "0.98"}
    assert "alternatives" not in spec
    assert SpeculativeDeploymentSpec.model_validate(spec) == SpeculativeDeploymentSpec.model_validate(resource["spec"])


def test_kubectl_scale_works(server: RunningLab, namespace: str) -> None:
    name = kept(server, namespace)
    server.kubectl("scale", f"spd/{name}", "--replicas=6", "-n", namespace)
    assert stored(server, namespace, name)["spec"]["replicas"] == 6


def test_scaling_below_the_holdback_is_refused_with_the_way_out(server: RunningLab, namespace: str) -> None:
    name = kept(server, namespace, policy={"holdback": {"mode": "Always", "replicas": 2}})
    result = server.kubectl("scale", f"spd/{name}", "--replicas=2", "-n", namespace, check=False)
    assert result.returncode != 0
    assert "write Auto or Never as policy.holdback.mode" in result.stderr
    server.kubectl("scale", f"spd/{name}", "--replicas=0", "-n", namespace)


def test_scale_shows_replicas_and_selector_of_the_status(server: RunningLab, namespace: str) -> None:
    name = kept(server, namespace)
    report(server, namespace, name, {"replicas": 4, "selector": "breakeven.dev/resource=good"})
    path = f"/apis/breakeven.dev/v1alpha1/namespaces/{namespace}/speculativedeployments/{name}/scale"
    scale = json.loads(server.kubectl("get", "--raw", path).stdout)
    assert scale["status"] == {"replicas": 4, "selector": "breakeven.dev/resource=good"}


def report(server: RunningLab, namespace: str, name: str, status: dict[str, Any]) -> None:
    patch = json.dumps({"status": status})
    server.kubectl("patch", "spd", name, "-n", namespace, "--subresource=status", "--type=merge", "-p", patch)


def test_columns_answer_what_is_on_and_why(server: RunningLab, namespace: str) -> None:
    name = kept(server, namespace)
    why = {"reason": "BelowBreakEven", "message": "Switched off.", "figures": "Measured: S 0.91 [0.88, 0.94]"}
    report(server, namespace, name, {"state": "Cooldown", "ready": "4/4", "speedup": "0.91", **why})
    head, row = server.kubectl("get", "spd", "-n", namespace).stdout.splitlines()
    columns = ["NAME", "READY", "STATE", "SPEEDUP", "REASON", "MESSAGE", "AGE"]
    assert head.split() == columns
    assert row.split()[:-1] == [name, "4/4", "Cooldown", "0.91", "BelowBreakEven", "Switched", "off."]
    wide, figures = server.kubectl("get", "spd", "-n", namespace, "-o", "wide").stdout.splitlines()
    assert wide.split()[len(columns) :] == ["AWAKE", "MODE", "METHOD", "TARGET", "ENGINE", "EVIDENCE", "HOLD"]
    assert why["figures"] in figures


def test_a_full_status_is_kept_to_the_letter(server: RunningLab, namespace: str) -> None:
    name = kept(server, namespace)
    spec = SpeculativeDeploymentSpec.model_validate(accepted()["spec"])
    variant = declared_variant(spec)
    at = datetime(2026, 1, 1, 12, tzinfo=UTC)
    record = DecisionRecord(at=at, action="Promote", reason="Pays", message="S 1.31 (1.28–1.34)", generation=1)
    conditions = set_condition(
        [],
        type=ConditionType.READY,
        status=True,
        reason=Reason.SERVING,
        message="4 of 4",
        generation=1,
        now=at,
    )
    memory = Memory(
        generation=1,
        stable=variant,
        canary=variant.baseline,
        last_good=LastGood(variant=variant, verified_at=at, reason="S 1.31"),
        decisions=[record] * 20,
        transitions=[at],
    )
    status = Status(
        state=State.SPECULATING,
        since=at,
        memory=memory,
        conditions=conditions,
        details=Details(
            variants=[VariantStatus(name=variant.name, role=Role.STABLE, speculation="off", wanted=4, ready=4)],
            decisions=[record] * 5,
            evidence=EvidenceStatus(speedup=Decimal("1.31"), acceptance=Decimal(1) / 3, message="measured"),
        ),
        replicas=4,
    )
    report(server, namespace, name, status.model_dump(mode="json", exclude_none=True))
    read = Status.model_validate(stored(server, namespace, name)["status"])
    assert read == status
    assert read.memory.stable is not None
    assert read.memory.stable.name == variant.name


def test_what_an_earlier_release_remembered_is_not_pruned(server: RunningLab, namespace: str) -> None:
    name = kept(server, namespace)
    unknown = {"engine": {"image": "v"}, "target": {"model": "m"}, "draft": {"method": "Telepathy", "speed": 9}}
    report(server, namespace, name, {"stable": unknown})
    assert stored(server, namespace, name)["status"]["stable"] == unknown


def test_wait_for_a_condition_works(server: RunningLab, namespace: str) -> None:
    name = kept(server, namespace)
    at = {"lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1, "message": ""}
    report(server, namespace, name, {"conditions": [{"type": "Ready", "status": "True", "reason": "Serving", **at}]})
    server.kubectl("wait", "--for=condition=Ready", f"spd/{name}", "-n", namespace, "--timeout=5s")


@pytest.mark.parametrize(
    ("field", "says"),
    [
        ("spd.spec.evidence.window", "Default 10m"),
        ("spd.spec.draft.model", "only for methods that need none"),
        ("spd.spec.draft.acceptance.allowLossy", "Consent to methods that change the output distribution"),
        ("spd.spec.policy.switching.windows.start", "HH:MM in UTC"),
        ("spd.spec.engine.env.name", "Name of the variable"),
        ("spd.status.figures", "acceptance against break-even"),
        ("spd.status.conditions.message", "A sentence, then the figures and what to do"),
    ],
)
def test_explain_says_meaning_and_default(server: RunningLab, field: str, says: str) -> None:
    text = " ".join(server.kubectl("explain", field).stdout.split())
    assert says in text


def test_the_resource_is_found_by_its_categories(server: RunningLab, namespace: str) -> None:
    name = kept(server, namespace)
    for category in ("breakeven", "inference"):
        assert name in server.kubectl("get", category, "-n", namespace, "-o", "name").stdout


def test_labels_of_the_pod_template_that_are_null_do_not_reach_the_operator(server: RunningLab, namespace: str) -> None:
    """The API server refuses them or drops them; either way no managed label is taken away."""
    resource = merged(accepted(), {"metadata": {"namespace": namespace}})
    resource["spec"]["podTemplate"] = {"metadata": {"labels": None, "annotations": {"a": "b"}}}
    made = server.kubectl("create", "-f", "-", input=json.dumps(resource), check=False)
    if made.returncode:
        assert "spec.podTemplate.metadata.labels" in made.stderr
    else:
        template = stored(server, namespace, resource["metadata"]["name"])["spec"]["podTemplate"]
        assert template == {"metadata": {"annotations": {"a": "b"}}}


def test_an_environment_too_large_for_the_status_is_refused_with_what_to_do(server: RunningLab) -> None:
    resource = accepted()
    resource["spec"]["engine"]["env"] = [{"name": f"A{n}", "value": "x" * 20_000} for n in range(2)]
    objection = create(server, resource)
    assert "spec.engine.env" in objection
    assert "write at most 32768 characters in all values together" in objection
