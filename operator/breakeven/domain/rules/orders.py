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


def begin(now: Situation) -> Memory | None:
    """Nothing serves yet: begin without speculation, which every trial is measured against."""
    if now.memory.stable is not None:
        return None
    pinned = now.policy.mode in (Mode.ON, Mode.ADVISE)
    first = now.wished if pinned else now.wished.baseline
    why = {
        Mode.ON: "spec.policy.mode is On",
        Mode.OFF: "spec.policy.mode is Off",
        Mode.ADVISE: "spec.policy.mode is Advise: what is declared serves",
        Mode.AUTO: "speculation has to prove itself against this" if now.wished.speculates else "spec.draft is absent",
    }[now.policy.mode]
    memory = serve(now, first, "Begin", "FirstDeployment", f"serve with {describe(first)}: {why}")
    return memory.model_copy(update={"generation": now.declared.generation, "mode": now.policy.mode})


def mend(now: Situation) -> Memory | None:
    """A memory that no transition leaves, edited by hand or of another release: a trial without its canary."""
    memory = now.memory
    trying = memory.state in (State.TRIAL, State.TUNING)
    if now.on_trial or (not trying and memory.canary is None):
        return None
    return abandon_trial(now, "Inconsistent", "the status named a trial without a canary; it is over")


def follow_spec(now: Situation) -> Memory | None:
    """A newer generation: it supersedes whatever was under way for an older one."""
    memory, wished, stable = now.memory, now.wished, now.stable
    if now.declared.generation == memory.generation:
        return None
    seen = memory.model_copy(update={"generation": now.declared.generation})
    here = now.with_memory(seen)
    if memory.canary is not None and memory.canary not in (wished, wished.baseline):
        here = here.with_memory(
            abandon_trial(here, "Superseded", f"generation {now.declared.generation} asks for something else")
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


def obey_mode(now: Situation) -> Memory | None:
    """On and Off pin speculation; leaving a pin returns to measuring."""
    memory, mode, wished = now.memory, now.policy.mode, now.wished
    pinned = {Mode.ON: wished, Mode.OFF: wished.baseline}.get(mode)
    if pinned is not None and (now.stable != pinned or memory.canary is not None):
        reason = "PinnedOn" if mode == Mode.ON else "PinnedOff"
        message = f"serve with {describe(pinned)}: spec.policy.mode is {mode}"
        return serve(now, pinned, "Pin", reason, message).model_copy(update={"mode": mode, "advice": ""})
    if memory.mode == mode:
        return None
    if mode == Mode.ADVISE and memory.canary is not None:
        return abandon_trial(now, "AdviseOnly", "spec.policy.mode is Advise: nothing is tried").model_copy(
            update={"mode": mode}
        )
    changes: dict[str, object] = {"mode": mode, "advice": "", **CALM}
    if mode == Mode.AUTO and memory.mode in (Mode.ON, Mode.ADVISE) and now.stable.speculates:
        changes["holdback"] = now.spec.replicas >= 2
    if memory.mode in (Mode.OFF, Mode.ON):
        changes |= FRESH_TRIES
    return memory.model_copy(update=changes)


def obey_command(now: Situation) -> Memory | None:
    """A one-shot annotation, taken once."""
    command, identity = now.declared.command, now.declared.command_id
    if not identity and now.memory.command:
        return now.memory.model_copy(update={"command": ""})  # taken away: the same may be given again
    if not command or not identity or identity[:64] == now.memory.command:
        return None
    return _carried_out(now, command).model_copy(update={"command": identity[:64]})


def _carried_out(now: Situation, command: str) -> Memory:
    memory, policy = now.memory, now.policy
    if policy.paused or policy.mode != Mode.AUTO:
        why = "spec.policy.paused is true" if policy.paused else f"spec.policy.mode is {policy.mode}"
        return noted(now, "Refuse", "CommandRefused", f"{command} is not carried out: {why}")
    if command == "promote":
        if memory.canary is not None:
            return promote(now, "Commanded", f"promoted by command: {describe(memory.canary)}")
        if now.wished.speculates and now.stable != now.wished:
            return serve(now, now.wished, "Promote", "Commanded", f"serve with {describe(now.wished)} by command")
    if command == "abort":
        if memory.canary is not None:
            return fail_trial(now, "Commanded", "the trial was aborted by command")
        if now.stable.speculates:
            return disable(now, "Commanded", "speculation was switched off by command")
    if command == "retry":
        waiting = memory.state in (State.COOLDOWN, State.FROZEN)
        state = State.BASELINE if waiting and not now.stable.speculates else memory.state
        if memory.state == State.FROZEN and now.stable.speculates:
            state = State.SPECULATING
        message = "cooldown, tries and the day's changes are forgotten by command"
        return noted(
            now, "Retry", "Commanded", message, state=state, since=now.now, transitions=[], **FRESH_TRIES, **CALM
        )
    if command == "restart" and memory.canary is None:
        fresh = now.stable.model_copy(update={"restarts": now.stable.restarts + 1})
        message = "replicas are replaced one at a time by command"
        return noted(now, "Restart", "Commanded", message, stable=fresh, since=now.now, **CALM)
    return noted(now, "Refuse", "CommandRefused", f"there is nothing to {command} in state {memory.state}")


def _another_model(wished: Variant, stable: Variant) -> bool:
    """Whether clients would get another model: then the two are not compared, and never serve side by side for long."""
    ours, theirs = wished.target, stable.target
    return (ours.model, ours.revision, ours.served_name) != (theirs.model, theirs.revision, theirs.served_name)
