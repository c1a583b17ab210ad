"""What people ask for: a first deployment, a changed spec, a mode, a one-shot command. Obeyed, and recorded."""

from typing import Any

from breakeven.api.names import spoken_model
from breakeven.api.spec import Mode
from breakeven.api.status import Memory, State
from breakeven.api.variant import Variant
from breakeven.domain.rules.ledger import noted
from breakeven.domain.rules.transitions import CALM, abandon_trial, describe, disable, fail_trial, promote, serve
from breakeven.domain.situation import Situation

FRESH_TRIES: dict[str, Any] = {"attempts": 0, "cooldown_until": None, "tried": []}
"""What a new wish of the user clears: failures of something else say nothing about it."""


def begin(situation: Situation) -> Memory | None:
    """Nothing serves yet: begin without speculation, which every trial is measured against."""
    if situation.memory.stable is not None:
        return None
    pinned = situation.policy.mode in (Mode.ALWAYS_ON, Mode.ADVISE)
    first = situation.wished if pinned else situation.wished.baseline
    why = {
        Mode.ALWAYS_ON: "spec.policy.mode is AlwaysOn",
        Mode.ALWAYS_OFF: "spec.policy.mode is AlwaysOff",
        Mode.ADVISE: "spec.policy.mode is Advise: what is declared serves",
        Mode.AUTO: "speculation has to prove itself against this"
        if situation.wished.speculates
        else "spec.draft is absent",
    }[situation.policy.mode]
    memory = serve(situation, first, "Begin", "FirstDeployment", f"serve with {describe(first)}: {why}")
    return memory.model_copy(update={"generation": situation.declared.generation, "mode": situation.policy.mode})


def mend(situation: Situation) -> Memory | None:
    """A memory that no transition leaves, edited by hand or of another release: a trial without its canary."""
    memory = situation.memory
    trying = memory.state in (State.TRIAL, State.TUNING)
    if situation.on_trial or (not trying and memory.canary is None):
        return None
    return abandon_trial(situation, "Inconsistent", "the status named a trial without a canary; it is over")


def follow_spec(situation: Situation) -> Memory | None:
    """A newer generation: it supersedes whatever was under way for an older one."""
    memory, wished, stable = situation.memory, situation.wished, situation.stable
    if situation.declared.generation == memory.generation:
        return None
    seen = memory.model_copy(update={"generation": situation.declared.generation})
    here = situation.with_memory(seen)
    if memory.canary is not None and memory.canary not in (wished, wished.baseline):
        here = here.with_memory(
            abandon_trial(here, "Superseded", f"generation {situation.declared.generation} asks for something else")
        )
    if _another_model(wished, stable):
        new, old = spoken_model(wished.target.model), spoken_model(stable.target.model)
        message = f"serve {new} instead of {old}: another model is not compared"
        changed = serve(here, wished.baseline, "Replace", "TargetChanged", message)
        return changed.model_copy(update={**FRESH_TRIES, "profile": [], "profile_grew_at": None})
    if wished.baseline != stable.baseline:
        return here.memory.model_copy(update={**FRESH_TRIES})
    if not wished.speculates and stable.speculates:
        return serve(here, wished, "Disable", "NoDraft", "spec.draft is absent now")
    if wished.draft != stable.draft and wished.name not in memory.tried and memory.canary is None:
        return here.memory.model_copy(update={**FRESH_TRIES})
    return here.memory


def obey_mode(situation: Situation) -> Memory | None:
    """AlwaysOn and AlwaysOff pin speculation; leaving a pin returns to measuring."""
    memory, mode, wished = situation.memory, situation.policy.mode, situation.wished
    pinned = {Mode.ALWAYS_ON: wished, Mode.ALWAYS_OFF: wished.baseline}.get(mode)
    if pinned is not None and (situation.stable != pinned or memory.canary is not None):
        reason = "PinnedOn" if mode == Mode.ALWAYS_ON else "PinnedOff"
        message = f"serve with {describe(pinned)}: spec.policy.mode is {mode}"
        return serve(situation, pinned, "Pin", reason, message).model_copy(update={"mode": mode, "advice": ""})
    if memory.mode == mode:
        return None
    if mode == Mode.ADVISE and memory.canary is not None:
        return abandon_trial(situation, "AdviseOnly", "spec.policy.mode is Advise: nothing is tried").model_copy(
            update={"mode": mode}
        )
    changes: dict[str, object] = {"mode": mode, "advice": "", **CALM}
    if mode == Mode.AUTO and memory.mode in (Mode.ALWAYS_ON, Mode.ADVISE) and situation.stable.speculates:
        changes["holdback"] = situation.spec.replicas >= 2
    if memory.mode in (Mode.ALWAYS_OFF, Mode.ALWAYS_ON):
        changes |= FRESH_TRIES
    return memory.model_copy(update=changes)


def obey_command(situation: Situation) -> Memory | None:
    """A one-shot annotation, taken once."""
    command, identity = situation.declared.command, situation.declared.command_id
    if not identity and situation.memory.command:
        return situation.memory.model_copy(update={"command": ""})  # taken away: the same may be given again
    if not command or not identity or identity[:64] == situation.memory.command:
        return None
    return _carried_out(situation, command).model_copy(update={"command": identity[:64]})


def _carried_out(situation: Situation, command: str) -> Memory:
    memory, policy = situation.memory, situation.policy
    if policy.paused or policy.mode != Mode.AUTO:
        why = "spec.policy.paused is true" if policy.paused else f"spec.policy.mode is {policy.mode}"
        return noted(situation, "Refuse", "CommandRefused", f"{command} is not carried out: {why}")
    if command == "promote":
        if memory.canary is not None:
            return promote(situation, "Commanded", f"promoted by command: {describe(memory.canary)}")
        if situation.wished.speculates and situation.stable != situation.wished:
            return serve(
                situation,
                situation.wished,
                "Promote",
                "Commanded",
                f"serve with {describe(situation.wished)} by command",
            )
    if command == "abort":
        if memory.canary is not None:
            return fail_trial(situation, "Commanded", "the trial was aborted by command")
        if situation.stable.speculates:
            return disable(situation, "Commanded", "speculation was switched off by command")
    if command == "retry":
        waiting = memory.state in (State.COOLDOWN, State.FROZEN)
        state = State.BASELINE if waiting and not situation.stable.speculates else memory.state
        if memory.state == State.FROZEN and situation.stable.speculates:
            state = State.SPECULATING
        message = "cooldown, tries and the day's changes are forgotten by command"
        return noted(
            situation,
            "Retry",
            "Commanded",
            message,
            state=state,
            since=situation.time,
            transitions=[],
            **FRESH_TRIES,
            **CALM,
        )
    if command == "restart" and memory.canary is None:
        fresh = situation.stable.model_copy(update={"restarts": situation.stable.restarts + 1})
        message = "replicas are replaced one at a time by command"
        return noted(situation, "Restart", "Commanded", message, stable=fresh, since=situation.time, **CALM)
    return noted(situation, "Refuse", "CommandRefused", f"there is nothing to {command} in state {memory.state}")


def _another_model(wished: Variant, stable: Variant) -> bool:
    """Whether clients would get another model: then the two are not compared, and never serve side by side for long."""
    ours, theirs = wished.target, stable.target
    return (ours.model, ours.revision, ours.served_name) != (theirs.model, theirs.revision, theirs.served_name)
