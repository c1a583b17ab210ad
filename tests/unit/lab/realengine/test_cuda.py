"""Which GPUs and which Python `DEVICE=cuda` takes, and what it says when there are none."""

from pathlib import Path

import pytest

from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.demo.stage import cuda_stage
from breakeven.lab.kubelet.images import fill, local_command, placeholder_values
from breakeven.lab.realengine.cuda import Card, CudaEngine, interpreter, listed, usable
from breakeven.lab.realengine.install import InstallError

TWO_H100 = "0, NVIDIA H100 80GB HBM3, 81559\n1, NVIDIA H100 80GB HBM3, 81559\n"
CARDS = listed(TWO_H100)


def test_the_driver_lists_the_cards() -> None:
    assert CARDS[1] == Card(device="1", name="NVIDIA H100 80GB HBM3", memory_mib=81559)
    assert CARDS[0].product == "NVIDIA-H100-80GB-HBM3"
    with pytest.raises(InstallError, match="cannot be read"):
        listed("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n")


def test_only_cards_that_are_large_alike_and_shown_to_us_count() -> None:
    small = Card(device="2", name="Tesla T4", memory_mib=15360)

    assert usable([small, *CARDS], {}, cards=2) == CARDS
    assert usable(CARDS, {"CUDA_VISIBLE_DEVICES": "1"}, cards=1) == CARDS[1:]
    for cards, environment in ((CARDS, {"CUDA_VISIBLE_DEVICES": "1"}), ((small,), {}), ((), {})):
        with pytest.raises(InstallError, match="needs 2 GPUs"):
            usable(cards, environment, cards=2)


@pytest.mark.parametrize(
    ("first_line", "python"),
    [
        ("#!/opt/venv/bin/python3.12", "/opt/venv/bin/python3.12"),
        ("#!/usr/bin/env python3", "python3"),
        ("#!/bin/sh", "python3"),
    ],
)
def test_the_python_of_a_console_script(tmp_path: Path, first_line: str, python: str) -> None:
    script = tmp_path / "vllm"
    script.write_text(f"{first_line}\nimport sys\n")

    assert interpreter(script) == python


@pytest.mark.parametrize(
    ("name", "accelerator"), [("NVIDIA H100 80GB HBM3", "H100"), ("NVIDIA H200", "H200"), ("NVIDIA L40S", "L40S")]
)
def test_the_stage_declares_the_cards_that_are_there(name: str, accelerator: str) -> None:
    cards = tuple(Card(device=device, name=name, memory_mib=46068) for device in ("0", "1"))
    engine = CudaEngine(vllm=Path("/opt/venv/bin/vllm"), version="0.26.0+cu129", cards=cards, home=Path("/cache"))

    stage = cuda_stage(engine)

    spec = SpeculativeDeploymentSpec.model_validate(stage.resource["spec"])
    assert spec.engine.image == "vllm/vllm-openai:v0.26.0"
    assert spec.hardware.accelerators == [accelerator]
    (node,) = stage.lab.nodes
    assert node.devices == ("0", "1")
    assert "0.26.0" in stage.provenance and name in stage.provenance


def test_on_one_card_the_supervisor_starts_the_engines_itself() -> None:
    cards = (Card(device="0", name="NVIDIA H100 80GB HBM3", memory_mib=81559),)
    engine = CudaEngine(vllm=Path("/opt/venv/bin/vllm"), version="0.26.0", cards=cards, home=Path("/cache"))

    stage = cuda_stage(engine)

    assert SpeculativeDeploymentSpec.model_validate(stage.resource["spec"]).policy.switching.mode == "Warm"
    (image,) = stage.lab.images
    values = placeholder_values(ip="127.64.0.9", image="vllm-openai:v0.26.0", pod="p", namespace="n", uid="u")
    rendered = ["python3", "-m", "warm", "--slots=/slots/slots.json"]
    assert local_command(image, rendered, values)[-4:] == rendered
    assert fill(image.env["BREAKEVEN_ADDRESS"], values) == "127.64.0.9"
