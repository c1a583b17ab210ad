"""The measured tables and what is made of them between their points."""

import pytest

from breakeven.lab.engine.step_times import BASELINE, step_times


def test_measured_points_are_returned_unchanged() -> None:
    assert step_times("70B", BASELINE, 0, "async").seconds(1, 0) == pytest.approx(0.020916)
    assert step_times("70B", "draft_model", 3, "async").seconds(1, 3) == pytest.approx(0.035975)
    assert step_times("8B", "eagle3", 1, "async").seconds(1, 1) == pytest.approx(0.005479)


def test_between_batches_the_time_lies_between() -> None:
    times = step_times("70B", BASELINE, 0, "async")
    assert times.seconds(64, 0) < times.seconds(96, 0) < times.seconds(128, 0)


def test_beyond_the_largest_batch_the_time_keeps_rising() -> None:
    times = step_times("70B", "draft_model", 3, "sync")
    assert times.seconds(512, 3) > times.seconds(256, 3)


def test_unmeasured_k_lies_between_its_neighbours_and_is_said_to_be_interpolated() -> None:
    times = step_times("70B", "draft_model", 4, "sync")
    assert times.seconds(8, 3) < times.seconds(8, 4) < times.seconds(8, 5)
    assert "interpolated from k=1, 3, 5" in times.source


def test_scheduling_that_was_not_measured_is_replaced_and_said_so() -> None:
    times = step_times("70B", "draft_model", 5, "async")
    assert times.scheduling == "sync"
    assert "async was not measured" in times.source


def test_method_that_was_not_measured_runs_as_an_eagle_head_and_says_so() -> None:
    assert "mtp itself was not measured" in step_times("8B", "mtp", 1, "async").source


def test_idle_drafting_machinery_costs_more_than_no_speculation() -> None:
    plain = step_times("8B", BASELINE, 0, "async").seconds(32, 0)
    assert step_times("8B", "draft_model", 3, "sync").seconds(32, 0) / plain == pytest.approx(1.58, abs=0.02)


def test_a_draft_takes_cache_and_a_second_gpu_more_than_doubles_it() -> None:
    plain, drafting = (
        step_times("70B", BASELINE, 0, "async").memory,
        step_times("70B", "draft_model", 3, "async").memory,
    )
    assert drafting.kv_tokens < 0.55 * plain.kv_tokens
    assert plain.tokens_on(1) == plain.kv_tokens
    assert plain.tokens_on(2) > 2 * plain.kv_tokens
