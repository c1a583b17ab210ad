"""Objects for one resource: names, labels, placement, start and stop."""

from typing import Any

import pytest

from breakeven.api.names import RESOURCE, ROLE, VARIANT
from breakeven.api.spec import DisruptionBudgetSpec
from breakeven.api.status import Role
from breakeven.api.variant import Variant
from breakeven.domain.decision import Placement
from breakeven.render import Owner, desired

OWNER = Owner(name="llama", namespace="inference", uid="0000-1111")


def variant(release: str = "0.33.0", **more: Any) -> Variant:
    body: dict[str, Any] = {
        "engine": {"image": f"vllm/vllm-openai:v{release}"},
        "target": {"model": "meta-llama/Llama-3.1-70B-Instruct"},
        "draft": {"method": "NGram"},
        "hardware": {"gpusPerReplica": 2},
    }
    for key, value in more.items():
        body[key] = body[key] | value if isinstance(body.get(key), dict) else value
    return Variant.model_validate(body)


def deployment(made: Variant) -> dict[str, Any]:
    rendering = desired(OWNER, [Placement(variant=made, role=Role.STABLE, replicas=3)])
    assert rendering.refusals == ()
    return rendering.deployments[made.name]


def pod(made: Variant) -> dict[str, Any]:
    spec: dict[str, Any] = deployment(made)["spec"]["template"]["spec"]
    return spec


def container(made: Variant) -> dict[str, Any]:
    found: dict[str, Any] = pod(made)["containers"][0]
    return found


def test_one_deployment_per_variant_behind_one_service() -> None:
    on = variant()
    placements = [
        Placement(variant=on.baseline, role=Role.STABLE, replicas=3),
        Placement(variant=on, role=Role.CANARY, replicas=1),
    ]
    objects = desired(OWNER, placements).objects

    assert [(o["kind"], o["metadata"]["name"]) for o in objects] == [
        ("Service", "llama"),
        ("Deployment", f"llama-{on.baseline.name}"),
        ("Deployment", f"llama-{on.name}"),
    ]
    assert [o["spec"]["replicas"] for o in objects[1:]] == [3, 1]
    selector = objects[0]["spec"]["selector"]
    for made in objects[1:]:
        assert selector.items() <= made["spec"]["template"]["metadata"]["labels"].items()


def test_every_object_is_owned_and_labelled() -> None:
    placements = [Placement(variant=variant(), role=Role.STABLE, replicas=2)]
    objects = desired(OWNER, placements, with_pod_monitor=True, budget=DisruptionBudgetSpec()).objects

    assert [o["kind"] for o in objects] == ["Service", "PodMonitor", "PodDisruptionBudget", "Deployment"]
    for made in objects:
        (reference,) = made["metadata"]["ownerReferences"]
        assert reference["uid"] == OWNER.uid
        assert reference["controller"] is True
        assert made["metadata"]["labels"][RESOURCE] == "llama"


def test_selectors_match_the_pods_of_one_variant_only() -> None:
    made = deployment(variant())

    assert made["spec"]["selector"]["matchLabels"][VARIANT] == variant().name
    assert made["spec"]["selector"]["matchLabels"].items() <= made["spec"]["template"]["metadata"]["labels"].items()


def test_the_role_and_the_count_do_not_touch_the_pod_template() -> None:
    made = variant()
    stable = desired(OWNER, [Placement(variant=made, role=Role.STABLE, replicas=3)]).deployments[made.name]
    canary = desired(OWNER, [Placement(variant=made, role=Role.CANARY, replicas=1)]).deployments[made.name]

    assert stable["metadata"]["annotations"][ROLE] != canary["metadata"]["annotations"][ROLE]
    assert stable["spec"]["template"] == canary["spec"]["template"]


def test_the_budget_counts_the_replicas_of_all_variants_and_never_holds_a_node_for_one_that_loads() -> None:
    on = variant(draft={"method": "NGram", "numSpeculativeTokens": 3})
    placements = [
        Placement(variant=on, role=Role.STABLE, replicas=3),
        Placement(variant=on.baseline, role=Role.HOLDBACK, replicas=1),
    ]
    rendering = desired(OWNER, placements, budget=DisruptionBudgetSpec(maxUnavailable=2))
    (budget,) = (o for o in rendering.shared if o["kind"] == "PodDisruptionBudget")
    assert budget["spec"]["maxUnavailable"] == 2
    assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    selector = budget["spec"]["selector"]["matchLabels"]
    for made in rendering.deployments.values():
        assert selector.items() <= made["spec"]["template"]["metadata"]["labels"].items()


def test_no_budget_unless_it_is_asked_for() -> None:
    rendering = desired(OWNER, [Placement(variant=variant(), role=Role.STABLE, replicas=3)])

    assert [o["kind"] for o in rendering.shared] == ["Service"]


def test_a_rolling_update_never_waits_for_a_gpu_that_is_not_there() -> None:
    assert deployment(variant())["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}


def test_gpus_are_limit_and_request_and_cover_every_rank() -> None:
    assert container(variant())["resources"]["limits"] == {"nvidia.com/gpu": "2"}
    wide = variant(
        engine={"extraArgs": ["--pipeline-parallel-size=2", "--data-parallel-size", "2"]},
        hardware={"gpusPerReplica": 8, "tensorParallelSize": 2},
    )
    assert "--tensor-parallel-size=2" in container(wide)["args"]
    assert container(wide)["resources"] == {"limits": {"nvidia.com/gpu": "8"}, "requests": {"nvidia.com/gpu": "8"}}


def test_nodes_are_chosen_by_gpu_product_or_by_the_declared_selector() -> None:
    only_h200 = pod(variant(hardware={"accelerators": ["H200"]}))
    terms = only_h200["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    (expression,) = terms["nodeSelectorTerms"][0]["matchExpressions"]
    own = pod(variant(hardware={"nodeSelector": {"pool": "gpu"}}))

    assert expression["values"] == ["NVIDIA-H200", "NVIDIA-H200-NVL"]
    assert own["nodeSelector"] == {"pool": "gpu"}
    assert "affinity" not in own
    assert own["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]


@pytest.mark.parametrize("timeout", ["10s", "45s", "5m", "30m", "24h"])
def test_probes_give_the_engine_its_start_up_time(timeout: str) -> None:
    made = variant(engine={"startupTimeout": timeout})
    probe = container(made)["startupProbe"]
    seconds = made.engine.startup_timeout.total_seconds()

    assert probe["periodSeconds"] * probe["failureThreshold"] >= seconds
    assert probe["periodSeconds"] <= 10
    assert deployment(made)["spec"]["progressDeadlineSeconds"] > seconds


@pytest.mark.parametrize(("release", "sleep"), [("0.33.0", 5), ("0.18.0", 5), ("0.17.1", 65)])
def test_a_replica_leaves_the_endpoints_before_it_drains(release: str, sleep: int) -> None:
    made = variant(release)
    seconds = container(made)["lifecycle"]["preStop"]["sleep"]["seconds"]
    drain = sum("--shutdown-timeout=60" in a for a in container(made)["args"]) * 60

    assert seconds == sleep
    assert pod(made)["terminationGracePeriodSeconds"] > seconds + drain + 15


def test_the_pod_is_unprivileged_with_writable_caches() -> None:
    spec, engine = pod(variant()), container(variant())
    mounts = {m["mountPath"] for m in engine["volumeMounts"]}
    homes = {e["value"] for e in engine["env"] if e["name"] in ("HOME", "HF_HOME", "VLLM_CACHE_ROOT")}

    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert engine["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert len(homes) == 3
    assert all(any(home.startswith(mount) for mount in mounts) for home in homes)
    assert {"name": "shm", "mountPath": "/dev/shm"} in engine["volumeMounts"]


def test_an_engine_that_crashes_leaves_its_last_words_in_the_status_of_its_pod() -> None:
    assert container(variant())["terminationMessagePolicy"] == "FallbackToLogsOnError"


def test_the_command_is_a_list_without_a_shell() -> None:
    engine = container(variant())

    assert engine["command"] == ["vllm", "serve"]
    assert engine["args"][0] == "meta-llama/Llama-3.1-70B-Instruct"


def test_declared_variables_win_over_ours() -> None:
    env = [
        {"name": "HF_HOME", "value": "/models"},
        {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "t", "key": "k"}}},
    ]
    made = container(variant(engine={"env": env}))["env"]

    assert [e["value"] for e in made if e["name"] == "HF_HOME"] == ["/models"]
    assert made[-1] == env[-1]


def test_overrides_reach_the_pod() -> None:
    made = variant(podTemplate={"spec": {"priorityClassName": "serving"}})

    assert pod(made)["priorityClassName"] == "serving"


def test_buckets_are_the_same_on_every_variant() -> None:
    found = [[a for a in container(v)["args"] if "histogram" in a] for v in (variant(), variant().baseline)]

    assert found[0] == found[1] != []


def test_a_refused_variant_has_no_deployment_and_is_named_once() -> None:
    bad = variant("0.12.0", draft={"method": "DraftModel", "model": "/models/draft"})
    placements = [
        Placement(variant=bad.baseline, role=Role.STABLE, replicas=1),
        Placement(variant=bad, role=Role.CANARY, replicas=1),
        Placement(variant=bad, role=Role.HOLDBACK, replicas=1),
    ]
    rendering = desired(OWNER, placements)

    assert list(rendering.deployments) == [bad.baseline.name]
    assert [r.field for r in rendering.refusals] == ["draft.method"]


def test_a_name_that_does_not_fit_is_refused() -> None:
    rendering = desired(Owner(name="A" * 60, namespace="x"), [])

    assert rendering.objects == ()
    assert [r.field for r in rendering.refusals] == ["metadata.name"]
