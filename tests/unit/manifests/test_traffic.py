"""The examples of what stands in front of a resource and beside it name what is really there."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from breakeven.api.base import API_VERSION, KIND
from breakeven.api.crd import definition
from breakeven.api.serving import DEFAULT_PORT
from breakeven.api.spec import ServiceSpec
from breakeven.render.names import Owner, service_selector

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "manifests" / "traffic"
NAME = "llama"
FILES = sorted(FOLDER.glob("*.yaml"))


def only(file: str, kind: str) -> dict[str, Any]:
    documents = yaml.safe_load_all((FOLDER / file).read_text(encoding="utf-8"))
    (found,) = (d for d in documents if d["kind"] == kind)
    spec: dict[str, Any] = found["spec"]
    return spec


def test_a_pool_selects_every_replica_at_its_port() -> None:
    pool = only("inferencepool.yaml", "InferencePool")
    assert pool["selector"]["matchLabels"] == service_selector(Owner(name=NAME, namespace="inference"))
    assert pool["targetPorts"] == [{"number": DEFAULT_PORT}]
    ((backend,),) = [rule["backendRefs"] for rule in only("inferencepool.yaml", "HTTPRoute")["rules"]]
    assert (backend["group"], backend["kind"], backend["name"]) == (
        "inference.networking.k8s.io",
        "InferencePool",
        NAME,
    )


def test_a_route_leads_to_the_service_that_is_made() -> None:
    ((_, ours),) = [rule["backendRefs"] for rule in only("httproute.yaml", "HTTPRoute")["rules"]]
    assert (ours["name"], ours["port"]) == (NAME, ServiceSpec().port)


@pytest.mark.parametrize(("file", "kind"), [("hpa.yaml", "HorizontalPodAutoscaler"), ("keda.yaml", "ScaledObject")])
def test_what_scales_names_the_scale_subresource(file: str, kind: str) -> None:
    assert only(file, kind)["scaleTargetRef"] == {"apiVersion": API_VERSION, "kind": KIND, "name": NAME}
    (version,) = definition()["spec"]["versions"]
    assert version["subresources"]["scale"]["specReplicasPath"] == ".spec.replicas"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_example_is_on_the_page(path: Path) -> None:
    assert f"manifests/traffic/{path.name}" in (ROOT / "docs" / "traffic.md").read_text(encoding="utf-8")
