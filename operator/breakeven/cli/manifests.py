"""Reading resources from a file, for the commands that work offline."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
import yaml
from pydantic import ValidationError

from breakeven.api.base import API_VERSION, KIND
from breakeven.api.spec import SpeculativeDeploymentSpec

_PLAINER = {
    "model_type": "write an object",
    "dict_type": "write an object",
    "list_type": "write a list",
    "missing": "is missing: write it",
    "string_type": "write text, in quotes where YAML reads a number or a date",
    "extra_forbidden": "there is no such field: remove it",
}
"""pydantic's kinds of error → what to do."""
REFUSED = 1
USAGE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One resource of a file."""

    name: str
    namespace: str
    spec: SpeculativeDeploymentSpec


def read_resources(file: Path, *, engine_version: str | None = None) -> list[Resource]:
    """Read every SpeculativeDeployment of a YAML or JSON file; `-` is standard input. Other kinds are passed over.

    Says what is wrong on stderr and ends the command: exit code 2 for a file that cannot be read, 1 for a resource that
    is refused. `engine_version` stands in for `spec.engine.version`; what a tag may say, `v0.33.0-cu130`, is read too.
    """
    version = None if engine_version is None else _version(engine_version)
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8-sig")
        documents = list(_flat(yaml.safe_load_all(text)))
    except OSError as error:
        raise fail(f"-f {file}: cannot be read: {error.strerror or error}", USAGE) from None
    except (ValueError, RecursionError, yaml.YAMLError) as error:  # ValueError: no UTF-8, or a date that is none
        raise fail(f"-f {file}: is not YAML: {str(error) or 'nested too deeply'}", USAGE) from None
    bodies = [d for d in documents if d.get("kind") == KIND]
    if not bodies:
        kinds = ", ".join(sorted({str(d.get("kind")) for d in documents if d.get("kind")}))
        raise fail(f"-f {file}: no {KIND} in it{f', but {kinds}' if kinds else ''}", USAGE)
    return [_resource(body, version) for body in bodies]


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


def _resource(body: dict[str, Any], engine_version: str | None) -> Resource:
    metadata = body.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    name = str(metadata.get("name", ""))
    if body.get("apiVersion", API_VERSION) != API_VERSION:
        raise fail(f"{name}: apiVersion: {body['apiVersion']!r} is not known; write {API_VERSION}", REFUSED)
    spec = body.get("spec")
    if engine_version is not None and isinstance(spec, dict) and isinstance(spec.get("engine"), dict):
        spec = spec | {"engine": spec["engine"] | {"version": engine_version}}
    try:
        parsed = SpeculativeDeploymentSpec.model_validate(spec)
    except ValidationError as error:
        raise fail("\n".join(f"{name or '(no name)'}: {line}" for line in _complaints(error)), REFUSED) from None
    return Resource(name=name, namespace=str(metadata.get("namespace") or "default"), spec=parsed)


def _complaints(error: ValidationError) -> Iterator[str]:
    for item in error.errors(include_url=False):
        says = _PLAINER.get(item["type"], item["msg"].removeprefix("Value error, "))
        yield f"{'.'.join(('spec', *map(str, item['loc'])))}: {says}"
