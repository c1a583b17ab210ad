"""From one workload to the resource that renders the same, and the list of what could not be kept."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from breakeven.adopt.container import container_of, startup_seconds
from breakeven.adopt.drafts import draft_of
from breakeven.adopt.environment import environment
from breakeven.adopt.fields import Fields, fields_of
from breakeven.adopt.flags import Flag, read_flags
from breakeven.adopt.fronts import service_fields
from breakeven.adopt.notes import NotAdoptable, Note
from breakeven.adopt.pod import pod_of
from breakeven.adopt.started import started
from breakeven.adopt.workload import Manifest, Workload
from breakeven.api.base import API_VERSION, KIND
from breakeven.api.names import NAME_MAX, fits_name
from breakeven.api.scalars import format_duration, parse_duration
from breakeven.api.serving import DEFAULT_PORT
from breakeven.engines import load, version_in_image
from breakeven.render.denied import check_denied
from breakeven.settings import POD_TEMPLATE_DENY

_ROOTS = {"HOME": "/root", "HF_HOME": "/root/.cache/huggingface", "VLLM_CACHE_ROOT": "/root/.cache/vllm"}
"""Where root's files are, in place of where ours would be."""
_STARTUP_S = 1800
"""What `engine.startupTimeout` is by default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What whoever adopts may say besides."""

    name: str | None = None
    """Name of the resource. None: that of the original."""
    namespace: str | None = None
    image: str | None = None
    """Image of the engine, where the original's is not to be had or not told."""
    engine_version: str | None = None
    """What `vllm --version` prints in it. None: read from the tag."""
    as_root: bool = False
    """Whether pods keep the user of the image, which is root in vLLM's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """The resource, and what it could not take over."""

    resource: Manifest
    notes: tuple[Note, ...]
    workload: Workload


def adopt(workload: Workload, choices: Choices, services: tuple[Manifest, ...] = ()) -> Adoption:
    """Make the resource of a workload; `services` are those that were seen beside it.

    Raises
    ------
    NotAdoptable
        If it serves no model that could be named.
    """
    name = _name(choices.name or workload.name)
    secret = f"{name}-credentials"
    run = started(workload.engine)
    model, flags = read_flags(run.arguments)
    found = fields_of(model, flags, secret=secret)
    draft, about_draft = draft_of(found.speculation)
    if not found.target.get("model"):
        raise NotAdoptable(f"{workload.kind} {workload.name}: its command line names no model")
    notes = [*workload.notes, *run.notes, *_unresolved(found.target), *found.notes, *about_draft]
    env, about_env = environment([*(workload.engine.get("env") or []), *found.env], run.env, secret=secret)
    if choices.as_root:
        env += [{"name": k, "value": v} for k, v in _ROOTS.items() if k not in {e["name"] for e in env}]
    container, parts, about_container = container_of(
        workload.engine, found.engine.get("port", DEFAULT_PORT), as_root=choices.as_root
    )
    template, placed, about_pod = pod_of(workload, container, as_root=choices.as_root)
    engine = _engine(workload.engine, choices, notes) | found.engine | parts["engine"]
    if found.extra:
        engine["extraArgs"] = found.extra
    if env:
        engine["env"] = env
    seconds = startup_seconds(workload.engine)
    if seconds > _STARTUP_S:
        engine["startupTimeout"] = format_duration(parse_duration(f"{min(seconds, 86_400)}s"))
    notes += [*about_env, *about_container, *about_pod]
    _grace(template, notes)
    notes += _denied(template)
    service, about_services = service_fields(workload, engine, services, name)
    spec: Manifest = {"replicas": workload.replicas, "engine": engine, "target": found.target}
    if draft is not None:
        spec["draft"] = draft
    spec["hardware"] = _hardware({**placed, **parts["hardware"]}, found, flags, notes)
    if service:
        spec["service"] = service
    if template:
        spec["podTemplate"] = template
    return Adoption(
        resource={
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": _metadata(workload, name, choices),
            "spec": spec,
        },
        notes=tuple(dict.fromkeys([*notes, *about_services])),
        workload=workload,
    )


def _name(wanted: str) -> str:
    """The name of the original, as far as a resource may have it."""
    plain = re.sub(r"[^a-z0-9-]", "-", wanted.lower()).strip("-")
    plain = re.sub(r"^[^a-z]+", "", plain)[:NAME_MAX].rstrip("-")
    return plain if fits_name(plain) else "vllm"


def _metadata(workload: Workload, name: str, choices: Choices) -> Manifest:
    about: Manifest = {"name": name}
    namespace = choices.namespace or workload.namespace
    if namespace:
        about["namespace"] = namespace
    owned = ("kubectl.kubernetes.io/", "deployment.kubernetes.io/", "meta.helm.sh/", "argocd.argoproj.io/")
    annotations = {k: v for k, v in workload.annotations.items() if not k.startswith(owned)}
    labels = {k: v for k, v in workload.labels.items() if k not in ("app.kubernetes.io/managed-by", "helm.sh/chart")}
    return about | {k: v for k, v in (("labels", labels), ("annotations", annotations)) if v}


def _engine(container: Mapping[str, Any], choices: Choices, notes: list[Note]) -> Manifest:
    """Image and version; where neither tells the version, whoever adopts has to say it."""
    image = choices.image or str(container.get("image") or "")
    if not image:
        image = f"vllm/vllm-openai:v{load().releases[-1]}"
        notes.append(Note("image", f"is not told here: {image} stands in for it; give --image and --engine-version"))
    engine: Manifest = {"image": image}
    tagged = version_in_image(image)
    if choices.engine_version is not None:
        engine["version"] = choices.engine_version.removeprefix("v")
    elif tagged is None:
        message = f"{image} does not tell vLLM's version: give --engine-version what `vllm --version` prints in it"
        notes.append(Note("engine.version", message))
    return engine


def _hardware(placed: Manifest, found: Fields, flags: Sequence[Flag], notes: list[Note]) -> Manifest:
    """GPUs of a pod: as many as the engine's arguments use."""
    tensor = found.hardware.get("tensorParallelSize", 1)
    rest = _size(flags, "--pipeline-parallel-size") * _size(flags, "--data-parallel-size")
    asked, used = placed.pop("gpusPerReplica", 1), tensor * rest
    if asked != used:
        message = f"{asked} are asked for, and the arguments use {used}, which is kept: see hardware.tensorParallelSize"
        notes.append(Note("GPUs", message))
    if used > 1:
        placed["gpusPerReplica"] = used
    if rest > 1:
        placed["tensorParallelSize"] = tensor
    return placed


def _size(flags: Sequence[Flag], name: str) -> int:
    value = next((f.value for f in flags if f.name == name), "1")
    return int(value) if value.isdigit() and int(value) else 1


def _unresolved(target: Mapping[str, Any]) -> Iterator[Note]:
    """References to variables in fields that are written as they are."""
    for key in ("model", "revision", "servedName"):
        text = str(target.get(key, ""))
        if "$(" in text or re.search(r"\$[A-Za-z_{]", text):
            yield Note(f"target.{key}", f"{text} refers to a variable whose value is not here: write the value")


def _grace(template: Manifest, notes: list[Note]) -> None:
    """A grace period so short that the pod would not leave the Service in it is left out."""
    spec = template.get("spec") or {}
    seconds = spec.get("terminationGracePeriodSeconds")
    if isinstance(seconds, int) and seconds <= 65:
        del spec["terminationGracePeriodSeconds"]
        message = f"{seconds} is not kept: 85 s give requests in flight 60 s to end; see engine.shutdownTimeout"
        notes.append(Note("terminationGracePeriodSeconds", message))


def _denied(template: Manifest) -> Iterator[Note]:
    for refusal in check_denied(template, POD_TEMPLATE_DENY):
        message = (
            "is kept, and refused by an operator with the strict settings it has by default: leave it out, or have it "
            "allowed (BREAKEVEN_POD_TEMPLATE_DENY)"
        )
        yield Note(refusal.field, message)
