"""Each demo's two kinds of traffic: the draft agrees with the target in one, and seldom in the other."""

import pytest
import yaml

from breakeven.demo.stage import HERE


def temperatures(folder: object, name: str) -> set[float]:
    phases = yaml.safe_load((HERE.parent / str(folder) / f"{name}.yaml").read_text())["phases"]
    return {kind["temperature"] for phase in phases for kind in phase["mix"]}


@pytest.mark.parametrize(
    ("folder", "predictable", "creative"),
    [
        ("lab/load/profiles", "greedy", "sampled"),
        ("demo", "vllm-greedy", "vllm-sampled"),
        ("demo", "cuda-greedy", "cuda-sampled"),
    ],
)
def test_the_story_turns_from_predictable_to_creative(folder: str, predictable: str, creative: str) -> None:
    assert temperatures(folder, predictable) == {0.0}
    assert temperatures(folder, creative) == {1.0}
