"""Engines report any number they like as the time of a step: the worst that follows is no decision."""

from datetime import timedelta

import pytest
from tests.unit.domain.conftest import World

from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.api.status import Memory

SPEC = SpeculativeDeploymentSpec.model_validate(
    {
        "replicas": 4,
        "engine": {"image": "vllm/vllm-openai:v0.33.0"},
        "target": {"model": "a/target"},
        "draft": {"model": "a/draft", "numSpeculativeTokens": 4},
        "evidence": {"window": "1m"},
        "policy": {"cooldown": "1m", "switching": {"surge": 1}},
    }
)


@pytest.mark.parametrize("factor", [1e-300, 1e-17, 1e-15, 1e15, 1e300])
@pytest.mark.parametrize("speculating", [True, False])
def test_step_times_of_any_size_are_decided_on_and_remembered(factor: float, speculating: bool) -> None:
    """Half an hour of sane times, then an hour in which one arm's times are multiplied."""
    world = World(SPEC, survival=(0.9, 0.6, 0.3, 0.1))
    world.run(timedelta(minutes=30))
    world.speedup = lambda variant: 1 / factor if variant.speculates == speculating else 1.0
    world.run(timedelta(minutes=60))
    world.speedup = lambda variant: 0.5 if variant.speculates else 1.0
    world.run(timedelta(minutes=30))
    assert Memory.model_validate_json(world.memory.model_dump_json()) == world.memory
