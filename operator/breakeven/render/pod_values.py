"""Values that the API server refuses in a pod although they have the right type: names, labels, quantities, choices.

The rules are those of k8s.io/kubernetes/pkg/apis/core/validation and k8s.io/apimachinery/pkg/util/validation, as far as
they concern what people write by hand; tests/e2e/test_hostile_specs.py holds them against a real API server. What is
missed here is refused at the first apply, in the API server's words.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from breakeven.api.vocabulary import Reason
from breakeven.engines import Refusal
from breakeven.render.names import CONTAINER
from breakeven.render.pod_fields import REMOVE

_Check = Callable[[Any], str]
"""What is wrong with a value; empty when nothing is."""

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_DNS_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_VARIABLE = re.compile(r"(?!\.\.)[-._a-zA-Z][-._a-zA-Z0-9]*")
_CONFIG_KEY = re.compile(r"(?!\.\.)(?!\.$)[-._a-zA-Z0-9]{1,253}")
_QUANTITY = re.compile(r"([0-9]{1,18}\.?[0-9]{0,9}|\.[0-9]{1,9})([KMGTPE]i|[mkMGTPEnu]|[eE][-+]?[0-9]{1,2})?")
_FIELDS = re.compile(
    r"metadata\.(name|namespace|uid|labels\['[^']+'\]|annotations\['[^']+'\])"
    r"|spec\.(nodeName|serviceAccountName)|status\.(hostIPs?|podIPs?)"
)
_RESOURCES = re.compile(r"(limits|requests)\.(cpu|memory|ephemeral-storage|hugepages-.+)")
_STANDARD = re.compile(r"cpu|memory|ephemeral-storage|hugepages-.+")


def _matches(pattern: re.Pattern[str], write: str, longest: int = 253) -> _Check:
    return lambda value: (
        ""
        if isinstance(value, str) and len(value) <= longest and pattern.fullmatch(value)
        else f"{value!r}: write {write}"
    )


def _one_of(*choices: str) -> _Check:
    return lambda value: "" if value in choices else f"{value!r}: write {', '.join(choices)}"


def _between(low: int, high: int) -> _Check:
    return lambda value: "" if isinstance(value, int) and low <= value <= high else f"{value!r}: write {low} to {high}"


def label_key(key: Any) -> str:
    """What is wrong with the name of a label or an annotation."""
    prefix, slash, name = str(key).rpartition("/")
    if (not slash or (len(prefix) <= 253 and _DNS_NAME.fullmatch(prefix))) and _LABEL_NAME.fullmatch(name):
        return ""
    return f"{key!r}: write a name of at most 63 letters, digits, '-', '_' and '.', if needed after a domain and '/'"


def label_value(value: Any) -> str:
    """What is wrong with the value of a label."""
    if value == "" or (isinstance(value, str) and _LABEL_NAME.fullmatch(value)):
        return ""
    return f"{value!r}: write at most 63 letters, digits, '-', '_' and '.', the first and last a letter or digit"


_label = _matches(_DNS_LABEL, "at most 63 characters of a-z, 0-9 and '-'", 63)
_name = _matches(_DNS_NAME, "a name of a-z, 0-9, '-' and '.'")
_quantity = _matches(_QUANTITY, 'an amount such as "500m", "64Gi" or "2"', 64)
_mode = _between(0, 0o777)
_id = _between(0, 2**31 - 1)

_VALUES: Mapping[str, _Check] = {
    "imagePullPolicy": _one_of("Always", "IfNotPresent", "Never"),
    "dnsPolicy": _one_of("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"),
    "effect": _one_of("NoSchedule", "PreferNoSchedule", "NoExecute"),
    "whenUnsatisfiable": _one_of("DoNotSchedule", "ScheduleAnyway"),
    "priorityClassName": _name,
    "runtimeClassName": _name,
    "serviceAccountName": _name,
    "claimName": _name,
    "secretName": _name,
    "topologyKey": label_key,
    "maxSkew": _between(1, 2**31 - 1),
    "defaultMode": _mode,
    "mode": _mode,
    "runAsUser": _id,
    "runAsGroup": _id,
    "fsGroup": _id,
    "containerPort": _between(1, 65_535),
    "periodSeconds": _between(0, 2**31 - 1),
    "timeoutSeconds": _between(0, 2**31 - 1),
    "failureThreshold": _between(0, 2**31 - 1),
    "initialDelaySeconds": _between(0, 2**31 - 1),
    "fieldPath": _matches(_FIELDS, "a field such as metadata.name or status.podIP"),
    "sizeLimit": lambda value: _amount(value),
}
"""By the name of the field, wherever in the pod template it stands."""


def check_values(value: Any, path: str) -> Iterator[Refusal]:
    """Find values of an override of the pod template, of the right types already, that the API server refuses."""
    for field, wrong in _wrong(value, path):
        yield Refusal(field=field, reason=Reason.INVALID_CONFIGURATION, message=wrong)


def check_together(spec: Mapping[str, Any], path: str, *, volumes: frozenset[str]) -> Iterator[Refusal]:
    """Find fields of an override of the pod's spec that do not go together; `volumes` are those that are rendered."""
    for field, wrong in _apart(spec, path, volumes):
        yield Refusal(field=field, reason=Reason.INVALID_CONFIGURATION, message=wrong)


def check_variable(variable: Mapping[str, Any], path: str) -> Iterator[Refusal]:
    """The same of one environment variable."""
    for field, wrong in [*_of_variable(variable, path), *_wrong(variable, path)]:
        yield Refusal(field=field, reason=Reason.INVALID_CONFIGURATION, message=wrong)


def check_node_selector(selector: Mapping[str, str] | None, path: str) -> Iterator[Refusal]:
    """The same of a node selector."""
    for field, wrong in _labels(selector or {}, path):
        yield Refusal(field=field, reason=Reason.INVALID_CONFIGURATION, message=wrong)


_Wrong = Iterator[tuple[str, str]]


def _wrong(value: Any, path: str) -> _Wrong:
    for key, item in value.items() if isinstance(value, Mapping) else ():
        here = f"{path}.{key}"
        if item == REMOVE:
            continue
        if (check := _VALUES.get(key)) is not None and not isinstance(item, Mapping | list) and (wrong := check(item)):
            yield here, wrong
        if key in ("labels", "nodeSelector", "matchLabels", "annotations") and isinstance(item, Mapping):
            yield from _labels(item, here, values=key != "annotations")
        elif key in ("limits", "requests") and isinstance(item, Mapping):
            yield from _amounts(item, here)
        elif isinstance(item, Mapping):
            if key == "resources":
                yield from _of_resources(item, here)
            yield from _wrong(item, here)
        for place, member in enumerate(item if isinstance(item, list) else ()):
            if isinstance(member, Mapping) and "$patch" not in member:
                if key in _OF_ITEM:
                    yield from _OF_ITEM[key](member, f"{here}[{place}]")
                yield from _wrong(member, f"{here}[{place}]")


def _apart(spec: Mapping[str, Any], path: str, volumes: frozenset[str]) -> _Wrong:
    if spec.get("dnsPolicy") == "None" and "dnsConfig" not in spec:
        yield f"{path}.dnsConfig", "write it, or another dnsPolicy than None"
    there = {v["name"] for v in _items(spec, "volumes")} | volumes
    seen = {c["name"]: "containers" for c in _items(spec, "containers")} | {CONTAINER: "containers"}
    for kind in ("containers", "initContainers"):
        for place, container in enumerate(_items(spec, kind)):
            here = f"{path}.{kind}[{place}]"
            if kind == "initContainers" and container.get("restartPolicy") != "Always":
                for name in sorted({"livenessProbe", "readinessProbe", "startupProbe", "lifecycle"} & set(container)):
                    yield f"{here}.{name}", "leave it out, or write Always as restartPolicy of this container"
            if seen.setdefault(container["name"], kind) != kind:
                yield f"{here}.name", f"{container['name']!r} is the name of another container"
            for number, mount in enumerate(_items(container, "volumeMounts")):
                if mount.get("name") not in there and "$patch" not in mount:
                    known = ", ".join(sorted(there))
                    yield f"{here}.volumeMounts[{number}].name", f"there is no such volume; there are {known}"


def _items(of: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    found = of.get(kind)
    return found if isinstance(found, list) else []


def _labels(labels: Mapping[str, Any], path: str, *, values: bool = True) -> _Wrong:
    for key, value in labels.items():
        if value == REMOVE:
            continue
        if wrong := label_key(key) or (label_value(value) if values else ""):
            yield f"{path}.{key}", wrong


def _amounts(amounts: Mapping[str, Any], path: str) -> _Wrong:
    for name, value in amounts.items():
        if value == REMOVE:
            continue
        known = _STANDARD.fullmatch(name) or ("/" in name and not label_key(name))
        wrong = (
            "" if known else f"{name!r} is no resource: write cpu, memory, ephemeral-storage or a name with a domain"
        )
        wrong = wrong or _amount(value)
        if not wrong and "/" in name and _number(value) % 1:
            wrong = f"{value!r}: write a whole number"
        if wrong:
            yield f"{path}.{name}", wrong


_SUFFIX = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}


def _number(value: Any) -> Decimal:
    """An amount that `_amount` has nothing against."""
    text = str(value)
    if text.endswith("i"):
        return Decimal(text[:-2]) * Decimal(1024) ** ("KMGTPE".index(text[-2]) + 1)
    if text[-1] in _SUFFIX:
        return Decimal(text[:-1]).scaleb(_SUFFIX[text[-1]])
    return Decimal(text)


def amount_of(value: Any) -> Decimal | None:
    """An amount as a number; None where it is none."""
    return None if _amount(value) else _number(value)


def _of_resources(resources: Mapping[str, Any], path: str) -> _Wrong:
    limits, requests = (resources.get(part) for part in ("limits", "requests"))
    if not isinstance(limits, Mapping) or not isinstance(requests, Mapping):
        return
    for name in limits.keys() & requests.keys():
        amounts = limits[name], requests[name]
        if any(_amount(amount) for amount in amounts):
            continue
        most, least = map(_number, amounts)
        if least > most or ("/" in name and least != most):
            yield f"{path}.requests.{name}", f"write what limits.{name} says{'' if '/' in name else ', or less'}"


def _amount(value: Any) -> str:
    whole = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return "" if whole else _quantity(value)


def _of_container(container: Mapping[str, Any], path: str) -> _Wrong:
    if wrong := _label(container.get("name")):
        yield f"{path}.name", wrong
    image = container.get("image")
    if image is not None and image != REMOVE and image != image.strip():
        yield f"{path}.image", "write it without spaces around it"


def _of_variable(variable: Mapping[str, Any], path: str) -> _Wrong:
    name, value, source = variable.get("name"), variable.get("value"), variable.get("valueFrom")
    if not _VARIABLE.fullmatch(str(name)):
        yield f"{path}.name", f"{name!r}: write letters, digits, '-', '_' and '.', the first no digit"
    if not isinstance(source, Mapping):
        return
    if value:
        yield path, "write either value or valueFrom"
    if len(source) != 1:
        yield f"{path}.valueFrom", "write exactly one of fieldRef, resourceFieldRef, configMapKeyRef and secretKeyRef"
    for kind in ("configMapKeyRef", "secretKeyRef"):
        named = source.get(kind)
        if isinstance(named, Mapping):
            if wrong := _name(named.get("name")):
                yield f"{path}.valueFrom.{kind}.name", wrong
            if not _CONFIG_KEY.fullmatch(str(named.get("key", ""))):
                yield f"{path}.valueFrom.{kind}.key", f"{named.get('key')!r}: write letters, digits, '-', '_' and '.'"
    resource = source.get("resourceFieldRef")
    if isinstance(resource, Mapping) and not _RESOURCES.fullmatch(str(resource.get("resource"))):
        yield f"{path}.valueFrom.resourceFieldRef.resource", "write for example limits.memory"


def _of_volume(volume: Mapping[str, Any], path: str) -> _Wrong:
    if wrong := _label(volume.get("name")):
        yield f"{path}.name", wrong
    kinds = sorted(set(volume) - {"name"})
    if len(kinds) != 1:
        yield path, f"write exactly one kind of volume: this has {', '.join(kinds) or 'none'}"


def _of_mount(mount: Mapping[str, Any], path: str) -> _Wrong:
    target = mount.get("mountPath")
    if not isinstance(target, str) or not target or ":" in target:
        yield f"{path}.mountPath", f"{target!r}: write a path without ':'"


def _of_toleration(toleration: Mapping[str, Any], path: str) -> _Wrong:
    key, operator, value = (toleration.get(name) for name in ("key", "operator", "value"))
    if operator not in (None, "", "Exists", "Equal", "Lt", "Gt"):
        yield f"{path}.operator", f"{operator!r}: write Exists or Equal"
    if key and (wrong := label_key(key)):
        yield f"{path}.key", wrong
    if not key and operator != "Exists":
        yield f"{path}.operator", "write Exists where there is no key"
    if operator == "Exists" and value:
        yield f"{path}.value", "leave it out: Exists takes no value"
    elif value and (wrong := label_value(value)):
        yield f"{path}.value", wrong
    if toleration.get("tolerationSeconds") is not None and toleration.get("effect") != "NoExecute":
        yield f"{path}.effect", "write NoExecute: tolerationSeconds is about nothing else"


_OF_ITEM: Mapping[str, Callable[[Mapping[str, Any], str], _Wrong]] = {
    "containers": _of_container,
    "initContainers": _of_container,
    "env": _of_variable,
    "volumes": _of_volume,
    "volumeMounts": _of_mount,
    "tolerations": _of_toleration,
}
