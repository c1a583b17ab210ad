"""Whatever the operator renders and does not refuse, the engine of that version takes."""

import pytest

from breakeven.api.spec import (
    AcceptanceMethod,
    AcceptanceSpec,
    DraftMethod,
    DraftSpec,
    EngineSpec,
    HardwareSpec,
    Quantization,
    TargetSpec,
)
from breakeven.api.variant import Variant
from breakeven.engines import Refusal, load
from breakeven.lab.engine.knobs import Knobs
from breakeven.lab.engine.process import prepare
from breakeven.render.arguments import COMMAND, engine_env, serve_arguments
from breakeven.render.check import refusals
from breakeven.render.request import read

RELEASES = load().releases
MODEL_OF = {
    DraftMethod.DRAFT_MODEL: "meta-llama/Llama-3.1-8B-Instruct",
    DraftMethod.EAGLE: "/models/eagle-head",
    DraftMethod.EAGLE3: "/models/eagle3-head",
}
DRAFTS = [
    None,
    *(
        DraftSpec(method=method, model=MODEL_OF.get(method), num_speculative_tokens=3)
        for method in (DraftMethod.DRAFT_MODEL, DraftMethod.NGRAM, DraftMethod.EAGLE, DraftMethod.EAGLE3)
    ),
    *(
        DraftSpec(
            model=MODEL_OF[DraftMethod.DRAFT_MODEL],
            num_speculative_tokens=3,
            acceptance=AcceptanceSpec(method=method, allow_lossy=True),
        )
        for method in (AcceptanceMethod.PROBABILISTIC, AcceptanceMethod.TYPICAL, AcceptanceMethod.FLY)
    ),
    DraftSpec(model=MODEL_OF[DraftMethod.DRAFT_MODEL], num_speculative_tokens=3, disable_above_batch_size=16),
]


def variants(release: str) -> list[Variant]:
    target = TargetSpec(model="meta-llama/Llama-3.1-70B-Instruct", quantization=Quantization.FP8, max_model_len=8192)
    return [
        Variant(
            engine=EngineSpec(image=f"vllm/vllm-openai:v{release}"),
            target=target,
            draft=draft,
            hardware=HardwareSpec(gpus_per_replica=2),
        )
        for draft in DRAFTS
    ]


@pytest.mark.parametrize("release", RELEASES)
def test_rendered_command_line_starts(release: str) -> None:
    started = 0
    for variant in variants(release):
        if refusals(variant):
            continue
        request = read(variant)
        assert not isinstance(request, Refusal)
        command = [*COMMAND, *serve_arguments(request)]
        _, configuration, _ = prepare(command, f"v{release}", Knobs(), engine_env(request))
        assert (configuration.setup.speculation is not None) == variant.speculates, command
        started += 1
    assert started >= 2, "every release serves plainly and looks up n-grams"
