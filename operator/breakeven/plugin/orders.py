"""What people tell a resource, as one merge patch each. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from breakeven.api.names import COMMAND, MODE_BEFORE_OFF
from breakeven.api.spec import Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One change, and what to say of it."""

    patch: Mapping[str, Any]
    """JSON merge patch. Empty: it is so already."""
    said: str
    """What was done."""
    spec_change: str = ""
    """The fields that were changed, as Git would have them. Empty: none of the spec."""


def command(word: str, now: datetime) -> Order:
    """A one-shot command. The time makes it another text than the last one, so the same may be given again."""
    identity = f"{word}/{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    return Order(patch={"metadata": {"annotations": {COMMAND: identity}}}, said=identity)


def pause(body: Mapping[str, Any], paused: bool) -> Order:
    """Stop every change of running replicas, or allow them again."""
    if bool(_policy(body).get("paused", False)) is paused:
        return Order(patch={}, said="paused already" if paused else "not paused")
    change = f"spec.policy.paused: {str(paused).lower()}"
    said = "paused: nothing is changed, measuring goes on" if paused else "resumed"
    return Order(patch={"spec": {"policy": {"paused": paused}}}, said=f"{said} ({change})", spec_change=change)


def off(body: Mapping[str, Any]) -> Order:
    """Pin speculation off, and remember the mode that `on` is to put back."""
    mode = _mode(body)
    if mode == Mode.ALWAYS_OFF:
        return Order(patch={}, said=f"off already (spec.policy.mode is {Mode.ALWAYS_OFF})")
    return _mode_order(Mode.ALWAYS_OFF, mode, "off: replicas are replaced one at a time")


def on(body: Mapping[str, Any], *, always: bool) -> Order:
    """Undo `off`: the mode before it, else Auto, which measures and decides. `always` pins speculation on."""
    mode, before = _mode(body), _annotations(body).get(MODE_BEFORE_OFF)
    if mode == Mode.ALWAYS_ON:
        return Order(
            patch={}, said=f"pinned on already (spec.policy.mode is {Mode.ALWAYS_ON}); `auto` lets it be measured"
        )
    if always:
        return _mode_order(Mode.ALWAYS_ON, None, "pinned on: a loss is reported and not acted on")
    if mode != Mode.ALWAYS_OFF:
        return Order(patch={}, said=f"the operator decides already (spec.policy.mode is {mode}); --always pins it on")
    if before in (Mode.ADVISE, Mode.ALWAYS_ON):
        return _mode_order(Mode(before), None, "as it was before it was switched off")
    return auto(body)


def auto(body: Mapping[str, Any]) -> Order:
    """Let the operator measure and decide, whatever was before."""
    if _mode(body) == Mode.AUTO:
        return Order(patch={}, said=f"the operator decides already (spec.policy.mode is {Mode.AUTO})")
    return _mode_order(Mode.AUTO, None, "the operator decides again: tried, measured, and kept on where it pays")


def _mode_order(mode: Mode, before: str | None, said: str) -> Order:
    change = f"spec.policy.mode: {mode}"
    patch = {"metadata": {"annotations": {MODE_BEFORE_OFF: before}}, "spec": {"policy": {"mode": str(mode)}}}
    return Order(patch=patch, said=f"{said} ({change})", spec_change=change)


def _policy(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return (body.get("spec") or {}).get("policy") or {}


def _mode(body: Mapping[str, Any]) -> str:
    return str(_policy(body).get("mode", Mode.AUTO))


def _annotations(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return (body.get("metadata") or {}).get("annotations") or {}
