"""What people tell a resource: one patch each, and what Git will make of it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from breakeven.api.names import COMMAND, MODE_BEFORE_OFF
from breakeven.plugin import orders
from breakeven.plugin.gitops import manager_of, overwritten


def body(mode: str | None = None, *, paused: bool = False, before: str | None = None) -> dict[str, Any]:
    policy: dict[str, Any] = {**({"mode": mode} if mode else {}), **({"paused": True} if paused else {})}
    return {
        "metadata": {"annotations": {MODE_BEFORE_OFF: before} if before else {}},
        "spec": {"policy": policy} if policy else {},
    }


def mode_of(order: orders.Order) -> str:
    return str(order.patch["spec"]["policy"]["mode"])


def test_off_and_on_come_back_to_where_they_began() -> None:
    for mode in ("Auto", "Advise", "AlwaysOn"):
        made = orders.off(body(mode))
        assert mode_of(made) == "AlwaysOff"
        before = made.patch["metadata"]["annotations"][MODE_BEFORE_OFF]
        back = orders.on(body("AlwaysOff", before=before), always=False)
        assert mode_of(back) == mode
        assert back.patch["metadata"]["annotations"] == {MODE_BEFORE_OFF: None}
    assert mode_of(orders.off(body())) == "AlwaysOff"


def test_on_measures_and_does_not_pin_unless_asked() -> None:
    assert mode_of(orders.on(body("AlwaysOff"), always=False)) == "Auto"
    assert mode_of(orders.on(body("AlwaysOff", before="nonsense"), always=False)) == "Auto"
    assert mode_of(orders.on(body("Auto"), always=True)) == "AlwaysOn"


@pytest.mark.parametrize("mode", [None, "Auto", "Advise", "AlwaysOn"])
def test_on_changes_nothing_where_it_was_not_off(mode: str | None) -> None:
    assert orders.on(body(mode), always=False).patch == {}


def test_what_is_so_already_is_no_patch() -> None:
    assert orders.off(body("AlwaysOff")).patch == {}
    assert orders.auto(body("Auto")).patch == orders.auto(body()).patch == {}
    assert mode_of(orders.auto(body("AlwaysOn"))) == "Auto"
    assert orders.pause(body(paused=True), True).patch == {} and orders.pause(body(), False).patch == {}
    assert orders.pause(body(), True).patch == {"spec": {"policy": {"paused": True}}}
    assert orders.pause(body(paused=True), False).patch == {"spec": {"policy": {"paused": False}}}


def test_a_command_given_twice_is_two_commands_that_fit_the_annotation() -> None:
    first, second = (orders.command("promote", datetime(2026, 3, 2, 12, 0, s, tzinfo=UTC)) for s in (0, 1))
    texts = [made.patch["metadata"]["annotations"][COMMAND] for made in (first, second)]
    assert texts[0] != texts[1]
    assert all(text.startswith("promote/") and len(text) <= 64 for text in texts)


@pytest.mark.parametrize(
    ("metadata", "who"),
    [
        ({"annotations": {"argocd.argoproj.io/tracking-id": "a:b"}}, "Argo CD"),
        ({"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}}, "Flux"),
        ({"managedFields": [{"manager": "kubectl-breakeven"}, {"manager": "argocd-controller"}]}, "Argo CD"),
        ({"managedFields": [{"manager": "kustomize-controller"}]}, "Flux"),
        ({"annotations": {"meta.helm.sh/release-name": "x"}}, "Helm"),
        ({"managedFields": [{"manager": "kubectl-client-side-apply"}, {}, "x"]}, ""),
        ({}, ""),
    ],
)
def test_who_else_writes_the_resource_is_told(metadata: dict[str, Any], who: str) -> None:
    assert manager_of({"metadata": metadata}) == who
    said = overwritten({"metadata": metadata}, "spec.policy.mode: AlwaysOff")
    assert bool(said) == bool(who)
    assert not who or (who in said and "spec.policy.mode: AlwaysOff" in said and "Git" in said)
