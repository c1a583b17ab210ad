"""Chart and manifests, as far as they can be read without Helm; rendering is in tests/e2e/test_chart.py."""

import json
import re
from pathlib import Path
from typing import Any

import yaml

import breakeven
from breakeven.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "breakeven"
INSTALL = ROOT / "manifests" / "install"


def values() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    return read


def test_chart_and_package_have_the_same_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert chart["version"] == chart["appVersion"] == breakeven.__version__
    kustomization = yaml.safe_load((INSTALL / "kustomization.yaml").read_text(encoding="utf-8"))
    assert kustomization["images"][0]["newTag"] == breakeven.__version__


def test_every_variable_that_the_chart_sets_is_a_setting() -> None:
    text = (CHART / "templates" / "deployment.yaml").read_text(encoding="utf-8")
    names = set(re.findall(rf"name: {PREFIX}([A-Z_]+)", text))
    assert names <= {name.upper() for name in Settings.model_fields}
    assert {"PROMETHEUS_URL", "PROMETHEUS_ALLOWED", "NAMESPACES", "HEALTH_PORT", "LEASE_NAMESPACE"} <= names


def test_every_value_is_in_the_schema_and_has_a_comment_or_a_telling_name() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    assert schema["additionalProperties"] is False
    assert set(values()) == set(schema["properties"]) - {"global"}
    for name, part in values().items():
        known = schema["properties"][name].get("properties")
        if known is not None and part:
            assert set(part) == set(known), name


def test_every_manifest_is_part_of_the_kustomization() -> None:
    kustomization = yaml.safe_load((INSTALL / "kustomization.yaml").read_text(encoding="utf-8"))
    there = {path.name for path in INSTALL.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(kustomization["resources"]) == there


def test_no_registry_is_named() -> None:
    for path in [*CHART.rglob("*"), *INSTALL.glob("*"), ROOT / "Dockerfile"]:
        if path.is_file():
            assert not re.search(r"\b(docker|ghcr|quay|gcr)\.io\b", path.read_text(encoding="utf-8")), path
