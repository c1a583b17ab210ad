"""What pydantic refuses, in the words of the API server, and what it keeps."""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.refusals import Refusal, accepted, refusals
from tests.support.specs import specs

from breakeven.api.names import NAME_MAX, fits_name
from breakeven.api.spec import MetricsSpec, SpeculativeDeploymentSpec
from breakeven.api.urls import URL_PATTERN
from breakeven.api.variant import Variant, declared_variant

SAMPLES = sorted((Path(__file__).parents[3] / "manifests" / "samples").glob("*.yaml"))


def test_the_base_of_the_table_is_accepted() -> None:
    SpeculativeDeploymentSpec.model_validate(accepted()["spec"])


@pytest.mark.parametrize("case", refusals("refused"), ids=lambda case: case.name)
def test_a_bad_spec_is_refused_in_the_words_of_the_api_server(case: Refusal) -> None:
    with pytest.raises(ValueError) as refused:
        SpeculativeDeploymentSpec.model_validate(case.resource["spec"])
    assert case.says in str(refused.value)
    assert case.field.rpartition(".")[2].partition("[")[0] in str(refused.value)


@pytest.mark.parametrize(
    ("written", "instead"), [("On", "AlwaysOn"), ("Off", "AlwaysOff"), (True, "AlwaysOn"), (False, "AlwaysOff")]
)
def test_a_mode_that_yaml_reads_as_a_boolean_is_refused_with_the_word_that_took_its_place(
    written: object, instead: str
) -> None:
    with pytest.raises(ValueError, match=f"write {instead} instead of"):
        SpeculativeDeploymentSpec.model_validate(accepted()["spec"] | {"policy": {"mode": written}})


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://p:9090",
        "https://p.example./prefix/x",
        "http://10.0.0.1:65535",
        "http://[::1]",
        "http://[fd00::1:2]:9090/x",
        "http://my_prometheus",
    ],
)
def test_addresses_that_can_be_asked_are_taken(url: str) -> None:
    MetricsSpec.model_validate({"prometheusURL": url})


@given(st.from_regex(re.compile(URL_PATTERN.removesuffix("$") + r"\Z", re.ASCII)))
def test_an_address_that_is_taken_never_raises_later(url: str) -> None:
    assert urlsplit(url).port is None or 0 < (urlsplit(url).port or 0) < 65536


@pytest.mark.parametrize("label", ["pod", "k8s.pod.name", "kubernetes_pod", "io.kubernetes/pod-name", "größe"])
def test_any_label_name_is_taken(label: str) -> None:
    MetricsSpec.model_validate({"names": {"namespace": label, "pod": label}})


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_samples_are_accepted(path: Path) -> None:
    resource = yaml.safe_load(path.read_text(encoding="utf-8"))
    SpeculativeDeploymentSpec.model_validate(resource["spec"])
    assert fits_name(resource["metadata"]["name"])


@settings(max_examples=100, deadline=None)
@given(specs)
def test_a_spec_written_and_read_back_is_the_same(wire: dict[str, Any]) -> None:
    spec = SpeculativeDeploymentSpec.model_validate(wire)
    written = json.loads(spec.model_dump_json(exclude_none=True))
    assert SpeculativeDeploymentSpec.model_validate(written) == spec
    bare = json.loads(spec.model_dump_json(exclude_defaults=True))
    assert SpeculativeDeploymentSpec.model_validate(bare) == spec


@settings(max_examples=100, deadline=None)
@given(specs)
def test_a_variant_has_the_same_name_with_and_without_the_servers_defaults(wire: dict[str, Any]) -> None:
    spec = SpeculativeDeploymentSpec.model_validate(wire)
    full = SpeculativeDeploymentSpec.model_validate(spec.model_dump(mode="json", exclude_none=True))
    variant = declared_variant(spec)
    assert declared_variant(full).name == variant.name
    kept = Variant.model_validate(variant.model_dump(mode="json", exclude_none=True))
    assert kept == variant


@pytest.mark.parametrize("name", ["a", "llama-70b", "x" * NAME_MAX])
def test_names_that_leave_room_for_hashes_fit(name: str) -> None:
    assert fits_name(name)


@pytest.mark.parametrize("name", ["", "7b", "a-", "A", "a.b", "a\n", "x" * (NAME_MAX + 1)])
def test_names_that_do_not_fit(name: str) -> None:
    assert not fits_name(name)


def test_the_longest_name_leaves_a_pod_name_within_a_label() -> None:
    replica_set, pod = "-" + "0" * 10, "-" + "0" * 5
    assert len("x" * NAME_MAX + "-" + "0" * 10 + replica_set) + len(pod) <= 63 + len(pod)
    assert len("x" * NAME_MAX + "-" + "0" * 10 + replica_set) <= 63
