"""Reading resources from a file, for the commands that work offline."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
import yaml
from pydantic import ValidationError

from breakeven.api.base import API_VERSION, KIND
from breakeven.api.crd import definition
from breakeven.api.reference import walk
from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.api.spelling import advice
from breakeven.cli.yaml_reader import read_yaml

_PLAINER = {
    "model_type": "write an object",
    "dict_type": "write an object",
    "list_type": "write a list",
    "missing": "is required: write it",
    "string_type": "write text, in quotes where YAML reads a number or a boolean",
    "int_type": "write a whole number, without quotes",
    "int_from_float": "write a whole number",
    "bool_type": "write true or false, without quotes",
}
"""pydantic's kinds of error → what to do."""
REFUSED = 1
USAGE = 2
_TOP = ("apiVersion", "kind", "metadata", "spec", "status")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One resource of a file."""

    name: str
    namespace: str
    spec: SpeculativeDeploymentSpec


def read_resources(file: Path, *, engine_version: str | None = None) -> list[Resource]:
    """Read every SpeculativeDeployment of a YAML or JSON file; `-` is standard input. Other kinds are passed over.

    Types and spelling are held to as strictly as the API server holds to them. Says what is wrong on stderr and ends
    the command: exit code 2 for a file that cannot be read, 1 for a resource that is refused. `engine_version` stands
    in for `spec.engine.version`; what a tag may say, `v0.33.0-cu130`, is read too.
    """
    version = None if engine_version is None else _version(engine_version)
    try:
        documents = documents_of(file)
    except OSError as error:
        raise fail(f"-f {file}: cannot be read: {error.strerror or error}", USAGE) from None
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise fail(f"-f {file}: is not YAML: {str(error) or 'nested too deeply'}", USAGE) from None
    bodies = [d for d in documents if d.get("kind") == KIND]
    if not bodies:
        kinds = ", ".join(sorted({str(d.get("kind")) for d in documents if d.get("kind")}))
        raise fail(f"-f {file}: no {KIND} in it{f', but {kinds}' if kinds else ''}", USAGE)
    return [_resource(body, version, documents) for body in bodies]


def documents_of(file: Path) -> list[dict[str, Any]]:
    """The objects of a file as kubectl reads them, those of lists one by one; `-` is standard input.

    Raises OSError, ValueError, RecursionError or yaml.YAMLError.
    """
    text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8-sig")
    return list(_flat(read_yaml(text)))


def fail(message: str, code: int) -> typer.Exit:
    """Say why on stderr; the caller raises what comes back."""
    typer.echo(message, err=True)
    return typer.Exit(code)


def _version(text: str) -> str:
    from breakeven.engines import load
    from breakeven.engines.versions import Version

    version = Version.parse(text)
    if version is None:
        known = [r for r in load().releases if text and r.startswith(f"{text.removeprefix('v')}.")]
        instead = " or ".join(known) if known else f"one such as {load().releases[-1]}"
        raise fail(f"--engine-version: {text!r} is no release; write {instead}", USAGE)
    return str(version)


def _flat(documents: Any) -> Iterator[dict[str, Any]]:
    for document in documents:
        if isinstance(document, dict) and isinstance(document.get("items"), list):
            yield from _flat(document["items"])
        elif isinstance(document, dict):
            yield document


def _resource(body: dict[str, Any], engine_version: str | None, beside: list[dict[str, Any]]) -> Resource:
    metadata = body.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    name = str(metadata.get("name") or "") or "(no name)"
    wrong = [*_envelope(body, metadata)]
    if wrong:
        raise fail("\n".join(f"{name}: {line}" for line in wrong), REFUSED)
    spec = _with_workload(name, _without_nulls(body.get("spec")), beside)
    if engine_version is not None and isinstance(spec, dict) and isinstance(spec.get("engine"), dict):
        spec = spec | {"engine": spec["engine"] | {"version": engine_version}}
    try:
        parsed = SpeculativeDeploymentSpec.model_validate_json(
            json.dumps(spec), strict=True, by_name=False, by_alias=True
        )
    except ValidationError as error:
        raise fail("\n".join(f"{name}: {line}" for line in _complaints(error)), REFUSED) from None
    return Resource(name=metadata.get("name") or "", namespace=str(metadata.get("namespace") or "default"), spec=parsed)


def _with_workload(name: str, spec: Any, beside: list[dict[str, Any]]) -> Any:
    """The spec with what the Deployment that it refers to says, which has to be in the same file."""
    from breakeven.adopt import NotAdoptable, referred, resolved

    wanted = referred(spec)
    if wanted is None:
        return spec
    found = next(
        (d for d in beside if d.get("kind") == "Deployment" and (d.get("metadata") or {}).get("name") == wanted), None
    )
    if found is None:
        raise fail(
            f"{name}: spec.workloadRef: put Deployment {wanted} into the same file: it says engine and target", REFUSED
        )
    try:
        made, notes = resolved(spec, found, name)
    except NotAdoptable as error:
        raise fail(f"{name}: spec.workloadRef: Deployment {wanted}: {error}", REFUSED) from None
    for note in notes:
        typer.echo(f"{name}: caution: Deployment {wanted}: {note}", err=True)
    return made


def _envelope(body: dict[str, Any], metadata: dict[str, Any]) -> Iterator[str]:
    """What is wrong around the spec."""
    if "apiVersion" not in body:
        yield f"apiVersion: is missing: write {API_VERSION}"
    elif body["apiVersion"] != API_VERSION:
        yield f"apiVersion: {body['apiVersion']!r} is not known; write {API_VERSION}"
    for key in body:
        if key not in _TOP:
            yield f"{key}: {advice(key, '', _TOP, _everywhere())}"
    for key in ("name", "namespace"):
        if not isinstance(metadata.get(key, ""), str):
            yield f"metadata.{key}: {_PLAINER['string_type']}"


def _without_nulls(value: Any, key: str = "") -> Any:
    """The same without the nulls that the API server drops; those of podTemplate stay, to be refused with advice."""
    if isinstance(value, dict) and key != "podTemplate":
        return {name: _without_nulls(item, name) for name, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _complaints(error: ValidationError) -> Iterator[str]:
    for item in error.errors(include_url=False):
        yield f"{_path(item['loc'])}: {_says(item)}"


def _says(item: Any) -> str:
    if item["type"] == "extra_forbidden":
        *parents, word = item["loc"]
        return advice(str(word), _path(tuple(parents)), _fields(tuple(parents)), _everywhere())
    if item["type"] == "enum":
        return f"write {item['ctx']['expected']}".replace("'", "")
    return str(_PLAINER.get(item["type"], item["msg"].removeprefix("Value error, ")))


def _path(loc: tuple[int | str, ...]) -> str:
    return "spec" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)


def _fields(loc: tuple[int | str, ...]) -> list[str]:
    """Names of the fields of the object at `loc`."""
    schema = _schema()
    for part in loc:
        schema = schema["items"] if isinstance(part, int) else schema["properties"][part]
    return list(schema.get("properties", ()))


def _everywhere() -> list[str]:
    return [path for path, _, _ in walk(_schema(), "spec")]


def _schema() -> dict[str, Any]:
    version = definition()["spec"]["versions"][0]
    found: dict[str, Any] = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return found
