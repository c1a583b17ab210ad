"""Servers that are not what they are taken for, each in a clear sentence."""

from typing import Any

import pytest

from breakeven.domain.counters.observation import Gauges, Scrape, Totals
from breakeven.inspect.text import PageError
from breakeven.measure.grid import Arm
from breakeven.measure.preflight import introduce
from breakeven.measure.server import Page
from breakeven.measure.visit import Trouble


class Fake:
    """Says what it is told to say."""

    def __init__(
        self,
        *,
        models: Any = ("llama",),
        drafts: bool = False,
        broken: str = "",
        model: str | None = None,
    ) -> None:
        self.url = "http://10.0.0.7:8000"
        self.model = model
        self._models, self._drafts, self._broken = models, drafts, broken

    async def json(self, path: str) -> Any:
        if path == "/version":
            return {"version": "0.33.0"}
        return {"data": [{"id": name} for name in self._models]} if self._models else None

    async def page(self) -> Page:
        if self._broken:
            raise PageError(self._broken)
        totals = Totals(accepted_at=(0.0, 0.0) if self._drafts else ())
        return Page(scrape=Scrape(at=0.0, totals=totals, gauges=Gauges()), speculates=self._drafts)


async def test_a_pair_is_introduced_with_model_version_and_draft_length() -> None:
    off, on = Fake(), Fake(drafts=True)
    identities = await introduce({Arm.OFF: off, Arm.ON: on})
    assert identities[Arm.ON].k == 2
    assert identities[Arm.OFF].version == "0.33.0"
    assert off.model == on.model == "llama"


@pytest.mark.parametrize(
    ("servers", "sentence"),
    [
        ({Arm.OFF: Fake(drafts=True)}, "--off: this server speculates .* or give it as --on"),
        ({Arm.OFF: Fake(drafts=True), Arm.ON: Fake(drafts=True)}, "S would compare two drafts"),
        ({Arm.ON: Fake()}, "--on: this server does not speculate .* or give it as --off"),
        ({Arm.REFERENCE: Fake()}, "--off-reference: this server does not speculate .* it has no acceptance to compare"),
        ({Arm.OFF: Fake(), Arm.ON: Fake(models=("qwen",), drafts=True)}, "--off serves llama and --on serves qwen"),
        ({Arm.OFF: Fake(models=None)}, "--off: http://10.0.0.7:8000/v1/models names no model"),
        ({Arm.OFF: Fake(broken="not a vLLM's metric page")}, "--off: not a vLLM's metric page"),
        ({Arm.OFF: Fake(model="other")}, "--off: http://10.0.0.7:8000 does not serve other, but llama; change --model"),
    ],
)
async def test_what_makes_no_pair_is_refused_with_the_option_to_change(servers: dict[Arm, Fake], sentence: str) -> None:
    with pytest.raises((Trouble, PageError), match=sentence):
        await introduce(servers)


async def test_a_common_name_makes_two_servers_comparable() -> None:
    off = Fake(models=("a", "both"), model="both")
    on = Fake(models=("b", "both"), drafts=True, model="both")
    assert (await introduce({Arm.OFF: off, Arm.ON: on}))[Arm.OFF].model == "both"
