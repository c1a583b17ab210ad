"""What stands in front of the pods: our Service as it is declared, or somebody else's that finds them."""

from typing import Any

import pytest

from breakeven.api.names import MANAGED_BY, RESOURCE
from breakeven.api.spec import ServiceSpec, SpeculativeDeploymentSpec
from breakeven.api.status import Role
from breakeven.api.variant import declared_variant
from breakeven.domain.decision import Placement
from breakeven.render import Owner, Rendering, check, desired

OWNER = Owner(name="llama", namespace="inference")


def rendered(**more: Any) -> Rendering:
    body: dict[str, Any] = {"engine": {"image": "vllm/vllm-openai:v0.33.0"}, "target": {"model": "m"}}
    for key, value in more.items():
        body[key] = body[key] | value if key in body else value
    spec = SpeculativeDeploymentSpec.model_validate(body)
    placement = Placement(variant=declared_variant(spec), role=Role.STABLE, replicas=1)
    return desired(OWNER, [placement], service=spec.service, with_pod_monitor=True)


def template(made: Rendering) -> dict[str, Any]:
    (deployment,) = made.deployments.values()
    found: dict[str, Any] = deployment["spec"]["template"]
    return found


def test_the_port_is_the_same_wherever_it_is_named() -> None:
    made = rendered(engine={"port": 8080, "portName": "web"})
    service, monitor = made.shared
    container = template(made)["spec"]["containers"][0]
    assert "--port=8080" in container["args"]
    assert container["ports"] == [{"name": "web", "containerPort": 8080}]
    assert {container[f"{kind}Probe"]["httpGet"]["port"] for kind in ("startup", "readiness", "liveness")} == {"web"}
    assert template(made)["metadata"]["annotations"]["prometheus.io/port"] == "8080"
    assert service["spec"]["ports"] == [{"name": "http", "port": 8000, "protocol": "TCP", "targetPort": "web"}]
    assert monitor["spec"]["podMetricsEndpoints"][0]["port"] == "web"


def test_the_service_has_what_a_load_balancer_reads() -> None:
    wanted = {"port": 80, "labels": {"team": "search"}, "annotations": {"example.com/internal": "true"}}
    service = rendered(service=wanted).shared[0]
    assert service["metadata"]["labels"] == {"team": "search", **service["metadata"]["labels"]}
    assert service["metadata"]["annotations"] == wanted["annotations"]
    assert service["spec"]["ports"][0]["port"] == 80
    assert service["spec"]["selector"] == {MANAGED_BY: "breakeven", RESOURCE: "llama"}


def test_no_service_is_made_where_another_is_in_front() -> None:
    assert [o["kind"] for o in rendered(service={"enabled": False}).shared] == ["PodMonitor"]


@pytest.mark.parametrize(
    ("service", "field"),
    [
        ({"labels": {RESOURCE: "x"}}, f"service.labels.{RESOURCE}"),
        ({"labels": {"a": "no spaces"}}, "service.labels.a"),
        ({"annotations": {"-a": "x"}}, "service.annotations.-a"),
    ],
)
def test_labels_that_cannot_be_are_refused_by_name(service: dict[str, Any], field: str) -> None:
    assert [refusal.field for refusal in rendered(service=service).refusals] == [field]


def test_pods_take_the_labels_that_a_service_of_the_teams_selects() -> None:
    labels = {"app.kubernetes.io/name": "llama-server", "app.kubernetes.io/instance": "prod", "app": "llama"}
    made = rendered(podTemplate={"metadata": {"labels": labels}})
    assert made.refusals == ()
    assert labels.items() <= template(made)["metadata"]["labels"].items()


def test_more_ports_are_added_and_the_engines_own_stays() -> None:
    more = {"name": "kv-events", "containerPort": 5557}
    engine = {"name": "engine", "ports": [more]}
    made = rendered(podTemplate={"spec": {"containers": [engine]}})
    assert template(made)["spec"]["containers"][0]["ports"] == [{"name": "http", "containerPort": 8000}, more]


@pytest.mark.parametrize("port", [{"name": "http", "containerPort": 1}, {"name": "x", "containerPort": 8000}])
def test_a_port_that_takes_the_place_of_the_engines_is_refused(port: dict[str, Any]) -> None:
    engine = {"name": "engine", "ports": [port]}
    (refusal,) = rendered(podTemplate={"spec": {"containers": [engine]}}).refusals
    assert refusal.field == "podTemplate.spec.containers[engine].ports[0]"


def test_further_names_follow_the_flag() -> None:
    arguments = template(rendered(target={"servedName": "a", "alsoServedAs": ["b", "c"]}))["spec"]["containers"][0][
        "args"
    ]
    place = arguments.index("--served-model-name")
    assert arguments[place : place + 4] == ["--served-model-name", "a", "b", "c"]


def test_a_service_that_says_nothing_is_the_default_one() -> None:
    assert ServiceSpec() == SpeculativeDeploymentSpec.model_fields["service"].default
    assert (
        check(
            declared_variant(
                SpeculativeDeploymentSpec.model_validate(
                    {"engine": {"image": "vllm/vllm-openai:v0.33.0"}, "target": {"model": "m"}}
                )
            )
        )
        == ()
    )
