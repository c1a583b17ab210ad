"""The simulation core: what it counts, how it answers to load, and what speculation does to it."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breakeven.lab.engine.acceptance import DEFAULTS, Acceptance, probabilistic
from breakeven.lab.engine.core import EngineCore, Request, Setup, Speculation
from breakeven.lab.engine.step_times import BASELINE, step_times


def core_of(
    *,
    k: int = 0,
    target: str = "70B",
    acceptance: Acceptance = DEFAULTS["draft_model"],
    kv_tokens: int | None = None,
    schedule: tuple[tuple[int, int, int], ...] = (),
    max_num_seqs: int = 256,
) -> EngineCore:
    times = step_times(target, "draft_model" if k else BASELINE, k, "async")
    setup = Setup(
        times=times,
        kv_tokens=kv_tokens or times.memory.kv_tokens,
        prefill_tokens_per_s=times.memory.prefill_tokens_per_s,
        speculation=Speculation("draft_model", k, acceptance, schedule) if k else None,
        max_num_seqs=max_num_seqs,
    )
    return EngineCore(setup, seed=1)


def feed(core: EngineCore, *, rate: float, count: int, temperature: float = 0.0, output: int = 120) -> list[Request]:
    rng, now, requests = Random(5), 0.0, []
    for _ in range(count):
        now += rng.expovariate(rate)
        request = Request(200, output, temperature, arrival=now)
        core.submit(request)
        requests.append(request)
    return requests


def tpot(core: EngineCore) -> float:
    """Token-weighted, from the counters, as the operator measures it."""
    tally = core.tally
    return tally.inter_token_latency.sum / (tally.generation_tokens - tally.time_to_first_token.count)


def speedup(
    *, k: int, temperature: float, rate: float = 2.0, acceptance: Acceptance = DEFAULTS["draft_model"]
) -> float:
    off, on = core_of(), core_of(k=k, acceptance=acceptance)
    for core in (off, on):
        feed(core, rate=rate, count=300, temperature=temperature)
        core.advance(1e9)
    return tpot(off) / tpot(on)


@pytest.mark.parametrize("k", [3, 4, 5])
def test_drafting_pays_at_temperature_zero_and_costs_at_one(k: int) -> None:
    assert speedup(k=k, temperature=0.0) > 1.2
    assert speedup(k=k, temperature=1.0) < 0.9


def test_probabilistic_drafting_keeps_paying_at_temperature_one() -> None:
    assert speedup(k=3, temperature=1.0, acceptance=probabilistic(DEFAULTS["draft_model"])) > 1.2


def test_speedup_falls_as_batches_grow() -> None:
    assert speedup(k=3, temperature=0.0, rate=2.0) > speedup(k=3, temperature=0.0, rate=30.0) + 0.3


def test_every_generated_token_belongs_to_a_request() -> None:
    core = core_of(k=3)
    requests = feed(core, rate=4.0, count=200)
    assert core.advance(1e9) == sorted(requests, key=lambda r: r.finished_at or 0)
    tally = core.tally
    assert tally.generation_tokens == sum(r.generated for r in requests) == 200 * 120
    assert tally.prompt_tokens == sum(r.prompt_tokens for r in requests)
    assert tally.time_to_first_token.count == tally.e2e_latency.count == tally.finished["length"] == 200
    assert core.idle
    assert core.kv_usage == 0


def test_tokens_per_step_is_one_plus_accepted_per_draft() -> None:
    core = core_of(k=3)
    requests = feed(core, rate=4.0, count=300, output=400)
    core.advance(1e9)
    tally, counted = core.tally, core.tally.speculation
    assert counted is not None
    assert counted.drafts == tally.inter_token_latency.count
    assert counted.draft_tokens == 3 * counted.drafts
    assert counted.accepted_tokens == sum(counted.accepted_per_position)
    assert counted.accepted_per_position == sorted(counted.accepted_per_position, reverse=True)
    decoded = tally.generation_tokens - len(requests)
    lost = counted.drafts + counted.accepted_tokens - decoded
    assert 0 <= lost <= 3 * len(requests), "only the last step of a request may accept more than it emits"


def test_latency_parts_add_up() -> None:
    core = core_of()
    feed(core, rate=6.0, count=100)
    core.advance(1e9)
    tally = core.tally
    parts = tally.queue_time.sum + tally.prefill_time.sum + tally.decode_time.sum
    assert parts == pytest.approx(tally.e2e_latency.sum)
    assert tally.decode_time.sum == pytest.approx(tally.inter_token_latency.sum)
    assert tally.inference_time.sum == pytest.approx(tally.prefill_time.sum + tally.decode_time.sum)


def test_running_and_waiting_obey_littles_law() -> None:
    core = core_of()
    requests = feed(core, rate=5.0, count=400)
    seen, steps, end = 0, 4000, requests[-1].arrival
    for i in range(1, steps + 1):
        now = end * i / steps
        core.advance(now)
        seen += len(core.running) + sum(r.arrival <= now for r in core.waiting)
    core.advance(1e9)
    mean_in_system = seen / steps
    mean_stay = core.tally.e2e_latency.sum / 400
    assert mean_in_system == pytest.approx(400 / end * mean_stay, rel=0.05)


def test_seats_limit_the_batch_and_the_rest_waits() -> None:
    core = core_of(max_num_seqs=4)
    for _ in range(10):
        core.submit(Request(100, 50))
    core.advance(0.5)
    assert (len(core.running), len(core.waiting)) == (4, 6)
    core.advance(1e9)
    assert core.tally.queue_time.sum > 0


def test_cache_over_capacity_preempts_and_still_finishes_everything() -> None:
    core = core_of(kv_tokens=2048)
    requests = [Request(256, 600) for _ in range(6)]
    for request in requests:
        core.submit(request)
    core.advance(1e9)
    assert core.tally.preemptions > 0
    assert core.tally.preemptions == sum(r.preemptions for r in requests) == core.tally.request_preemptions.sum
    assert [r.generated for r in requests] == [600] * 6
    assert core.kv_usage == 0


def test_request_that_can_never_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="exceed the KV cache of 1024 tokens"):
        core_of(kv_tokens=1024).submit(Request(900, 200))


def test_schedule_stops_drafting_in_large_batches() -> None:
    core = core_of(k=3, schedule=((1, 2, 3), (3, 1000, 0)))
    for _ in range(8):
        core.submit(Request(64, 50))
    core.advance(0.5)
    counted = core.tally.speculation
    assert counted is not None
    assert counted.drafts == 0
    core.advance(1e9)
    core.submit(Request(64, 50, arrival=2e9))
    core.advance(3e9)
    assert counted.drafts > 0


def test_abort_frees_its_seat_and_counts_as_abort() -> None:
    core = core_of()
    request = Request(64, 500)
    core.submit(request)
    core.advance(1.0)
    core.abort(request)
    assert (core.idle, core.kv_usage, core.tally.finished["abort"]) == (True, 0, 1)
    assert core.advance(100.0) == []


def test_same_seed_gives_the_same_history() -> None:
    def history() -> tuple[int, float]:
        core = core_of(k=3)
        feed(core, rate=4.0, count=50)
        core.advance(1e9)
        return core.tally.steps, core.tally.inter_token_latency.sum

    assert history() == history()


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.tuples(st.integers(1, 900), st.integers(1, 120), st.floats(0, 2)), min_size=1, max_size=20),
    k=st.sampled_from([0, 1, 3, 5]),
    cuts=st.lists(st.floats(0.001, 5), max_size=5),
)
def test_tokens_are_conserved_whatever_arrives(sizes: list[tuple[int, int, float]], k: int, cuts: list[float]) -> None:
    core = core_of(k=k, kv_tokens=1200)
    requests = [Request(prompt, output, temperature) for prompt, output, temperature in sizes]
    for request in requests:
        core.submit(request)
    now = 0.0
    for cut in cuts:
        now += cut
        core.advance(now)
        assert 0 <= core.kv_usage <= 1
    core.advance(1e9)
    assert core.tally.generation_tokens == sum(output for _, output, _ in sizes)
    assert core.kv_usage == 0
    assert all(r.finish_reason == "length" for r in requests)
