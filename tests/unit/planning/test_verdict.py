"""The first line of a plan, and the advice below it."""

from typing import Any

import pytest
from tests.unit.planning.test_plan import DRAFT_8B, EAGLE3, LLAMA_8B, variant

from breakeven.api.variant import Variant
from breakeven.planning.confidence import Verdict
from breakeven.planning.findings import plan_status
from breakeven.planning.plan import plan
from breakeven.planning.question import Question
from breakeven.planning.tips import tips
from breakeven.planning.verdict import Answer, headline

HEAD_8B = {"method": "Eagle3", "model": "yuhuili/EAGLE3-LLaMA3.1-Instruct-8B", "numSpeculativeTokens": 3}
DRAFT_1B = {"method": "DraftModel", "model": "meta-llama/Llama-3.2-1B-Instruct", "numSpeculativeTokens": 3}
NGRAM = {"method": "NGram", "numSpeculativeTokens": 4}


def eight(draft: dict[str, Any] | None, **more: Any) -> Variant:
    return variant(LLAMA_8B, draft, gpus=1, quantization="None", **({"accelerators": ("H100",)} | more))


def answered(made: Variant, **question: Any) -> tuple[Answer, str]:
    found = headline(plan(made, Question(**question)))
    assert found is not None
    return found.answer, found.reason


def test_a_head_at_the_loads_where_it_likely_pays_is_to_be_used() -> None:
    answer, reason = answered(eight(HEAD_8B), context=224, alpha=0.78, batches=(1, 16, 64))
    assert answer is Answer.USE and "at every load looked at" in reason and "full requests" in reason


def test_where_it_stops_paying_is_said() -> None:
    answer, reason = answered(eight(HEAD_8B), context=224, alpha=0.78, batches=(1, 64, 192))
    assert answer is Answer.USE and "up to 64 running requests" in reason and "unsure from 192 on" in reason


def test_what_is_likely_slower_is_to_be_left_off() -> None:
    answer, reason = answered(eight(DRAFT_1B), context=224, alpha=0.3, batches=(64, 192))
    assert answer is Answer.LEAVE_OFF and "likely slower from 64" in reason


def test_what_the_prediction_cannot_tell_is_to_be_measured() -> None:
    answer, reason = answered(eight(DRAFT_1B), context=224, alpha=0.65, batches=(1, 16))
    assert answer is Answer.MEASURE and "needs" in reason and "given" in reason


def test_what_does_not_start_is_to_be_left_off_with_the_field() -> None:
    answer, reason = answered(variant(draft=DRAFT_8B, gpus=2, accelerators=("H100",), quantization="None"))
    assert answer is Answer.DOES_NOT_START and reason.startswith("spec.")


def test_without_a_draft_there_is_no_answer() -> None:
    assert headline(plan(eight(None))) is None


def test_matches_that_are_only_assumed_are_no_reason_to_use_n_gram_drafting() -> None:
    answer, _ = answered(eight(NGRAM), alpha=0.93)
    assert answer is Answer.MEASURE
    answer, _ = answered(eight(NGRAM), alpha=0.93, drafting=0.9, batches=(1, 16))
    assert answer is Answer.USE


def test_n_gram_drafting_without_matches_is_as_slow_as_measured() -> None:
    asked = Question(context=224, alpha=0.93, drafting=51 / 2870, batches=(4, 64))
    seen = plan(eight(NGRAM), asked).placements[0].outlook
    assert seen is not None
    four, many = seen.predictions
    assert four.speedup == pytest.approx(0.83, abs=0.1)  # two H100, vLLM 0.26.0
    assert many.speedup == pytest.approx(0.75, abs=0.13)
    assert four.interval.verdict is not Verdict.PAYS and many.interval.verdict is not Verdict.PAYS


@pytest.mark.parametrize(
    ("draft", "measured"),
    [(HEAD_8B, (2.357, 2.309, 1.767, 1.086)), (DRAFT_1B, (1.427, 1.342, 1.057, 0.699))],
)
def test_a_pair_that_was_measured_on_h100_is_planned_as_measured(
    draft: dict[str, Any], measured: tuple[float, ...]
) -> None:
    asked = Question(context=224, alpha=0.78, batches=(1, 16, 64, 192))
    seen = plan(eight(draft), asked).placements[0].outlook
    assert seen is not None
    assert [p.speedup for p in seen.predictions] == pytest.approx(measured, abs=0.01)
    assert [p.plain_ms for p in seen.predictions][::2] == pytest.approx([6.43, 7.9], abs=0.01)


def test_a_longer_context_reaches_the_measured_tables() -> None:
    made = variant(LLAMA_8B, HEAD_8B, gpus=1, quantization="None")
    rows = {}
    for context in (550, 3072):
        seen = plan(made, Question(context=context, batches=(32, 64))).placements[0].outlook
        assert seen is not None
        rows[context] = [(p.plain_ms, p.inflation) for p in seen.predictions]
    assert rows[550] == [pytest.approx((5.73, 1.39), abs=0.01), pytest.approx((6.62, 1.68), abs=0.01)]
    # Measured at prompts of 3,072 on the same H200: 8.09 ms and 1.35, 11.31 ms and 1.51.
    assert rows[3072] == [pytest.approx((8.09, 1.35), rel=0.1), pytest.approx((11.31, 1.51), rel=0.1)]


def test_batches_that_do_not_fit_into_memory_are_marked() -> None:
    seen = plan(eight(HEAD_8B), Question(context=8000, batches=(1, 256))).placements[0].outlook
    assert seen is not None and [p.fits for p in seen.predictions] == [True, False]


def test_a_limit_by_batch_size_is_not_off() -> None:
    made = plan(variant(draft=DRAFT_8B | {"disableAboveBatchSize": 24}), Question(batches=(16, 32)))
    seen = made.placements[0].outlook
    assert seen is not None
    below, above = seen.predictions
    assert (below.k, above.k) == (3, 0) and above.speedup < 1.0
    assert above.interval.verdict is Verdict.DOES_NOT and above.interval.low == pytest.approx(1 / 3.9)
    assert any("which is not off" in r.message for r in made.remarks)


def test_the_draft_is_quantized_before_its_family_is_relaxed() -> None:
    made, asked = variant(draft=DRAFT_8B), Question()
    found = "; ".join(tips(made, asked, plan(made, asked)))
    assert "quantize the draft before" in found and "KV tokens instead of" in found
    assert "n-gram instead of DraftModel: S " in found


def test_services_bound_by_their_first_token_are_told_that_it_does_not_help() -> None:
    for draft in (DRAFT_8B, EAGLE3, NGRAM):
        made, asked = variant(draft=draft), Question()
        assert any("time to first token" in tip for tip in tips(made, asked, plan(made, asked)))
    assert tips(eight(None), Question(), plan(eight(None))) == ()


def test_the_status_reports_the_answer_and_the_bounds() -> None:
    status = plan_status(plan(eight(HEAD_8B), Question(context=224, alpha=0.78)))
    assert status.answer.startswith("Use it: likely faster")
    assert all(row.lower is not None and row.upper is not None for row in status.speedups)
    assert all(row.lower < row.speedup < row.upper for row in status.speedups if row.lower and row.upper)
    assert plan_status(plan(eight(None))).answer == ""
