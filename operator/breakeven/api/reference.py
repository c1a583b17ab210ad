"""The field reference (docs/reference.md), generated from the CustomResourceDefinition and the conditions."""

from collections.abc import Iterator
from typing import Any

from breakeven.api.conditions import CONDITIONS
from breakeven.api.crd import PRESERVE, definition
from breakeven.api.rules import VALIDATIONS

Row = tuple[str, str, str, str]


def reference() -> str:
    """Return the page as Markdown."""
    version = definition()["spec"]["versions"][0]
    members = version["schema"]["openAPIV3Schema"]["properties"]
    parts = [
        "# Field reference",
        "Generated from the models by `make crds`; `kubectl explain spd.spec --recursive` shows the same. Defaults are written "
        "into the stored resource by the API server.",
        "## spec",
        _table(_rows(members["spec"], "spec")),
        "## What the API server refuses",
        "Beyond types, enumerations and bounds. The message is what `kubectl apply` prints.",
        _rules(version["schema"]["openAPIV3Schema"]),
        "## status",
        _table(_rows(members["status"], "status")),
        "## Conditions",
        "`Reconciling` and `Stalled` are there only while True (kstatus). `Ready` is True with speculation switched off.",
        *(_condition(name) for name in CONDITIONS),
    ]
    return "\n\n".join(parts) + "\n"


def walk(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Yield every named member below a schema: its path, its schema, whether it is required."""
    for name, member in schema.get("properties", {}).items():
        here = f"{path}.{name}"
        yield here, member, name in schema.get("required", ())
        yield from walk(member, here)
        if "items" in member:
            yield from walk(member["items"], f"{here}[]")


def _rows(schema: dict[str, Any], path: str) -> Iterator[Row]:
    for here, member, required in walk(schema, path):
        yield f"`{here}`", _type(member), "required" if required else _default(member), member.get("description", "")


def _type(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return " \\| ".join(schema["enum"])
    kind = str(schema["type"])
    if kind == "array":
        return f"list of {_type(schema['items'])}"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"map of {_type(schema['additionalProperties'])}"
    if kind == "object" and schema.get(PRESERVE) and "properties" not in schema:
        return "object (any fields)"
    if "minimum" in schema and "maximum" in schema:
        return f"{kind}, {schema['minimum']}–{schema['maximum']}"
    return kind


def _default(schema: dict[str, Any]) -> str:
    value = schema.get("default")
    if value is None or schema["type"] == "object":
        return ""
    if isinstance(value, list):
        return ", ".join(f"`{item}`" for item in value)
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _table(rows: Iterator[Row]) -> str:
    lines = ["| field | type | default | meaning |", "| --- | --- | --- | --- |"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows])


def _rules(root: dict[str, Any]) -> str:
    lines = [f"* `metadata.name`: {rule['message']}" for rule in root[VALIDATIONS]]
    places = [("spec", root["properties"]["spec"]), *_schemas(root["properties"]["spec"], "spec")]
    for path, schema in places:
        for rule in schema.get(VALIDATIONS, ()):
            lines.append(f"* `{path}{rule.get('fieldPath', '')}`: {rule['message']}")
    return "\n".join(lines)


def _schemas(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for here, member, _ in walk(schema, path):
        yield here, member
        if "items" in member:
            yield f"{here}[]", member["items"]


def _condition(name: Any) -> str:
    doc = CONDITIONS[name]
    rows = "\n".join(f"| `{reason}` | {text} |" for reason, text in doc.reasons.items())
    silent = [f"`{reason}`" for reason in doc.reasons if reason in doc.silent]
    absent = f" Absent, since there is nothing to say, with {', '.join(silent)}." if silent else ""
    return f"### {name}\n\n{doc.meaning}{absent}\n\n| reason | says |\n| --- | --- |\n{rows}"
