"""What people ask for: a first deployment, a changed spec, a mode, a one-shot command. Obeyed, and recorded."""

from collections.abc import Callable, Mapping
from typing import TypedDict

from breakeven.api.names import spoken_model
from breakeven.api.spec import Mode
from breakeven.api.spelling import close
from breakeven.api.status import State
from breakeven.api.text import plain
from breakeven.api.variant import Variant
from breakeven.api.vocabulary import Action, Reason
from breakeven.domain import capacity
from breakeven.domain.answer import Note, Transition, note, transition
from breakeven.domain.rules.transitions import abandon_trial, disable, drafting, fail_trial, promote, serve
from breakeven.domain.situation import Situation


class _Tries(TypedDict, total=False):
    attempts: int
    cooldown_until: None
    tried: list[str]


FRESH_TRIES: _Tries = {"attempts": 0, "cooldown_until": None, "tried": []}
"""What a new wish of the user clears: failures of something else say nothing about it."""


def begin(situation: Situation) -> Transition | None:
    """Nothing serves yet: begin without speculation, which every trial is measured against."""
    if situation.memory.stable is not None:
        return None
    pinned = situation.policy.mode in (Mode.ALWAYS_ON, Mode.ADVISE)
    first = situation.wished if pinned else situation.wished.baseline
    why = {
        Mode.ALWAYS_ON: "because spec.policy.mode is AlwaysOn",
        Mode.ALWAYS_OFF: "because spec.policy.mode is AlwaysOff",
        Mode.ADVISE: "as declared, because spec.policy.mode is Advise",
        Mode.AUTO: "which the draft has to prove itself against"
        if situation.wished.speculates
        else "because spec.draft is absent",
    }[situation.policy.mode]
    message = f"{drafting(first)}, {why}"
    begun = serve(situation, first, Action.BEGIN, Reason.FIRST_DEPLOYMENT, message)
    return begun.also(**situation.declared.looked_at, mode=situation.policy.mode)


def mend(situation: Situation) -> Transition | None:
    """A memory that no transition leaves, edited by hand or of another release: a trial without its canary."""
    memory = situation.memory
    trying = memory.state in (State.TRIAL, State.TUNING)
    if situation.on_trial or (not trying and memory.canary is None):
        return None
    return abandon_trial(situation, Reason.INCONSISTENT, "the status named a trial without a canary; it is over")


def forget_tries(situation: Situation) -> Note | None:
    """A newer generation that asks for another engine or draft: what failed before says nothing about it."""
    memory, wished, stable = situation.memory, situation.wished, situation.stable
    if not situation.is_new:
        return None
    if wished.baseline != stable.baseline:
        return note(**FRESH_TRIES)
    if not wished.speculates:
        return None
    new_draft = wished.draft != stable.draft and wished.name not in memory.tried and memory.canary is None
    return note(**FRESH_TRIES) if new_draft else None


def supersede(situation: Situation) -> Transition | None:
    """A newer generation ends a trial of something that it does not ask for."""
    canary = situation.memory.canary
    if not situation.is_new or canary is None:
        return None
    if canary in (situation.wished, situation.wished.baseline):
        return None
    return abandon_trial(situation, Reason.SUPERSEDED, "a newer generation asks for something else")


def follow_spec(situation: Situation) -> Transition | Note | None:
    """A newer generation: another model and a draft that is gone are served at once, all else is tried first."""
    wished, stable = situation.wished, situation.stable
    if not situation.is_new:
        return None
    if _another_model(wished, stable):
        new, old = spoken_model(wished.target.model), spoken_model(stable.target.model)
        message = f"{new} serves in place of {old}, and another model is not compared"
        replaced = serve(situation, wished.baseline, Action.REPLACE, Reason.TARGET_CHANGED, message)
        return replaced.also(**situation.declared.looked_at, profile=[], profile_grew_at=None)
    if wished.baseline == stable.baseline and not wished.speculates and stable.speculates:
        gone = serve(situation, wished, Action.DISABLE, Reason.NO_DRAFT, "spec.draft is absent now")
        return gone.also(**situation.declared.looked_at)
    return note(**situation.declared.looked_at)


def obey_mode(situation: Situation) -> Transition | Note | None:
    """AlwaysOn and AlwaysOff pin speculation; leaving a pin returns to measuring."""
    memory, mode, wished = situation.memory, situation.policy.mode, situation.wished
    pinned = {Mode.ALWAYS_ON: wished, Mode.ALWAYS_OFF: wished.baseline}.get(mode)
    if pinned is not None and (situation.stable != pinned or memory.canary is not None):
        reason = Reason.PINNED_ON if mode == Mode.ALWAYS_ON else Reason.PINNED_OFF
        message = f"{drafting(pinned)}, because spec.policy.mode is {mode}"
        return serve(situation, pinned, Action.PIN, reason, message).also(mode=mode, advice="")
    if memory.mode == mode:
        return None
    if mode == Mode.ADVISE and memory.canary is not None:
        message = "spec.policy.mode is Advise: nothing is tried"
        return abandon_trial(situation, Reason.ADVISE_ONLY, message).also(mode=mode)
    released = mode == Mode.AUTO and memory.mode in (Mode.ALWAYS_ON, Mode.ADVISE) and situation.stable.speculates
    holdback = capacity.can_control(situation) if released else memory.holdback
    if memory.mode in (Mode.ALWAYS_OFF, Mode.ALWAYS_ON):
        return note(mode=mode, advice="", holdback=holdback, **FRESH_TRIES)
    return note(mode=mode, advice="", holdback=holdback)


def obey_command(situation: Situation) -> Transition | Note | None:
    """A one-shot annotation, taken once."""
    command, identity = situation.declared.command, situation.declared.command_id
    if not identity and situation.memory.command:
        return note(command="", command_refused="")  # taken away: the same may be given again
    if not command or not identity or identity[:64] == situation.memory.command:
        return None
    carry_out, policy = COMMANDS.get(command), situation.policy
    if carry_out is None:
        return _refused(identity, f"there is no command {command!r}{_meant(command)}; {_THEY_ARE}")
    if policy.paused or policy.mode != Mode.AUTO:
        why = "spec.policy.paused is true" if policy.paused else f"spec.policy.mode is {policy.mode}"
        return _refused(identity, f"{command} is not carried out, because {why}")
    carried_out = carry_out(situation)
    if carried_out is None:
        return _refused(identity, f"there is nothing to {command} in state {situation.memory.state}; {_THEY_ARE}")
    return carried_out.also(command=identity[:64], command_refused="")


def _refused(identity: str, why: str) -> Note:
    """An answer that changes nothing: no line of the ledger, and the reason of the last decision stands."""
    return note(command=identity[:64], command_refused=plain(why))


def _meant(command: str) -> str:
    near = close(command, COMMANDS)[:1]
    return f" (did you mean {near[0]}?)" if near else ""


def _promote(situation: Situation) -> Transition | None:
    canary, wished = situation.memory.canary, situation.wished
    if canary is not None:
        return promote(situation, canary, Reason.COMMANDED, f"{drafting(canary)}, by command")
    if not wished.speculates or situation.stable == wished:
        return None
    return serve(situation, wished, Action.PROMOTE, Reason.COMMANDED, f"{drafting(wished)}, by command")


def _abort(situation: Situation) -> Transition | None:
    if situation.memory.canary is not None:
        return fail_trial(situation, Reason.COMMANDED, "by command")
    if not situation.stable.speculates:
        return None
    return disable(situation, Reason.COMMANDED, "by command")


def _retry(situation: Situation) -> Transition:
    memory = situation.memory
    waiting = memory.state in (State.COOLDOWN, State.FROZEN)
    state = State.BASELINE if waiting and not situation.stable.speculates else memory.state
    if memory.state == State.FROZEN and situation.stable.speculates:
        state = State.SPECULATING
    return transition(
        Action.RETRY,
        Reason.COMMANDED,
        "cooldown, tries and the day's changes are forgotten by command",
        state=state,
        since=situation.time,
        transitions=[],
        **FRESH_TRIES,
    )


def _restart(situation: Situation) -> Transition | None:
    if situation.memory.canary is not None:
        return None
    fresh = situation.stable.restarted()
    message = "one at a time, by command"
    return transition(Action.RESTART, Reason.COMMANDED, message, stable=fresh, since=situation.time)


COMMANDS: Mapping[str, Callable[[Situation], Transition | None]] = {
    "promote": _promote,
    "abort": _abort,
    "retry": _retry,
    "restart": _restart,
}
"""What the annotation may say; None from a command is that there is nothing to do."""
_THEY_ARE = f"the commands are {', '.join(COMMANDS)}"


def _another_model(wished: Variant, stable: Variant) -> bool:
    """Whether clients would get another model: then the two are not compared, and never serve side by side for long."""
    ours, theirs = wished.target, stable.target
    return (ours.model, ours.revision, ours.served_name) != (theirs.model, theirs.revision, theirs.served_name)
