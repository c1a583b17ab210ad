"""Whole measurements of simulated engines, in virtual time."""

import json
from pathlib import Path

import pytest
from tests.support.measured import measured, pair
from tests.support.simulated_server import SimulatedServer, core_of, drafting

from breakeven.domain.measures.verdict import Bounds
from breakeven.measure.figures import Slo
from breakeven.measure.grid import Arm, Cell, grid
from breakeven.measure.prompts import Prompt, PromptSet
from breakeven.measure.remarks import remarks
from breakeven.measure.run import Ending, Limits
from breakeven.measure.schedule import LEAST_ROUNDS
from breakeven.measure.state import FILE, State, StateError
from breakeven.measure.verdict import Kind, verdict

BOUNDS = Bounds(promote=1.05, leave=0.98)


def test_a_draft_that_pays_when_cold_and_loses_when_hot_is_seen_to(tmp_path: Path) -> None:
    outcome, figures, _ = measured(pair(), tmp_path)
    assert outcome.ending is Ending.PRECISE
    cold, hot = figures
    assert cold.speedup is not None and hot.speedup is not None
    assert cold.speedup.value == pytest.approx(1.33, abs=0.08)
    assert hot.speedup.value == pytest.approx(0.64, abs=0.05)
    made = verdict(figures, BOUNDS)
    assert made.kind is Kind.UNDER_TEMPERATURE


def test_clients_and_counters_agree_on_an_idle_network(tmp_path: Path) -> None:
    _, figures, state = measured(pair(), tmp_path)
    for each in figures:
        assert each.speedup is not None and each.client_speedup is not None
        assert each.client_speedup.value == pytest.approx(each.speedup.value, rel=0.05)
    assert remarks(figures, state.visits, {}) == []


def test_a_slow_network_is_reported(tmp_path: Path) -> None:
    servers = pair()
    servers[Arm.ON].latency = 0.2
    _, figures, state = measured(servers, tmp_path)
    text = "\n".join(remarks(figures, state.visits, {}))
    assert "--on: clients and server disagree about TPOT in 2 of 2 cells" in text
    assert "Clients and servers disagree about S" in text


def test_a_measurement_that_was_stopped_goes_on_where_it_was(tmp_path: Path) -> None:
    first, _, state = measured(pair(), tmp_path, stop_after=5)
    assert first.ending is Ending.STOPPED
    assert len(state.visits) == 5
    second, figures, whole = measured(pair(), tmp_path)
    assert second.ending is Ending.PRECISE
    assert whole.visits[:5] == state.visits
    assert all(each.off is not None and each.off.visits >= LEAST_ROUNDS for each in figures)


def test_a_line_that_a_crash_cut_is_dropped(tmp_path: Path) -> None:
    _, _, state = measured(pair(), tmp_path, stop_after=3)
    with (tmp_path / FILE).open("a", encoding="utf-8") as file:
        file.write('{"cell": {"temp')
    assert State(tmp_path, {"test": True}).visits == state.visits
    assert all(json.loads(line) for line in (tmp_path / FILE).read_text(encoding="utf-8").splitlines())


def test_another_measurement_is_not_mixed_into_a_directory(tmp_path: Path) -> None:
    State(tmp_path, {"prompts": "random", "model": "a"})
    with pytest.raises(StateError, match="it differs in model"):
        State(tmp_path, {"prompts": "random", "model": "b"})


def test_a_directory_with_something_else_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("hello\n", encoding="utf-8")
    with pytest.raises(StateError, match="cannot be read; give another -o"):
        State(tmp_path, {})


def test_time_is_a_bound(tmp_path: Path) -> None:
    outcome, _, state = measured(pair(), tmp_path, limits=Limits(seconds=30))
    assert outcome.ending is Ending.TIME
    assert 0 < sum(v.seconds for v in state.visits) < 30


def test_tokens_are_a_bound(tmp_path: Path) -> None:
    outcome, _, state = measured(pair(), tmp_path, limits=Limits(seconds=600, tokens=20_000))
    assert outcome.ending is Ending.TOKENS
    spent = [v.tokens for v in state.visits]
    assert sum(spent[:-1]) < 20_000 <= sum(spent)


def test_no_more_requests_start_than_the_rate_allows(tmp_path: Path) -> None:
    limits = Limits(seconds=120, rate=2.0)
    _, _, state = measured(pair(), tmp_path, cells=grid((0.0,), (8,), ()), limits=limits)
    visited = sum(v.seconds + limits.warmup for v in state.visits)
    answered = sum(len(v.answers) for v in state.visits)
    assert answered <= 2.0 * visited


def test_open_loop_keeps_its_rate_whatever_the_server_does(tmp_path: Path) -> None:
    _, figures, state = measured(pair(), tmp_path, cells=grid((0.0,), (), (3.0,)))
    seconds = sum(v.seconds for v in state.visits if v.arm is Arm.OFF)
    answered = sum(len(v.answers) for v in state.visits if v.arm is Arm.OFF)
    assert answered / seconds == pytest.approx(3.0, rel=0.3)
    assert figures[0].speedup is not None


def test_throughput_is_not_known_better_than_a_step_at_a_windows_end(tmp_path: Path) -> None:
    _, figures, _ = measured(pair(), tmp_path, cells=grid((0.0,), (1,), ()))
    alone = figures[0].off
    assert alone is not None and alone.throughput is not None and alone.throughput.lower is not None
    assert alone.throughput.value - alone.throughput.lower > 0.1 / alone.seconds


def test_goodput_counts_requests_that_kept_every_limit(tmp_path: Path) -> None:
    _, figures, _ = measured(pair(), tmp_path, slo=Slo(tpot=0.006))
    cold, hot = figures
    assert cold.on is not None and cold.on.good is not None and hot.on is not None and hot.on.good is not None
    assert cold.on.good.value > 0.9
    assert hot.on.good.value < 0.5


@pytest.mark.parametrize(
    ("failure", "advice"),
    [
        ("HTTP 429", "lower --concurrency or set --max-rate"),
        ("HTTP 500", "look at its log"),
        ("HTTP 401", "set OPENAI_API_KEY"),
        ("HTTP 404", "does not serve this path or model"),
    ],
)
def test_a_server_that_answers_nothing_leaves_its_cells_out_and_says_what_to_do(
    tmp_path: Path, failure: str, advice: str
) -> None:
    servers = pair()
    servers[Arm.ON].failing = failure
    outcome, figures, state = measured(servers, tmp_path)
    assert set(outcome.left_out) == {Cell(0.0, 4), Cell(1.0, 4)}
    assert all(advice in why and why.startswith("--on") for why in outcome.left_out.values())
    assert all(each.off is not None for each in figures)
    assert any(advice in line for line in remarks(figures, state.visits, outcome.left_out))


def test_a_cache_in_front_is_found_out(tmp_path: Path) -> None:
    class Cached(SimulatedServer):
        """Answers every request itself; the engine behind it never sees one."""

        async def ask(self, path, body, kind):  # type: ignore[no-untyped-def]
            import asyncio

            from breakeven.measure.server import Answer

            sent = asyncio.get_running_loop().time()
            await asyncio.sleep(0.05)
            now = asyncio.get_running_loop().time()
            return Answer(kind=kind, sent=sent, first=sent + 0.01, last=now, tokens=body["max_tokens"])

    servers = {Arm.OFF: SimulatedServer(core_of()), Arm.ON: Cached(core_of(drafting()))}
    _, figures, state = measured(servers, tmp_path, limits=Limits(seconds=100))
    text = "\n".join(remarks(figures, state.visits, {}))
    assert "--on: the clients got" in text
    assert "a cache answers in front of it" in text


def test_one_server_is_measured_alone(tmp_path: Path) -> None:
    outcome, figures, _ = measured({Arm.ON: pair()[Arm.ON]}, tmp_path)
    assert outcome.ending is Ending.PRECISE
    assert all(each.off is None and each.on is not None and each.on.acceptance is not None for each in figures)


def test_engines_one_after_the_other_are_both_measured_and_compared_apart(tmp_path: Path) -> None:
    _, figures, state = measured(pair(), tmp_path, one_after_the_other=True, limits=Limits(seconds=100))
    arms = [visit.arm for visit in state.visits]
    assert arms == sorted(arms, key=[Arm.OFF, Arm.ON].index)
    assert figures[0].speedup is not None and figures[0].speedup.lower is not None


def test_a_mixed_workload_is_seen_and_each_class_measured_alone(tmp_path: Path) -> None:
    prompts = PromptSet(
        name="mixed",
        prompts=(
            *(Prompt(kind="greedy", text="a" * 400, max_tokens=64, temperature=0.0) for _ in range(3)),
            Prompt(kind="sampled", text="b" * 400, max_tokens=64, temperature=1.0),
        ),
    )
    _, figures, _ = measured(
        pair(), tmp_path, cells=grid((0.0,), (8,), ()), prompts=prompts, limits=Limits(seconds=300), precision=0.04
    )
    made = verdict(figures, BOUNDS)
    assert {each.cell.prompts for each in figures} == {"", "greedy", "sampled"}
    assert made.kind is Kind.FOR_PROMPTS
    assert made.headline == "Use it only for greedy; not for sampled."


def test_a_reference_shows_what_quantization_costs(tmp_path: Path) -> None:
    from breakeven.lab.engine.knobs import Knobs

    servers = pair() | {
        Arm.REFERENCE: SimulatedServer(core_of(drafting(), seed=5, knobs=Knobs(acceptance=((0.0, 0.92), (1.0, 0.5)))))
    }
    _, figures, _ = measured(servers, tmp_path, cells=grid((0.0,), (4,), ()))
    assert any(
        "Quantization costs" in line and "more than the 5 points" in line for line in verdict(figures, BOUNDS).lines
    )
