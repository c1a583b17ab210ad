"""`engine.extraArgs` may add, never take over: managed flags and removed flags are refused by name."""

from collections.abc import Iterator

from breakeven.api.vocabulary import Reason
from breakeven.engines import Caution, EngineRemark, Refusal
from breakeven.render.extra import Argument
from breakeven.render.extrakeys import OWN_FIELDS
from breakeven.render.managed import MANAGED
from breakeven.render.quantization import target_quantization
from breakeven.render.request import Request

_FIELD = "engine.extraArgs"


def check_extra_arguments(request: Request) -> Iterator[EngineRemark]:
    """Find arguments that collide, that the release removed, or that cannot be read."""
    for item in request.extra.stray:
        yield _refuse(f"{item!r} belongs to no flag; write flags as --flag=value, one list item each")
    for argument in request.extra.arguments:
        yield from _check(request, argument)


def _check(request: Request, argument: Argument) -> Iterator[EngineRemark]:
    if any(c.isspace() for c in argument.given):
        yield _refuse(f"{argument.given!r} holds a space; write --flag=value, or flag and value as two list items")
        return
    managed = [f for f in (argument.flag, *argument.candidates) if f in MANAGED]
    if managed and managed[0] == "--speculative-config" and "." in argument.given:
        yield _dotted(argument)
    elif managed:
        means = "" if argument.given == managed[0] else f" (read as {managed[0]})"
        yield _refuse(f"{argument.given}{means} is managed; {MANAGED[managed[0]]}")
    elif _switch(argument.flag) in request.engine.removed_flags:
        can = request.engine.versions_with("flags", _switch(argument.flag))
        yield Refusal(
            field=_FIELD,
            reason=Reason.UNSUPPORTED_BY_ENGINE,
            message=f"vLLM {request.engine.version} has no {argument.flag}, {can} can; remove it",
        )
    elif argument.flag == "--load-format" and len(target_quantization(request)) > 1:
        yield _refuse("--load-format is set by target.quantization here: remove it")
    elif argument.flag == "--api-key":
        yield Caution(field=_FIELD, message="--api-key: smoke tests send no key, so a trial would never be promoted")


def _dotted(argument: Argument) -> Refusal:
    """A key of the draft, written as vLLM's parser takes it: `--speculative-config.moe_backend=triton`."""
    key = argument.given.partition(".")[2]
    instead = OWN_FIELDS.get(key, f"write it in spec.draft as extraKeys: {{{key}: {argument.value}}}")
    return _refuse(f"{argument.given} belongs to --speculative-config, which spec.draft declares; {instead}")


def _switch(flag: str) -> str:
    """The flag that a switch of the form `--no-…` turns off: where one is missing, so is the other."""
    return f"--{flag.removeprefix('--no-')}" if flag.startswith("--no-") else flag


def _refuse(message: str) -> Refusal:
    return Refusal(field=_FIELD, reason=Reason.INVALID_CONFIGURATION, message=message)
