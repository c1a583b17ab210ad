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
        ("vllm/vllm-openai:v0.26.1rc1.dev457", "0.26.1rc1.dev457"),
        ("docker.io/vllm/vllm-openai:v0.33.0", "0.33.0"),
        ("registry.example:5000/mirror/vllm/vllm-openai:v0.24.0-patched.2", "0.24.0"),
        ("public.ecr.aws/q9t5s3a7/vllm-cpu-release-repo:v0.9.1", "0.9.1"),
        ("vllm/vllm-openai-cpu:v0.32.0", "0.32.0"),
        ("rocm/vllm:v0.14.0_amd_dev", "0.14.0"),
        ("rocm/vllm:rocm7.0.0_vllm_0.11.2_20251210", "0.11.2"),
        ("rocm/vllm:rocm6.3.1_instinct_vllm0.8.3_20250415", "0.8.3"),
        ("acme/serving:7.1.0-vllm-0.19.1", "0.19.1"),
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
        "vllm/vllm-openai:2026.11.22",
        "registry.redhat.io/rhaiis/vllm-cuda-rhel9:3.2.1",
        "ghcr.io/llm-d/llm-d:v0.2.0",
        "ghcr.io/llm-d/llm-d-cuda:v0.4.0",
        "lmcache/vllm-openai:v0.3.9post2",
        "nvcr.io/nvidia/ai-dynamo/vllm-runtime:0.6.1",
        "nvcr.io/nvidia/vllm:25.09-py3",
        "rayproject/ray-llm:2.52.0-py311-cu128",
        "763104351884.dkr.ecr.us-west-2.amazonaws.com/vllm:1.0.0",
        "registry.example/team/vllm:v0.24.0",
        "not-vllm/vllm-openai:v0.24.0",
    ],
)
def test_other_tags_digests_and_products_that_number_themselves_tell_none(image: str) -> None:
    assert version_in_image(image) is None


def test_versions_are_ordered_as_they_came_out() -> None:
    names = ["0.8.5.dev3", "0.8.5rc1", "0.8.5rc2", "0.8.5", "0.8.5.post1", "0.9.0", "0.10.1", "0.10.1.1", "0.10.2"]

    assert [str(v) for v in sorted(map(Version.of, reversed(names)))] == names


def test_what_is_no_version_is_refused() -> None:
    with pytest.raises(ValueError, match="latest"):
        Version.of("latest")
