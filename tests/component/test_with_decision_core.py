"""The loop with the decision core itself in place of the stand-in."""

from datetime import timedelta

from tests.support.world import KEY, World

from breakeven.api.status import State
from breakeven.domain.decide import decide


async def test_first_rollout_serves_without_speculation_and_then_tries_it() -> None:
    world = World(gpus=4, decide=decide)
    await world.settle()
    assert world.serving == 4
    assert sorted(world.replicas.values()) == [1, 3]
    assert world.condition("SpeculationActive")["status"] == "False"
    assert world.controllers.peak_gpus == 4


async def test_trial_without_evidence_holds_and_writes_nothing() -> None:
    world = World(gpus=4, decide=decide)
    await world.settle()
    world.cluster.calls.clear()
    for _ in range(10):
        await world.turn()
    assert world.cluster.writes() == []
    assert world.status.hold
    assert world.status.details.stay is not None and world.status.details.stay.reason == "TrialGoesOn"


async def test_outage_in_a_trial_toggles_nothing() -> None:
    world = World(gpus=4, decide=decide)
    await world.settle()
    replicas, decisions = dict(world.replicas), list(world.status.details.decisions)
    world.metrics.outage("PrometheusUnreachable")
    await world.settle()
    world.metrics.back()
    await world.settle()
    assert world.replicas == replicas
    assert world.status.details.decisions == decisions


async def test_new_process_in_a_trial_decides_nothing_again() -> None:
    world = World(gpus=4, decide=decide)
    await world.settle()
    decided, told = list(world.status.details.decisions), list(world.events.posted)
    world.start()
    await world.settle()
    assert world.status.details.decisions == decided
    assert world.events.posted == told


async def test_crashing_canary_ends_the_trial_with_everything_serving() -> None:
    world = World(gpus=4, decide=decide)
    for _ in range(3):
        await world.turn()
    for _ in range(80):
        if world.status.memory.canary:
            break
        await world.turn()
    assert world.status.memory.canary is not None
    world.controllers.broken.add(f"llama-{world.status.memory.canary.name}")
    for _ in range(60):
        await world.turn()
    assert world.status.memory.canary is None
    assert world.serving == 4
    assert world.condition("Ready")["status"] == "True"


async def test_histograms_are_needed_in_a_trial_and_welcome_beside_a_live_control() -> None:
    world = World(gpus=4, decide=decide)
    await world.settle()
    trial = world.metrics.queries[KEY]
    assert (trial.buckets, trial.buckets_if_room) == (True, False)
    world.command("promote/1")
    await world.settle()
    assert (world.status.state, world.status.memory.holdback) == (State.SPECULATING, True)
    beside = world.metrics.queries[KEY]
    assert (beside.buckets, beside.buckets_if_room) == (False, True)
    world.command("abort/1")
    await world.settle()
    off = world.metrics.queries[KEY]
    assert (world.status.memory.holdback, off.buckets_if_room) == (False, False)


async def test_mistyped_command_leaves_the_reason_and_the_ledger_and_is_answered_once() -> None:
    world = World(gpus=4, decide=decide)
    await world.settle()
    before, decided = world.condition("SpeculationActive"), world.status.details.decisions
    world.command("abrot")
    await world.settle()
    assert world.condition("SpeculationActive") == before
    assert world.status.details.decisions == decided
    assert world.status.command.startswith("abrot: refused, there is no command 'abrot' (did you mean abort?)")
    assert "promote, abort, retry, restart" in world.status.command
    answers = [m for r, m in world.events.posted if r == "Refuse"]
    assert answers == [f"command {world.status.command}"]


async def test_a_command_that_was_carried_out_is_said_to_be() -> None:
    world = World(gpus=4, decide=decide)
    await world.settle()
    world.command("abort/ticket-17")
    await world.settle()
    assert world.status.command == "abort/ticket-17: carried out"


async def test_a_switch_off_is_a_warning_and_a_trial_is_not() -> None:
    world = World(gpus=4, decide=decide)
    await world.settle()
    world.command("promote")
    await world.settle()
    world.command("abort")
    await world.settle()
    posted = [reason for reason, _ in world.events.posted]
    assert {"StartTrial", "Promote", "Disable"} <= set(posted)
    assert world.events.warnings == ["Disable"]
    assert posted.count("Disable") == 1


async def test_an_outage_is_told_in_a_sentence_and_is_what_kubectl_get_shows() -> None:
    world = World(gpus=4, decide=decide)
    await world.settle()
    world.metrics.outage("PrometheusUnreachable")
    await world.settle()
    message = world.condition("MetricsAvailable")["message"]
    assert message == "Prometheus does not answer. Nothing is judged meanwhile. connection refused"
    assert (world.status.reason, world.status.message) == ("PrometheusUnreachable", "Prometheus does not answer.")
    assert world.status.ready == "4/4"


async def test_a_try_that_was_announced_and_cannot_begin_is_explained_in_the_same_condition() -> None:
    world = World(gpus=4, decide=decide)
    await world.settle()
    world.command("abort")
    await world.settle()
    announced = world.condition("SpeculationActive")["message"]
    assert announced.startswith("Trial ended: by command. Next try ")
    assert "Still off" not in announced
    world.metrics.outage("PrometheusUnreachable")
    world.clock.forward(timedelta(hours=1))
    await world.settle()
    assert world.condition("SpeculationActive")["message"].endswith(
        " Still off: no trial begins while the metrics are away."
    )


async def test_a_canary_is_asked_once_whoever_leads() -> None:
    world = World(gpus=4, decide=decide)
    await world.settle()
    for _ in range(5):
        await world.turn()
    asked = len(world.answers.requests)
    assert asked and world.status.memory.compared == world.status.memory.canary.name  # type: ignore[union-attr] # on trial
    said = world.condition("Lossless")
    world.start()
    await world.settle()
    assert len(world.answers.requests) == asked, "its own prompts would have to be taken out of the evidence again"
    assert world.condition("Lossless") == said
