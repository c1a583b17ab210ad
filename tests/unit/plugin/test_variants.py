"""What speculation changes in the engine's arguments."""

import pytest
from tests.support.fake_kubectl import resource

from breakeven.plugin.errors import PluginError
from breakeven.plugin.resources import Found, read
from breakeven.plugin.variants import Rendered, difference, rendered


def variants(found: Found) -> list[Rendered]:
    assert found.spec is not None
    return rendered(found.name, found.namespace, found.spec)


def test_the_difference_is_the_speculation_and_each_flag_stands_with_its_value() -> None:
    plain, speculating = variants(read(resource()))
    lines = difference(plain, speculating)
    assert lines[0].startswith("--- llama-70b-") and lines[0].endswith("(off)")
    added = [line for line in lines if line.startswith("+") and not line.startswith("+++")]
    assert any(line.startswith("+--speculative-config") for line in added)
    assert not [line for line in lines if line.startswith("-") and not line.startswith("---")]
    assert difference(plain, plain) == []


def test_alternatives_are_variants_too() -> None:
    body = resource()
    body["spec"]["alternatives"] = [{"method": "NGram", "promptLookupMax": 4, "numSpeculativeTokens": 4}]
    assert [v.speculation.split()[0] for v in variants(read(body))] == ["off", "DraftModel", "NGram"]


def test_what_the_engine_cannot_do_is_said_by_field() -> None:
    body = resource()
    body["spec"]["engine"]["image"] = "vllm/vllm-openai:v0.12.0"
    with pytest.raises(PluginError, match=r"spec\.draft"):
        variants(read(body))
