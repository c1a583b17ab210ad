"""What overrides of the pod template may say, and what they may not touch."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from breakeven.api.names import MANAGED_LABELS
from breakeven.api.vocabulary import Reason
from breakeven.engines import Refusal
from breakeven.render.managed import RUNNER_VARIABLES
from breakeven.render.merge import KEYS
from breakeven.render.names import CONTAINER, VOLUMES
from breakeven.render.pod_fields import REMOVE, check_fields
from breakeven.render.pod_values import check_together, check_values

_OF_CONTAINER: Mapping[str, str] = MappingProxyType(
    {
        "image": "set spec.engine.image",
        "command": "the command is managed; set spec.engine.extraArgs",
        "args": "arguments are managed; set spec.engine.extraArgs",
    }
)
_GPU = "nvidia.com/gpu"


def check_overrides(overrides: Mapping[str, Any] | None) -> Iterator[Refusal]:
    """Find overrides that the API server would refuse, or that break what the operator relies on; never raises."""
    if overrides is None:
        return
    wrong = [*check_fields(overrides, "PodTemplateSpec", "podTemplate"), *_lists(overrides, "podTemplate")]
    yield from wrong
    if not wrong:
        yield from _check_metadata(overrides.get("metadata") or {})
        yield from _check_spec(overrides.get("spec") or {})
        yield from check_values(overrides, "podTemplate")
        yield from check_together(overrides.get("spec") or {}, "podTemplate.spec", volumes=VOLUMES)


def _lists(value: Any, path: str, *, whole: bool = False) -> Iterator[Refusal]:
    """Find items without the name they merge by, and removals inside of a list that replaces another as a whole."""
    if not isinstance(value, Mapping):
        return
    if whole and "$patch" in value:
        yield _refuse(f"{path}.$patch", "this list replaces the whole one: write it without what you want removed")
    for key, item in value.items():
        here, by = f"{path}.{key}", KEYS.get(key)
        yield from _lists(item, here, whole=whole)
        for place, member in enumerate(item if isinstance(item, list) else ()):
            yield from _lists(member, f"{here}[{place}]", whole=whole or by is None)
            if by is not None and isinstance(member, Mapping) and not isinstance(member.get(by), str):
                yield _refuse(f"{here}[{place}].{by}", "write it: items of this list merge by it")


def _check_metadata(metadata: Mapping[str, Any]) -> Iterator[Refusal]:
    if metadata == REMOVE:
        yield _refuse("podTemplate.metadata", "it holds managed labels: remove single fields of it")
    for key in sorted(set(metadata) - {"labels", "annotations", "$patch"}):
        yield _refuse(f"podTemplate.metadata.{key}", "only labels and annotations can be set here: leave it out")
    labels = metadata.get("labels") or {}
    if labels == REMOVE:
        yield _refuse("podTemplate.metadata.labels", "it holds managed labels: remove single fields of it")
    for key in sorted(MANAGED_LABELS & set(labels)):
        yield _refuse(f"podTemplate.metadata.labels.{key}", "this label is managed: leave it out")


def _check_spec(spec: Mapping[str, Any]) -> Iterator[Refusal]:
    if REMOVE in (spec, spec.get("containers")):
        yield _refuse("podTemplate.spec", "the engine's container is in it: remove single fields of it")
    if spec.get("restartPolicy", "Always") != "Always":
        yield _refuse("podTemplate.spec.restartPolicy", "a Deployment restarts always: leave it out")
    for kind in ("containers", "initContainers"):
        for place, container in enumerate(_items(spec.get(kind))):
            if kind == "containers" and container["name"] == CONTAINER:
                yield from _check_engine(container)
            elif not container.get("image") and "$patch" not in container:
                message = f"write it: only the container named {CONTAINER} has an image from spec.engine"
                yield _refuse(f"podTemplate.spec.{kind}[{place}].image", message)


def _check_engine(container: Mapping[str, Any]) -> Iterator[Refusal]:
    path = f"podTemplate.spec.containers[{CONTAINER}]"
    if "$patch" in container:
        yield _refuse(path, "it serves the model: remove single fields of it")
    for key, instead in _OF_CONTAINER.items():
        if key in container:
            yield _refuse(f"{path}.{key}", instead)
    if container.get("ports") == REMOVE:
        yield _refuse(f"{path}.ports", "the engine's is one of them: remove single ones by name")
    if container.get("env") == REMOVE:
        yield _refuse(f"{path}.env", "some of them are managed: remove single variables by name")
    for variable in _items(container.get("env")):
        if variable["name"] in RUNNER_VARIABLES:
            yield _refuse(f"{path}.env[{variable['name']}]", "set it in spec.engine.env")
    resources = container.get("resources") or {}
    parts = [resources, *(resources.get(part) or {} for part in ("limits", "requests"))]
    if REMOVE in parts:
        yield _refuse(f"{path}.resources", "the GPUs are in them: remove single fields of it")
    elif any(_GPU in part for part in parts):
        yield _refuse(f"{path}.resources", f"{_GPU} is managed; set spec.hardware.gpusPerReplica")


def _items(value: Any) -> list[Any]:
    """The items of a list that may be absent, or removed as a whole."""
    return value if isinstance(value, list) else []


def _refuse(field: str, message: str) -> Refusal:
    return Refusal(field=field, reason=Reason.INVALID_CONFIGURATION, message=message)
