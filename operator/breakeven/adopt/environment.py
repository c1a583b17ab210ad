"""Variables of the engine's container as `engine.env`: values as they are, credentials by reference only."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from breakeven.adopt.notes import Note

_CREDENTIAL = re.compile(r"(^|_)(TOKEN|KEY|SECRET|PASSWORD|PASSWD|CREDENTIALS?)$")
_EMPTY = re.compile(r"|<.*>|\$\{.*\}|x+|changeme|EMPTY", re.IGNORECASE)
"""Values that are no credential: nothing, or a place to write one."""


def is_credential(name: str) -> bool:
    """Whether a variable of this name holds one."""
    return _CREDENTIAL.search(name) is not None


def environment(
    items: Iterable[Any], more: Mapping[str, str], *, secret: str
) -> tuple[list[dict[str, Any]], list[Note]]:
    """`engine.env` and what could not be kept.

    Parameters
    ----------
    items
        As in a container; of two with one name the last counts, as in Kubernetes.
    more
        Variables that a shell set in front of vLLM.
    secret
        Name of the Secret that is referred to in place of a credential.
    """
    found: dict[str, dict[str, Any]] = {}
    notes: list[Note] = []
    for item in [*items, *({"name": k, "value": v} for k, v in more.items())]:
        if not isinstance(item, Mapping) or not item.get("name"):
            notes.append(Note("env", f"{item!r} has no name and is not kept"))
            continue
        name, value = str(item["name"]), item.get("value", "")
        if item.get("valueFrom"):
            found[name] = {"name": name, "valueFrom": item["valueFrom"]}
        elif is_credential(name) and value:
            found[name] = {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": name}}}
            where = f"kubectl create secret generic {secret} --from-literal={name}=…"
            why = "there is none in it yet" if _EMPTY.fullmatch(str(value)) else "its value is not written down"
            notes.append(Note(f"env {name}", f"{why}: put it into a Secret ({where}), which engine.env refers to"))
        else:
            text = "true" if value is True else "false" if value is False else "" if value is None else str(value)
            found[name] = {"name": name, "value": text}
    return list(found.values()), notes
