"""The generated definition: structural, bounded, explained, and equal to the files that are checked in."""

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from breakeven.api.crd import PRESERVE, NotStructural, definition, structural
from breakeven.api.publish import published
from breakeven.api.reference import walk
from breakeven.api.rules import VALIDATIONS
from breakeven.api.spec import SpeculativeDeploymentSpec

ROOT = Path(__file__).parents[3]
PUBLISHED = published()
VERSION = definition()["spec"]["versions"][0]
SCHEMA = VERSION["schema"]["openAPIV3Schema"]
SPEC, STATUS = SCHEMA["properties"]["spec"], SCHEMA["properties"]["status"]


def every(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, member in schema.get("properties", {}).items():
        yield from every(member, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from every(schema[key], f"{path}[]")


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_checked_in_files_are_what_the_models_say(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == PUBLISHED[name], "run `make crds` and read the diff"


def test_no_keyword_is_there_that_a_structural_schema_refuses() -> None:
    forbidden = {"$ref", "$defs", "anyOf", "oneOf", "allOf", "const", "title", "uniqueItems", "prefixItems", "nullable"}
    for path, schema in every(SCHEMA, ""):
        assert not forbidden & schema.keys(), path
        assert not ("additionalProperties" in schema and "properties" in schema), path
        assert schema.get("default", "") is not None, path


MANGLED = re.compile(r"[-+.]?[0-9].*|y|n|yes|no|on|off|true|false|null|~|\\.?(inf|nan)|", re.IGNORECASE)
"""What YAML 1.1 or 1.2 reads as a number, time, boolean or null: https://yaml.org/type/."""


def test_no_choice_is_a_word_that_yaml_reads_as_something_else() -> None:
    words = {word for _, schema in every(SCHEMA, "") for word in schema.get("enum", ())}
    assert {"AlwaysOff", "None", "Mon"} <= words
    assert [word for word in words if MANGLED.fullmatch(word)] == []
    assert [word for word in words if yaml.safe_load(word) != word] == []


def test_everything_has_a_maximum() -> None:
    for path, schema in [*every(SPEC, "spec"), *every(STATUS, "status")]:
        match schema["type"]:
            case "string":
                bounded = "maxLength" in schema or "enum" in schema or schema.get("format") == "date-time"
            case "array":
                bounded = "maxItems" in schema
            case "object":
                bounded = "properties" in schema or schema.get(PRESERVE) or "maxProperties" in schema
            case "integer":
                bounded = path.startswith("status") or ("minimum" in schema and "maximum" in schema)
            case other:
                bounded = other == "boolean"
        assert bounded, path


def test_every_field_is_explained() -> None:
    for path, schema, _ in [*walk(SPEC, "spec"), *walk(STATUS, "status")]:
        assert len(schema.get("description", "")) > 3, path
        assert schema["description"].rstrip().endswith((".", ")", "…")), path


def test_every_optional_field_of_spec_says_its_default_or_what_absence_means() -> None:
    for path, schema, required in walk(SPEC, "spec"):
        says = any(word in schema["description"] for word in ("Default", "Absent", "Empty"))
        assert required or says, path


def test_defaults_that_are_told_are_those_of_the_server() -> None:
    told = {
        "spec.evidence.window": "10m",
        "spec.evidence.minDraftTokens": 2000,
        "spec.policy.cooldown": "30m",
        "spec.policy.mode": "Auto",
        "spec.thresholds.speedup.promote": "1.05",
        "spec.draft.numSpeculativeTokens": 5,
        "spec.replicas": 1,
    }
    found = {path: schema.get("default") for path, schema, _ in walk(SPEC, "spec")}
    assert {path: found[path] for path in told} == told


def test_what_the_server_fills_in_is_what_python_fills_in() -> None:
    bare = {"engine": {"image": "v:0.33.0"}, "target": {"model": "m"}, "draft": {"method": "NGram"}}
    ours = SpeculativeDeploymentSpec.model_validate(bare)
    assert SpeculativeDeploymentSpec.model_validate(filled(bare, SPEC)) == ours


def filled(value: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """What the API server makes of a value: its defaults, from outside to inside."""
    out = copy.deepcopy(value)
    for name, member in schema.get("properties", {}).items():
        if name not in out and "default" in member:
            out[name] = copy.deepcopy(member["default"])
        if isinstance(out.get(name), dict):
            out[name] = filled(out[name], member)
    return out


def test_optional_objects_get_no_default_from_the_server() -> None:
    assert "default" not in SPEC["properties"]["draft"]
    assert "default" not in SPEC["properties"]["podTemplate"]


def test_rules_name_a_field_and_say_what_to_write() -> None:
    rules = [(path, rule) for path, schema in every(SPEC, "spec") for rule in schema.get(VALIDATIONS, ())]
    assert len(rules) > 30
    for path, rule in rules:
        assert rule["message"].startswith(("write", "leave")), path
        assert len(rule["rule"]) < 1000, path


def test_scale_and_status_are_subresources() -> None:
    assert VERSION["subresources"]["scale"]["labelSelectorPath"] == ".status.selector"
    for path in ("specReplicasPath", "statusReplicasPath", "labelSelectorPath"):
        _, part, field = VERSION["subresources"]["scale"][path].split(".")
        assert field in SCHEMA["properties"][part]["properties"]


def test_columns_read_fields_that_exist() -> None:
    for column in VERSION["additionalPrinterColumns"]:
        steps = column["jsonPath"].split("[")[0].strip(".").split(".")
        schema = SCHEMA
        for step in steps if steps[0] != "metadata" else ():
            schema = schema["properties"][step]


def test_the_memory_is_one_text_and_what_an_earlier_release_remembered_is_not_pruned() -> None:
    assert STATUS["properties"]["memory"]["type"] == "string"
    assert "default" not in STATUS["properties"]["memory"], "or the API server adds an empty one to an earlier status"
    assert STATUS[PRESERVE] is True


def test_the_details_are_one_text_and_come_from_an_earlier_status_where_there_are_none() -> None:
    assert STATUS["properties"]["details"]["type"] == "string"
    assert "default" not in STATUS["properties"]["details"]


def test_what_is_empty_false_or_zero_is_no_default_but_where_a_rule_reads_it() -> None:
    found = {path: schema.get("default") for path, schema, _ in walk(SPEC, "spec")}
    for field in ("policy.paused", "metrics", "quantizationReference", "draft.extraKeys"):
        assert found[f"spec.{field}"] is None
    assert found["spec.draft.acceptance.allowLossy"] is False, "read by the rule that asks for consent"


def test_a_model_that_no_schema_can_say_is_refused_with_its_path() -> None:
    class Union(BaseModel):
        either: int | str

    class Recent(BaseModel):
        pair: tuple[int, str]

    for model, path in ((Union, "at.either"), (Recent, "at.pair")):
        schema = model.model_json_schema()
        with pytest.raises(NotStructural, match=path):
            structural(schema, schema.get("$defs", {}), "at")
