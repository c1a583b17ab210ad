"""Reading vLLM versions from image tags, and their order."""

import pytest

from breakeven.engines import Version, version_in_image


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("vllm/vllm-openai:v0.33.0", "0.33.0"),
        ("vllm/vllm-openai:0.33.0-cu13", "0.33.0"),
        ("vllm/vllm-openai:v0.11.0rc1", "0.11.0rc1"),
        ("vllm/vllm-openai:v0.8.5.post1", "0.8.5.post1"),
        ("vllm/vllm-openai:v0.10.1.1", "0.10.1.1"),
        ("registry.example:5000/team/vllm:v0.24.0-patched.2", "0.24.0"),
        ("vllm/vllm-openai:v0.33.0@sha256:0123", "0.33.0"),
    ],
)
def test_the_tag_tells_the_version(image: str, version: str) -> None:
    assert str(version_in_image(image)) == version


@pytest.mark.parametrize(
    "image",
    [
        "vllm/vllm-openai",
        "vllm/vllm-openai:latest",
        "vllm/vllm-openai:nightly-0123abc",
        "vllm/vllm-openai:v0.33",
        "vllm/vllm-openai@sha256:0123",
        "registry.example:5000/vllm",
        "team/vllm:2026.11.22",
    ],
)
def test_other_tags_and_digests_tell_none(image: str) -> None:
    assert version_in_image(image) is None


def test_versions_are_ordered_as_they_came_out() -> None:
    names = ["0.8.5.dev3", "0.8.5rc1", "0.8.5rc2", "0.8.5", "0.8.5.post1", "0.9.0", "0.10.1", "0.10.1.1", "0.10.2"]

    assert [str(v) for v in sorted(map(Version.of, reversed(names)))] == names


def test_what_is_no_version_is_refused() -> None:
    with pytest.raises(ValueError, match="latest"):
        Version.of("latest")
