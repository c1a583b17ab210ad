"""Fields and types of a pod template, as the API server has them: checked before anything is written.

The schema is that of the Kubernetes client library, so there is no copy to keep up to date. It is narrower than the
API server in one place: quantities may be numbers there.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from breakeven.api.spelling import advice
from breakeven.api.vocabulary import Reason
from breakeven.engines import Refusal

REMOVE: Mapping[str, Any] = {"$patch": "delete"}
"""What removes a field or an item of a list that has names, as in kustomize. The API server drops a null."""
_QUANTITIES = frozenset({"limits", "requests", "overhead", "sizeLimit", "divisor"})
_SEARCHED = ("PodTemplateSpec", "PodSpec", "Container")
"""Kinds of object that a misplaced field is looked for in, and where they are in a pod template."""
_PLACES = {
    "PodTemplateSpec": "spec.podTemplate",
    "PodSpec": "spec.podTemplate.spec",
    "Container": "spec.podTemplate.spec.containers[]",
}
_WRITE = {
    "string": "write text, in quotes where YAML reads a number or a boolean",
    "integer": "write a whole number, without quotes",
    "number": "write a number, without quotes",
    "boolean": "write true or false, without quotes",
    "array": "write a list",
    "object": "write an object",
}
_PYTHON: Mapping[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": Mapping,
}
Schema = Mapping[str, Any]


def check_fields(value: Any, kind: str, path: str) -> Iterator[Refusal]:
    """Find fields that Kubernetes does not know, values of another type, and nulls; what is missing is not looked for.

    Parameters
    ----------
    kind
        Name of the object in the core API, for example PodTemplateSpec or EnvVar.
    path
        Field of `spec` in which it stands, for messages.
    """
    yield from _check(value, {"$ref": f"#/$defs/V1{kind}"}, path)


@cache
def _definitions() -> Mapping[str, Schema]:
    from kubernetes.client.models.v1_pod_template_spec import V1PodTemplateSpec

    schema = V1PodTemplateSpec.model_json_schema(by_alias=True)
    return {**schema["$defs"], "V1PodTemplateSpec": schema}


@cache
def _everywhere() -> tuple[str, ...]:
    return tuple(
        f"{_PLACES[kind]}.{name}" for kind in _SEARCHED for name in _definitions()[f"V1{kind}"].get("properties", {})
    )


def _check(value: Any, schema: Schema, path: str) -> Iterator[Refusal]:
    options = [_resolved(option) for option in schema.get("anyOf", (schema,)) if option.get("type") != "null"]
    if value is None:
        yield _refuse(path, "the API server drops null; write {$patch: delete} to remove the field")
    elif isinstance(value, Mapping) and "$patch" in value:
        if value["$patch"] != "delete" or path == "podTemplate":
            yield _refuse(
                f"{path}.$patch", "only `$patch: delete` is read, which removes the field or item it stands in"
            )
    elif not (fits := [option for option in options if _is(value, option.get("type"))]):
        if not (isinstance(value, int) and not isinstance(value, bool) and _quantity(path)):
            yield _refuse(path, " or ".join(_WRITE[option["type"]] for option in options))
    else:
        yield from _members(value, fits[0], path)


def _resolved(schema: Schema) -> Schema:
    return _definitions()[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def _is(value: Any, kind: str | None) -> bool:
    if kind is None:
        return True
    return isinstance(value, _PYTHON[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _quantity(path: str) -> bool:
    parts = path.split(".")
    return parts[-1] in _QUANTITIES or any(part in _QUANTITIES for part in parts[-2:-1]) or _extended(parts)


def _extended(parts: list[str]) -> bool:
    """Whether it is an amount of an extended resource, whose name has dots itself."""
    return "resources" in parts and any(part in _QUANTITIES for part in parts[parts.index("resources") :])


def _members(value: Any, schema: Schema, path: str) -> Iterator[Refusal]:
    if isinstance(value, list):
        for place, item in enumerate(value):
            yield from _check(item, schema.get("items", {}), f"{path}[{place}]")
    elif isinstance(value, Mapping):
        known = schema.get("properties", {})
        more = schema.get("additionalProperties", True)
        for key, item in value.items():
            here = f"{path}.{key}"
            if key in known:
                yield from _check(item, known[key], here)
            elif isinstance(more, Mapping):
                yield from _check(item, more, here)
            elif more is False:
                yield _refuse(here, advice(str(key), f"spec.{path}", known, _everywhere()))


def _refuse(field: str, message: str) -> Refusal:
    return Refusal(field=field, reason=Reason.INVALID_CONFIGURATION, message=message)
