"""The rights that chart and manifests give are those the code declares, and the code declares what it does."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import kopf
import pytest
import yaml
from tests.support.warm_world import WarmWorld
from tests.support.world import World

from breakeven.adapters.kubernetes.rights import RIGHTS, Right, right_for
from breakeven.api.spec import DisruptionBudgetSpec, SpeculativeDeploymentSpec
from breakeven.api.status import Role
from breakeven.api.variant import declared_variant
from breakeven.control.cache import Cache
from breakeven.control.queue import KeyQueue
from breakeven.control.resync import Resync
from breakeven.domain.decision import Placement
from breakeven.handlers import watch
from breakeven.render.names import Owner
from breakeven.render.objects import desired

ROOT = Path(__file__).parents[2]
CLUSTER_ONLY = "customresourcedefinitions"
Rights = Mapping[tuple[str, str], frozenset[str]]


def declared(chosen: Callable[[Right], bool]) -> Rights:
    return {(r.group, r.resource): frozenset(r.verbs) for r in RIGHTS if chosen(r)}


def given(rules: list[dict[str, Any]]) -> Rights:
    found: dict[tuple[str, str], frozenset[str]] = {}
    for rule in rules:
        assert set(rule) == {"apiGroups", "resources", "verbs"}, "nothing is granted by name or by URL"
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                assert (group, resource) not in found, f"{group}/{resource} is granted twice"
                found[group, resource] = frozenset(rule["verbs"])
    return found


def manifest(kind: str, name: str) -> dict[str, Any]:
    documents = yaml.safe_load_all((ROOT / "manifests" / "install" / "rbac.yaml").read_text(encoding="utf-8"))
    return next(d for d in documents if (d["kind"], d["metadata"]["name"]) == (kind, name))


def helper(name: str) -> list[dict[str, Any]]:
    text = (ROOT / "charts" / "breakeven" / "templates" / "_helpers.tpl").read_text(encoding="utf-8")
    block = re.search(rf'{{{{- define "{re.escape(name)}" -}}}}\n(.*?){{{{- end }}}}', text, re.DOTALL)
    assert block, name
    rules: list[dict[str, Any]] = yaml.safe_load(block[1])
    return rules


def test_the_manifests_give_the_cluster_rights_that_are_declared() -> None:
    assert given(manifest("ClusterRole", "breakeven")["rules"]) == declared(lambda r: not r.own_namespace)


def test_the_manifests_give_the_lease_in_the_operators_namespace_only() -> None:
    role = manifest("Role", "breakeven-lease")
    assert given(role["rules"]) == declared(lambda r: r.own_namespace)
    assert role["metadata"]["namespace"] == "breakeven-system"


def test_the_chart_gives_the_rights_that_are_declared() -> None:
    watched = declared(lambda r: not r.own_namespace and r.resource != CLUSTER_ONLY)
    assert given(helper("breakeven.rules")) == watched
    assert given(helper("breakeven.clusterRules")) == declared(lambda r: r.resource == CLUSTER_ONLY)


def test_nothing_is_granted_with_a_wildcard_and_specs_are_never_written() -> None:
    for right in RIGHTS:
        assert "*" not in (right.group, right.resource, *right.verbs)
        assert right.why
    (own,) = (r for r in RIGHTS if r.resource == "speculativedeployments")
    assert not {"create", "update", "patch", "delete"} & set(own.verbs)


def test_a_call_that_is_not_declared_fails() -> None:
    assert right_for("apps/v1", "Deployment", "patch").resource == "deployments"
    for call in (("apps/v1", "Deployment", "update"), ("v1", "Secret", "get")):
        with pytest.raises(KeyError):
            right_for(*call)


def watched_kinds(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    return {right.kind for right in watched_rights(monkeypatch)}


def watched_rights(monkeypatch: pytest.MonkeyPatch) -> list[Right]:
    watched: list[tuple[str, ...]] = []

    def event(*where: str, **_: Any) -> Callable[[Any], Any]:
        watched.append(where)
        return lambda handler: handler

    monkeypatch.setattr(kopf.on, "event", event)
    watch.register(kopf.OperatorRegistry(), Cache(), KeyQueue())
    return [r for where in watched for r in RIGHTS if (r.group, r.version, r.resource) == where]


def test_everything_that_is_watched_may_be_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    rights = watched_rights(monkeypatch)
    assert len(rights) == 4
    for right in rights:
        assert {"list", "watch"} <= set(right.verbs)


def test_everything_that_is_rendered_may_be_applied() -> None:
    spec = SpeculativeDeploymentSpec.model_validate(
        {"engine": {"image": "vllm/vllm-openai:v0.33.0"}, "target": {"model": "m"}, "replicas": 2}
    )
    placement = Placement(variant=declared_variant(spec), role=Role.STABLE, replicas=2)
    owner, budget = Owner(name="a", namespace="n"), DisruptionBudgetSpec()
    rendering = desired(owner, (placement,), with_pod_monitor=True, budget=budget)
    kinds = {(m["apiVersion"], m["kind"]) for m in rendering.objects}
    assert {kind for _, kind in kinds} == {"Deployment", "Service", "PodMonitor", "PodDisruptionBudget"}
    for api_version, kind in kinds:
        assert right_for(api_version, kind, "patch") == right_for(api_version, kind, "create")


_VERBS = {"apply": ("create", "patch"), "status": ("patch",)}
"""What a call of the port needs: server-side apply creates as well."""


async def test_rights_to_objects_are_those_that_a_whole_story_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.cluster.kinds.add("PodMonitor")
    resync = Resync(world.cluster, world.cache, ())
    await resync.run()
    world.reconciler.with_pod_monitors = resync.pod_monitors
    await world.settle()
    for command in ("retry", "abort"):
        world.command(command)
        await world.settle()
    for release in ("0.12.0", "0.13.0", "0.14.0"):  # Deployments that nobody needs any more are deleted
        world.edit_spec(engine={"image": f"vllm/vllm-openai:v{release}"})
        await world.settle()
    world.edit_spec(service={"enabled": False}, disruptionBudget={})
    await world.settle()
    world.edit_spec(disruptionBudget=None)
    await world.settle()
    warm = WarmWorld()
    for release in ("0.26.0", "0.27.0", "0.28.0", "0.29.0"):
        warm.edit_spec(engine={"image": f"vllm/vllm-openai:v{release}"})
        await warm.settle()
    warm.edit_spec(policy={"switching": {"mode": "Warm", "drainTimeout": "5s"}})
    await warm.settle()
    used = {
        (call.kind, call.verb == "status", verb)
        for call in (*world.cluster.calls, *warm.cluster.calls)
        for verb in _VERBS.get(call.verb, (call.verb,))
    }
    used |= {(kind, False, verb) for kind in watched_kinds(monkeypatch) for verb in ("list", "watch")}
    given = {
        (r.kind, "/" in r.resource, verb) for r in RIGHTS for verb in r.verbs if r.kind in {kind for kind, _, _ in used}
    }
    assert used == given


def test_the_binding_names_the_service_account_of_the_manifests() -> None:
    account = yaml.safe_load((ROOT / "manifests" / "install" / "serviceaccount.yaml").read_text(encoding="utf-8"))
    for kind, name in (("ClusterRoleBinding", "breakeven"), ("RoleBinding", "breakeven-lease")):
        (subject,) = manifest(kind, name)["subjects"]
        assert (subject["name"], subject["namespace"]) == (
            account["metadata"]["name"],
            account["metadata"]["namespace"],
        )
