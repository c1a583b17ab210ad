"""The CustomResourceDefinition, generated from the models: pure, a dict in and a dict out.

pydantic writes JSON schema 2020-12; apiextensions/v1 takes a "structural" subset of OpenAPI 3.0
(https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema).
`structural` translates, and refuses with `NotStructural` what has no translation: an unknown keyword never slips through.

Choices: optional fields are absent, never null. Defaults are the server's, so that `kubectl get -o yaml` shows what is in
force and a later release does not change what a stored resource means; what is empty, false or zero is not written out.
`status` keeps unknown fields: the API server would else take away what an earlier release remembered before this one has read it.
"""

from collections.abc import Mapping
from typing import Any

from breakeven.api.base import GROUP, KIND, PLURAL, SHORT_NAME, SINGULAR, VERSION
from breakeven.api.names import NAME_MAX, NAME_MESSAGE, NAME_PATTERN
from breakeven.api.rules import VALIDATIONS
from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.api.status import Status

Schema = dict[str, Any]

PRESERVE = "x-kubernetes-preserve-unknown-fields"
_KEPT = (
    "type",
    "description",
    "pattern",
    "format",
    "enum",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "maxProperties",
    PRESERVE,
    "x-kubernetes-int-or-string",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
    VALIDATIONS,
)
_EMPTY: tuple[Any, ...] = (None, [], "", {})
"""Defaults that are not written out: the field is absent, which means the same and takes no line of `kubectl describe`."""
_NOTHING: tuple[Any, ...] = (False, 0)
"""Defaults that are not written out either, but where a rule of the same object reads them."""
_HANDLED = ("title", "default", "properties", "required", "additionalProperties", "items", "$defs")


class NotStructural(ValueError):
    """A model says something that no structural schema can say."""


def structural(schema: Schema, definitions: Mapping[str, Schema], path: str = "") -> Schema:
    """Translate one JSON schema of pydantic into a structural schema.

    Raises
    ------
    NotStructural
        Naming the path and the keyword.
    """
    schema = _inlined(schema, definitions, path)
    if unknown := set(schema) - set(_KEPT) - set(_HANDLED):
        raise NotStructural(f"{path}: {', '.join(sorted(unknown))}")
    out: Schema = {key: schema[key] for key in _KEPT if key in schema}
    if schema.get("additionalProperties") is True:
        out[PRESERVE] = True
    _add_members(out, schema, definitions, path)
    _add_default(out, schema)
    return out


def _inlined(schema: Schema, definitions: Mapping[str, Schema], path: str) -> Schema:
    """Replace a reference by what it names and `X | None` by X: an optional field is absent, not null."""
    options = [option for option in schema.get("anyOf", ()) if option.get("type") != "null"]
    if "anyOf" in schema:
        if len(options) != 1:
            raise NotStructural(f"{path}: a union of {len(options)} types")
        outer = {key: value for key, value in schema.items() if key != "anyOf"}
        return _inlined(options[0] | outer, definitions, path)
    if "$ref" in schema:
        outer = {key: value for key, value in schema.items() if key != "$ref"}
        return _inlined(definitions[schema["$ref"].rpartition("/")[2]] | outer, definitions, path)
    return schema


def _add_members(out: Schema, schema: Schema, definitions: Mapping[str, Schema], path: str) -> None:
    if "properties" in schema:
        out["properties"] = {
            name: structural(member, definitions, f"{path}.{name}") for name, member in schema["properties"].items()
        }
        if VALIDATIONS not in out:
            for member in out["properties"].values():
                if member.get("default") in _NOTHING:
                    del member["default"]
        if schema.get("required"):
            out["required"] = sorted(schema["required"])
    elif isinstance(schema.get("additionalProperties"), dict):
        out["additionalProperties"] = structural(schema["additionalProperties"], definitions, f"{path}{{}}")
    if "items" in schema:
        out["items"] = structural(schema["items"], definitions, f"{path}[]")


def _add_default(out: Schema, schema: Schema) -> None:
    """Write a default only where it says something.

    An object's is {} when its members' defaults say the rest; with rules of its own it is written in full, because the API
    server evaluates them on the default as it stands.
    """
    default = _without_empty(schema.get("default"))
    if default in _EMPTY:
        return
    if out.get("type") == "object" and VALIDATIONS not in out:
        said = _without_empty(default, _EMPTY + _NOTHING)
        if said not in _EMPTY:
            out["default"] = {} if said == _without_empty(_defaults(out), _EMPTY + _NOTHING) else default
    else:
        out["default"] = default


def _defaults(schema: Schema) -> Schema:
    """Return what the API server makes of {}."""
    found = {}
    for name, member in schema.get("properties", {}).items():
        if member.get("type") == "object" and "default" in member:
            found[name] = member["default"] or _defaults(member)
        elif "default" in member:
            found[name] = member["default"]
    return found


def _without_empty(value: Any, empty: tuple[Any, ...] = _EMPTY) -> Any:
    """The value without members that say nothing, from the innermost outwards."""
    if isinstance(value, dict):
        members = {key: _without_empty(item, empty) for key, item in value.items()}
        return {key: item for key, item in members.items() if item not in empty}
    return value


_COLUMNS: tuple[tuple[str, str, str, int, str], ...] = (
    ("Ready", "string", ".status.ready", 0, "Replicas that serve / declared ones."),
    ("State", "string", ".status.state", 0, "Where the loop stands."),
    ("Speedup", "string", ".status.speedup", 0, "S of what serves; empty while that is not measured."),
    ("Reason", "string", ".status.reason", 0, "What is wrong now, else what was decided last."),
    ("Message", "string", ".status.message", 0, "The same in a sentence."),
    ("Age", "date", ".metadata.creationTimestamp", 0, "Time since creation."),
    ("Awake", "string", ".status.awake", 1, "What is awake in how many replicas, where they hold two variants."),
    ("Mode", "string", ".spec.policy.mode", 1, "Who decides about speculation."),
    ("Method", "string", ".spec.draft.method", 1, "Declared drafting method."),
    ("Target", "string", ".spec.target.model", 1, "Target model."),
    ("Engine", "string", ".status.engineVersion", 1, "vLLM version the arguments are rendered for."),
    ("Evidence", "string", ".status.figures", 1, "S with its bounds, acceptance and break-even of the last verdict."),
    ("Hold", "string", ".status.hold", 1, "Why nothing is judged at the moment."),
)


def _resource_schema() -> Schema:
    spec = SpeculativeDeploymentSpec.model_json_schema(mode="serialization")
    status = Status.model_json_schema(mode="serialization")
    return {
        "type": "object",
        "description": "SpeculativeDeployment serves a model with vLLM and keeps speculative decoding on where it pays "
        "and off where it does not.",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": f"{GROUP}/{VERSION}."},
            "kind": {"type": "string", "description": f"{KIND}."},
            "metadata": {"type": "object", "properties": {"name": {"type": "string"}}},
            "spec": structural(spec, spec.get("$defs", {}), "spec"),
            "status": structural(status, status.get("$defs", {}), "status") | {PRESERVE: True},
        },
        VALIDATIONS: [
            {
                "rule": f"self.metadata.name.size() <= {NAME_MAX} && self.metadata.name.matches(r'{NAME_PATTERN}')",
                "message": NAME_MESSAGE,
                "fieldPath": ".metadata.name",
            }
        ],
    }


def definition() -> Schema:
    """Return the CustomResourceDefinition."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}", "labels": {"app.kubernetes.io/name": "breakeven"}},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": SINGULAR,
                "shortNames": [SHORT_NAME],
                "categories": ["breakeven", "inference"],
            },
            "scope": "Namespaced",
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "additionalPrinterColumns": [
                        {"name": name, "type": kind, "jsonPath": path, "description": text}
                        | ({"priority": priority} if priority else {})
                        for name, kind, path, priority, text in _COLUMNS
                    ],
                    "subresources": {
                        "status": {},
                        "scale": {
                            "specReplicasPath": ".spec.replicas",
                            "statusReplicasPath": ".status.replicas",
                            "labelSelectorPath": ".status.selector",
                        },
                    },
                    "schema": {"openAPIV3Schema": _resource_schema()},
                }
            ],
        },
    }
