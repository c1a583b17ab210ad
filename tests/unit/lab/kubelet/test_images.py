"""Which local command stands for an image."""

import sys

import pytest

from breakeven.lab.kubelet.images import command_for, local_command, needs_kubeconfig, placeholder_values, tag_of
from breakeven.lab.settings import ImageCommand, LabSettings


def values(image: str) -> dict[str, str]:
    return placeholder_values(ip="127.64.1.1", image=image, pod="p", namespace="n", uid="u")


@pytest.mark.parametrize("image", ["vllm/vllm-openai:v0.25.1", "mirror.example/vllm/vllm-openai:latest", "vllm-openai"])
def test_vllm_images_are_the_simulated_engine(image: str) -> None:
    entry = command_for(image, LabSettings().image_commands())
    assert entry is not None
    assert local_command(entry, ["vllm", "serve", "m"], values(image)) == [
        sys.executable,
        *("-m", "breakeven.lab.engine", "--pod-address", "127.64.1.1", "--image-version", tag_of(image)),
        *("--", "vllm", "serve", "m"),
    ]


def test_an_entry_of_the_settings_comes_before_the_simulated_engine() -> None:
    mine = ImageCommand(pattern="vllm/vllm-openai:.*", command=("run-vllm", "{args}", "--host", "{ip}"))
    settings = LabSettings(images=(mine,))
    assert command_for("vllm/vllm-openai:v1", settings.image_commands()) is mine
    assert local_command(mine, ["a", "{ip}"], values("i")) == ["run-vllm", "a", "{ip}", "--host", "127.64.1.1"]


def test_an_unknown_image_has_no_command() -> None:
    assert command_for("nginx:1", LabSettings().image_commands()) is None
    assert command_for("vllm/vllm-openai-extra:1", LabSettings().image_commands()) is None


def test_braces_that_are_no_placeholder_stay() -> None:
    entry = ImageCommand(pattern=".*", command=('{"k": {tag}}', "{unknown}"))
    assert local_command(entry, [], values("i:7")) == ['{"k": 7}', "{unknown}"]


@pytest.mark.parametrize(
    ("image", "tag"), [("a:5000/b", "latest"), ("a:5000/b:c", "c"), ("b:c@sha256:0", "c"), ("b@sha256:0", "latest")]
)
def test_the_tag_is_what_follows_the_last_colon_of_the_name(image: str, tag: str) -> None:
    assert tag_of(image) == tag


def test_a_kubeconfig_is_made_only_where_it_is_mentioned() -> None:
    assert needs_kubeconfig(ImageCommand(pattern=".*", command=("x",), env={"KUBECONFIG": "{kubeconfig}"}))
    assert not needs_kubeconfig(ImageCommand(pattern=".*", command=("x", "{ip}")))
