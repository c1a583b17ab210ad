"""Fields of `podTemplate` that the operator's settings do not let resource authors set (`pod_template_deny`)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from breakeven.api.vocabulary import Reason
from breakeven.engines import Refusal
from breakeven.render.pod_fields import REMOVE

_VARIABLE = "BREAKEVEN_POD_TEMPLATE_DENY"


def check_denied(overrides: Mapping[str, Any] | None, denied: Sequence[str]) -> Iterator[Refusal]:
    """Find overrides that are denied; never raises.

    Parameters
    ----------
    denied
        Field names, as the end of a path and with or without a value: `hostPath`, `capabilities.add`, `runAsUser=0`.
        Without a value every one but false and empty counts; the value `delete` is a removal.
    """
    rules = [(tuple(name.split(".")), value) for name, _, value in (entry.partition("=") for entry in denied)]
    for path, value in _fields((overrides or {}).get("spec"), ("podTemplate", "spec")):
        names = tuple(part for part in path if not part.startswith("["))
        for tail, wanted in rules:
            if names[-len(tail) :] == tail and (_text(value) == wanted.lower() if wanted else _says_something(value)):
                entry = ".".join(tail) + (f"={wanted}" if wanted else "")
                yield Refusal(
                    field=".".join(path).replace(".[", "["),
                    reason=Reason.INVALID_CONFIGURATION,
                    message=f"the operator does not allow {entry} ({_VARIABLE}): leave it out, or ask whoever runs it",
                )


def _fields(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield (*path, str(key)), item
            yield from _fields(item, (*path, str(key)))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _fields(item, (*path, f"[{place}]"))


def _text(value: Any) -> str:
    return "delete" if value == REMOVE else str(value).lower()


def _says_something(value: Any) -> bool:
    return value not in (False, None, "", [], {}, REMOVE)
