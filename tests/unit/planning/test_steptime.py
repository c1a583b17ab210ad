"""The step-time model: what must always hold, and how near it is to what was measured."""

import csv
import math
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.api.spec import Quantization
from breakeven.planning import catalog
from breakeven.planning.calibration import ASYNC, H200_FIT, hosts_for, v0_hosts
from breakeven.planning.loads import target_load
from breakeven.planning.measured import built_in
from breakeven.planning.steptime import Chip, Load, plain_step, speculating_step

H200 = Chip(name="H200", bandwidth=4.8e12, flops16=9.89e14, flops8=1.979e15)


def load(key: str, quantization: Quantization = Quantization.NONE) -> Load:
    found = target_load(catalog.models()[key], quantization, kv_bytes_per_element=2.0)
    assert found is not None
    return found


def test_plain_steps_are_within_a_tenth_of_the_measured_ones_on_average() -> None:
    errors = []
    for profile in built_in():
        target = load(profile.target, Quantization.FP8 if profile.target_bits == 8 else Quantization.NONE)
        for point in profile.points:
            if point.plain is None or profile.gpu != "H200":
                continue
            modelled = plain_step(target, batch=point.batch, context=570, chip=H200, gpus=1, fit=H200_FIT, host=ASYNC)
            errors.append(abs(math.log(modelled / point.plain)))
    assert sum(errors) / len(errors) < 0.05


def test_packaged_table_is_whole() -> None:
    text = resources.files("breakeven.planning").joinpath("data", "profile-h200-vllm-0.26.0.csv").read_text()
    assert len(list(csv.DictReader(text.splitlines()))) > 150
    assert {p.method for p in built_in()} == {"draft_model", "eagle3", "ngram"}


@given(k=st.integers(1, 16), batch=st.integers(1, 512), context=st.floats(1, 32_000))
def test_verifying_more_never_takes_less_time(k: int, batch: int, context: float) -> None:
    target, draft = load("llama-3.1-8b"), load("llama-3.2-1b")

    def step(length: int) -> float:
        return speculating_step(
            target,
            k=length,
            batch=batch,
            context=context,
            chip=H200,
            gpus=1,
            fit=H200_FIT,
            host=ASYNC,
            draft=draft,
        )

    plain = plain_step(target, batch=batch, context=context, chip=H200, gpus=1, fit=H200_FIT, host=ASYNC)
    assert plain < step(k) < step(k + 1)


def test_long_context_makes_verification_cheaper_relative_to_a_plain_step() -> None:
    target = load("llama-3.1-8b")

    def verify(context: float) -> float:
        common = {"chip": H200, "gpus": 1, "fit": H200_FIT, "host": ASYNC}
        slow = speculating_step(target, k=5, batch=64, context=context, **common)  # type: ignore[arg-type]  # one mapping
        return slow / plain_step(target, batch=64, context=context, **common)  # type: ignore[arg-type]  # one mapping

    assert verify(32_000) < verify(8_000) < verify(1_000)


def test_more_bandwidth_brings_the_crossover_forward() -> None:
    target = load("llama-3.1-8b")

    def inflation(bandwidth: float) -> float:
        chip = Chip(name="x", bandwidth=bandwidth, flops16=9.89e14)
        common = {"chip": chip, "gpus": 1, "fit": H200_FIT, "host": ASYNC}
        slow = speculating_step(target, k=5, batch=48, context=500, **common)  # type: ignore[arg-type]  # one mapping
        return slow / plain_step(target, batch=48, context=500, **common)  # type: ignore[arg-type]  # one mapping

    assert inflation(4.8e12) > inflation(3.35e12)


@pytest.mark.parametrize(
    ("version", "method", "loses"),
    [
        ((0, 26), "draft_model", True),
        ((0, 28), "draft_model", False),
        ((0, 32), "ngram", True),
        ((0, 26), "eagle3", False),
    ],
)
def test_methods_lose_asynchronous_scheduling_where_the_release_says_so(
    version: tuple[int, int], method: str, loses: bool
) -> None:
    plain, speculating = hosts_for(version, method)
    assert plain is ASYNC and (speculating is not ASYNC) is loses


def test_the_old_engine_pays_more_per_speculating_step() -> None:
    _, slow = v0_hosts("draft_model")
    assert slow.extra + slow.extra_position > ASYNC.extra + ASYNC.extra_position
