"""What two variants in one replica need, and what that is worth."""

from decimal import Decimal
from typing import Any

import pytest

from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.api.variant import Variant, declared_variant
from breakeven.planning.warm import LEFT_BEHIND, share_beside_one_asleep, warm_memory, warm_plan
from breakeven.render.pools import refused_warm, why_not_warm
from breakeven.render.warm import LEFT_BEHIND as RENDERED

GIB = 2**30


def spec(**changes: Any) -> SpeculativeDeploymentSpec:
    return SpeculativeDeploymentSpec.model_validate(
        {
            "replicas": 1,
            "engine": {"image": "vllm/vllm-openai:v0.26.0"},
            "target": {"model": "meta-llama/Llama-3.1-8B-Instruct"},
            "draft": {"method": "Eagle3", "model": "yuhuili/EAGLE3-LLaMA3.1-Instruct-8B", "numSpeculativeTokens": 3},
            "hardware": {"accelerators": ["H100"]},
            "policy": {"switching": {"mode": "Warm"}},
        }
        | changes
    )


def variant(**changes: Any) -> Variant:
    return declared_variant(spec(**changes))


def test_host_memory_of_the_measured_pair_is_what_was_measured() -> None:
    plain = warm_memory((variant().baseline,)).host_bytes
    both = warm_memory((variant().baseline, variant())).host_bytes
    assert plain is not None
    assert both is not None
    assert 20 * GIB <= plain <= 21.5 * GIB
    assert 40 * GIB <= both <= 44 * GIB


def test_what_a_sleeping_engine_leaves_lowers_the_share_of_both() -> None:
    share = share_beside_one_asleep(Decimal("0.92"), 80 * GIB)
    assert share == Decimal("0.903")
    assert Decimal("0.92") * 80 * GIB - share * 80 * GIB >= LEFT_BEHIND
    assert share_beside_one_asleep(Decimal("0.01"), GIB) == 0
    assert RENDERED == LEFT_BEHIND


def test_the_cache_is_smaller_by_what_is_left_behind() -> None:
    plan = warm_plan(variant())
    assert plan.seconds == pytest.approx(0.8, rel=0.1)
    assert plan.room is not None
    assert plan.room.baseline is not None
    assert plan.room.variant is not None
    assert plan.room.baseline.utilization == pytest.approx(float(plan.share or 0))
    assert plan.room.variant.kv_tokens < plan.room.baseline.kv_tokens


def test_unknown_weights_are_refused_with_what_to_set() -> None:
    found = refused_warm(spec(target={"model": "acme/secret-model"}))
    assert any("target.facts" in f.message for f in found)
    assert warm_plan(variant(target={"model": "acme/secret-model"})).seconds is None


def test_a_memory_limit_below_the_need_is_refused_with_the_figure() -> None:
    limits = {"containers": [{"name": "engine", "resources": {"limits": {"memory": "16Gi"}}}]}
    found = refused_warm(spec(podTemplate={"spec": limits}))
    assert [f.field for f in found] == ["podTemplate.spec.containers"]
    assert "43Gi" in found[0].message


def test_reload_is_never_refused_for_what_warm_could_not() -> None:
    reload = spec(engine={"image": "vllm/vllm-openai:v0.12.0"}, policy={})
    assert refused_warm(reload) == ()
    assert why_not_warm(reload)
