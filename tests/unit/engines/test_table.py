"""The packaged table: which entry stands for a version, and that its entries hang together."""

import json
from importlib import resources

import pytest

from breakeven.api.spec import EngineSpec
from breakeven.api.vocabulary import Reason
from breakeven.engines import Engine, Refusal, load

TABLE = load()


def engine(version: str) -> Engine:
    found = TABLE.engine(version)
    assert isinstance(found, Engine)
    return found


@pytest.mark.parametrize("release", TABLE.releases)
def test_a_known_release_stands_for_itself(release: str) -> None:
    assert engine(release).release == release
    assert not engine(release).assumed
    assert engine(release).assumption == ""


@pytest.mark.parametrize(
    ("asked", "release"),
    [
        ("0.12.1", "0.12.0"),
        ("0.11.0rc1", "0.10.2"),
        ("0.15.0", "0.14.1"),
        ("0.6.4.post1", "0.6.3.post1"),
        ("0.34.0", "0.33.0"),
        ("1.0.0", "0.33.0"),
        ("0.26.1rc1.dev457", "0.26.0"),
        ("0.12.1.dev31", "0.12.0"),
    ],
)
def test_an_unknown_version_is_taken_as_the_nearest_older_one_and_says_so(asked: str, release: str) -> None:
    assert engine(asked).release == release
    assert engine(asked).assumed
    assert asked in engine(asked).assumption
    assert release in engine(asked).assumption


def test_a_version_older_than_the_table_is_refused_with_what_is_supported() -> None:
    found = TABLE.engine("0.5.5")

    assert isinstance(found, Refusal)
    assert found.reason is Reason.UNSUPPORTED_BY_ENGINE
    assert "0.6.0 to 0.33.0" in found.message


def test_the_declared_version_wins_over_the_tag() -> None:
    found = TABLE.engine_of(EngineSpec(image="team/vllm:v0.24.0", version="0.33.0"))

    assert isinstance(found, Engine)
    assert found.release == "0.33.0"


def test_a_development_build_with_its_commit_is_taken_as_the_nearest_older_release() -> None:
    spec = EngineSpec(image="vllm/vllm-openai:nightly-c810e5e", version="0.26.1rc1.dev457+gc810e5ee9")
    found = TABLE.engine_of(spec)

    assert isinstance(found, Engine)
    assert found.release == "0.26.0"
    assert "0.26.1rc1.dev457" in found.assumption


@pytest.mark.parametrize(
    "image",
    [
        "registry.redhat.io/rhaiis/vllm-cuda-rhel9:3.2.1",
        "ghcr.io/llm-d/llm-d:v0.2.0",
        "lmcache/vllm-openai:v0.3.9post2",
    ],
)
def test_the_tag_of_another_product_is_not_taken_for_vllms_version(image: str) -> None:
    found = TABLE.engine_of(EngineSpec(image=image))

    assert isinstance(found, Refusal)
    assert (found.field, found.reason) == ("engine.version", Reason.NOT_IN_TAG)
    assert "the image's own number" in found.message


def test_an_image_by_digest_needs_the_version() -> None:
    found = TABLE.engine_of(EngineSpec.model_construct(image="vllm/vllm-openai@sha256:0123", version=None))

    assert isinstance(found, Refusal)
    assert found.reason is Reason.NOT_IN_TAG
    assert found.field == "engine.version"


def test_every_range_runs_forward_over_known_releases() -> None:
    data = json.loads(resources.files("breakeven.engines").joinpath("vllm.json").read_text(encoding="utf-8"))
    place = {name: i for i, name in enumerate(data["releases"])}
    entries = [e for section in data.values() if isinstance(section, dict) for e in section.values()]
    ranges = [r for e in [*entries, *data["incompatibilities"]] if isinstance(e, dict) for r in e.get("in", [])]

    assert len(ranges) > 100
    for first, last in ranges:
        assert place[first] <= (len(place) - 1 if last is None else place[last])


def test_every_incompatibility_has_evidence_and_a_judge() -> None:
    for entry in TABLE.incompatibilities:
        assert entry["action"] in ("refuse", "warn")
        assert entry["judged_by"] in ("arguments", "plan", "traffic")
        assert entry["evidence"]
        assert entry["what"]
