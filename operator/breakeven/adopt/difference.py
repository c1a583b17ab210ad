"""What is rendered now against what the original was: arguments by flag, and fields of the pod, one a line."""

import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from breakeven.adopt.drafts import draft_of
from breakeven.adopt.environment import is_credential
from breakeven.adopt.fields import tokens
from breakeven.adopt.flags import read_flags
from breakeven.adopt.pod import DEFAULTS, OF_CONTROLLERS
from breakeven.adopt.started import started
from breakeven.adopt.workload import Manifest
from breakeven.api.serving import DEFAULT_PORT
from breakeven.engines import Engine
from breakeven.render.names import CONTAINER

_NAMED_BY = ("name", "mountPath", "key", "containerPort", "topologyKey")
"""Fields that name the items of lists: their order carries no meaning."""
_OF_CONTAINER = ("command", "args", "env", "image")
_SAME_AS_ABSENT = {
    "--host": ("0.0.0.0", "::"),
    "--port": ("8000",),
    "--tensor-parallel-size": ("1",),
    "--kv-cache-dtype": ("auto",),
}
"""Values that are what vLLM has without the flag."""
_HIDDEN = "***"
"""In place of a credential."""
_FIELD_DEFAULTS: Mapping[str, Any] = {
    "protocol": "TCP",
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
    "imagePullPolicy": "IfNotPresent",
    "scheme": "HTTP",
    "successThreshold": 1,
}


def normalised(template: Manifest, engine: Manifest, release: Engine | None) -> list[str]:
    """A pod template as sorted lines, the engine's command line taken apart.

    Parameters
    ----------
    engine
        The container of the template that runs vLLM.
    release
        Whose defaults count as said; None where the version is not known.
    """
    run = started(engine)
    spec = {k: v for k, v in (template.get("spec") or {}).items() if v is not None and v != DEFAULTS.get(k)}
    others = [c for c in spec.pop("containers", []) if c is not engine]
    own = {k: v for k, v in engine.items() if k not in _OF_CONTAINER} | {"name": CONTAINER}
    own |= _at_its_port(engine, run.arguments)
    lines = [f"image {engine.get('image', '')}", *_arguments(run.arguments, release)]
    lines += _variables([*(engine.get("env") or []), *({"name": k, "value": v} for k, v in run.env.items())])
    lines += _flat({**spec, "containers": [own, *others]}, "")
    metadata = template.get("metadata") or {}
    for part in ("labels", "annotations"):
        for key, value in (metadata.get(part) or {}).items():
            if not str(key).startswith(OF_CONTROLLERS):
                lines.append(f"{part}[{key}]: {value}")
    return sorted(dict.fromkeys(lines))


def difference(original: Sequence[str], rendered: Sequence[str]) -> list[str]:
    """A unified diff of two such lists: `-` is what the original has and the result has not."""
    return list(difflib.unified_diff(original, rendered, "original", "rendered", lineterm="", n=0))


def _at_its_port(engine: Manifest, words: Sequence[str]) -> Manifest:
    """Ports and probes without the engine's own port, which may be written by number or by any name."""
    _, flags = read_flags(words)
    port = next((f.value for f in flags if f.name == "--port"), str(DEFAULT_PORT))
    ports = [p for p in engine.get("ports") or [] if isinstance(p, Mapping)]
    ours = {port, *(str(p.get("name")) for p in ports if str(p.get("containerPort")) == port)}
    found: Manifest = {"ports": [p for p in ports if str(p.get("containerPort")) != port]}
    for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
        request = (engine.get(kind) or {}).get("httpGet")
        if isinstance(request, Mapping):
            kept = {k: v for k, v in request.items() if k != "scheme" and (k != "port" or str(v) not in ours)}
            found[kind] = {**engine[kind], "httpGet": kept}
    return found


def _arguments(words: Sequence[str], release: Engine | None) -> Iterator[str]:
    model, flags = read_flags(words)
    named = next((f.value for f in flags if f.name == "--model"), model)
    yield f"argument --model={named}"
    draft, _ = draft_of([f for f in flags if f.name.startswith("--spec") or f.name.startswith("--num-spec")])
    if draft is not None:
        yield f"argument --speculative-config={json.dumps(draft, sort_keys=True)}"
    for flag in flags:
        value = ",".join(_plain(v) for v in flag.values) if flag.name != "--api-key" else _HIDDEN
        if flag.name == "--max-model-len":
            value = str(tokens(flag.value) or flag.value)
        usual = _SAME_AS_ABSENT.get(flag.name, ())
        if flag.name == "--gpu-memory-utilization" and release is not None:
            usual = (str(release.gpu_memory_utilization.normalize()),)
        if flag.name == "--served-model-name":
            usual = (named,)
        skipped = flag.name in ("--model", "--custom-histogram-buckets", "--shutdown-timeout")
        if not skipped and value not in usual and not flag.name.startswith(("--spec", "--num-spec")):
            yield f"argument {flag.name}{'=' if flag.values else ''}{value}"


def _plain(value: str) -> str:
    """JSON in one spelling, numbers without what says nothing."""
    try:
        return json.dumps(json.loads(value), sort_keys=True)
    except ValueError:
        return value


def _variables(items: Sequence[Any]) -> Iterator[str]:
    for item in items:
        if isinstance(item, Mapping):
            source = item.get("valueFrom")
            value = json.dumps(source, sort_keys=True) if source else f"{item.get('value', '')}"
            if not source and is_credential(str(item.get("name"))):
                value = _HIDDEN
            yield f"env {item.get('name')}={value}"


def _flat(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if item is not None and item != _FIELD_DEFAULTS.get(str(key)) and key not in _NAMED_BY:
                yield from _flat(item, f"{path}.{key}" if path else str(key))
        if not value and not path.endswith(("resources", "securityContext")):
            yield f"{path}: {{}}"
    elif isinstance(value, list):
        for place, item in enumerate(value):
            name = _name_of(item, path) if isinstance(item, Mapping) else None
            here = f"{path}[{place if name is None else name}]"
            if isinstance(item, Mapping):
                yield f"{here}"
            yield from _flat(item, here)
    else:
        yield f"{path}: {_quantity(value)}"


def _name_of(item: Mapping[str, Any], path: str) -> str | None:
    if path.endswith("volumeMounts"):
        return f"{item.get('mountPath')} of {item.get('name')}"
    return next((str(item[k]) for k in _NAMED_BY if k in item), None)


def _quantity(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else re.sub(r"\.0+$", "", str(value))
