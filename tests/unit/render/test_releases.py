"""Every release, with and without speculation: what is rendered exists there, and the rest is refused with versions."""

import json
import re
from dataclasses import dataclass
from functools import cache

import pytest
from tests.support.render_cases import cases

from breakeven.api.spec import DraftMethod
from breakeven.api.variant import Variant
from breakeven.api.vocabulary import Reason
from breakeven.engines import Engine, Refusal, load
from breakeven.render.arguments import serve_arguments
from breakeven.render.check import refusals
from breakeven.render.request import read

TABLE = load()
ABLE = re.compile(r", ([0-9][^,;]*) can\b")
NUMBER = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+(?:\.post[0-9]+|\.[0-9]+)?")
METHODS = (None, *DraftMethod)
VALUES = {
    "method": "methods",
    "acceptance_method": "acceptance_methods",
    "rejection_sample_method": "acceptance_methods",
    "draft_sample_method": "draft_sample_methods",
    "quantization": "quantization_methods",
}


@dataclass(frozen=True, slots=True)
class Case:
    """One combination and what came of it."""

    name: str
    made: Variant
    refusals: tuple[Refusal, ...]
    arguments: tuple[str, ...]
    """Empty when refused."""


@cache
def every_case(release: str) -> tuple[Case, ...]:
    return tuple(case(f"{method} {name}", made) for method in METHODS for name, made in cases(release, method))


def case(name: str, made: Variant) -> Case:
    request, refused = read(made), refusals(made)
    assert not isinstance(request, Refusal)
    return Case(name, made, refused, () if refused else tuple(serve_arguments(request)))


def engine(release: str) -> Engine:
    found = TABLE.engine(release)
    assert isinstance(found, Engine)
    return found


@pytest.mark.parametrize("release", TABLE.releases)
def test_every_flag_rendered_exists_in_the_release(release: str) -> None:
    flags = engine(release).cli_flags
    unknown = {
        (case.name, argument)
        for case in every_case(release)
        for argument in case.arguments[1:]
        if argument.partition("=")[0] not in flags
    }

    assert unknown == set()


@pytest.mark.parametrize("release", TABLE.releases)
def test_every_key_and_value_rendered_exists_in_the_release(release: str) -> None:
    known = engine(release)
    for case in every_case(release):
        for argument in case.arguments:
            flag, _, text = argument.partition("=")
            if flag == "--quantization":
                assert text in known.quantization_methods, case.name
            if flag != "--speculative-config":
                continue
            config = json.loads(text)
            assert set(config) <= known.speculative_config_keys, case.name
            for key, section in VALUES.items():
                assert config.get(key) is None or config[key] in getattr(known, section), case.name
            assert "synthetic" not in text


@pytest.mark.parametrize("release", TABLE.releases)
def test_only_a_variant_with_a_draft_speculates(release: str) -> None:
    for case in (c for c in every_case(release) if c.arguments):
        speculating = [a for a in case.arguments if a.startswith(("--spec", "--num-spec", "--ngram", "--typical"))]
        assert bool(speculating) == case.made.speculates, case.name


@pytest.mark.parametrize("release", TABLE.releases)
def test_what_a_release_cannot_do_is_refused_by_field_with_the_releases_that_can(release: str) -> None:
    for case in every_case(release):
        for refusal in case.refusals:
            assert refusal.field.startswith(("target.", "draft.", "engine.")), case.name
            assert refusal.message, case.name
            if refusal.reason is Reason.UNSUPPORTED_BY_ENGINE:
                others = refusal.message.replace(f"vLLM {release} ", "")
                none = "no release can" in others or "no vLLM release" in others
                assert none or any(r in others for r in TABLE.releases), (case.name, refusal)


@pytest.mark.parametrize("release", TABLE.releases)
def test_plain_serving_and_plain_ngram_render_everywhere(release: str) -> None:
    names = {c.name for c in every_case(release) if c.arguments}

    assert {"None target None", "None target FP8", "NGram target None"} <= names


def test_json_is_never_spelled_before_0_8_3_and_flags_never_after() -> None:
    for release in TABLE.releases:
        arguments = next(c.arguments for c in every_case(release) if c.name == "NGram target None")
        speaks_json = any(a.startswith("--speculative-config=") for a in arguments)
        assert speaks_json == engine(release).at_least("0.8.3")
        assert speaks_json != any(a.startswith("--speculative-model") for a in arguments)


@pytest.mark.parametrize("release", ["0.6.0", "0.8.5", "0.9.2", "0.12.0", "0.16.0", "0.23.0", "0.33.0"])
def test_the_releases_that_are_named_can(release: str) -> None:
    checked = 0
    for method in DraftMethod:
        for name, made in cases(release, method):
            for refusal in refusals(made):
                if refusal.field not in ("draft.method", "draft.disableAboveBatchSize", "target.quantization"):
                    continue
                for other in NUMBER.findall("".join(ABLE.findall(refusal.message))):
                    again = dict(cases(other, method))[name]
                    fields = [r.field for r in refusals(again) if r.reason is Reason.UNSUPPORTED_BY_ENGINE]
                    assert refusal.field not in fields, (name, other, refusal)
                    checked += 1

    assert checked > 3
