"""Before any load: whether the servers are what they are taken for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from breakeven.inspect.text import PageError
from breakeven.measure.grid import Arm
from breakeven.measure.server import Page
from breakeven.measure.visit import Trouble


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a server says it is."""

    model: str
    version: str = ""
    """Release of the engine; empty when it does not say."""
    k: int | None = None
    """Drafted tokens of a step, as its counters by position have them. None: they are not there."""
    kv_tokens: float | None = None
    remarks: tuple[str, ...] = ()
    """What is odd about its page."""


class Introduces(Protocol):
    """A server that can be asked what it is."""

    url: str
    model: str | None

    async def json(self, path: str) -> Any:
        """What a GET says; None where there is nothing."""
        ...

    async def page(self) -> Page:
        """Its counters. Raises PageError."""
        ...


async def introduce(servers: Mapping[Arm, Introduces]) -> dict[Arm, Identity]:
    """Ask every server what it is, and settle on the model that is asked for.

    Raises
    ------
    PageError
        If one cannot be reached, is no vLLM or has no metrics; the message names the option to change.
    Trouble
        If they do not make a pair; the same.
    """
    identities = {}
    for arm, server in servers.items():
        identities[arm] = await _identity(arm, server)
    check_pair(identities)
    return identities


def check_pair(identities: Mapping[Arm, Identity]) -> None:
    """Refuse a comparison of two models. Raises Trouble."""
    off, on = identities.get(Arm.OFF), identities.get(Arm.ON)
    if off is not None and on is not None and off.model != on.model:
        raise Trouble(
            f"--off serves {off.model} and --on serves {on.model}: S of two models means nothing; give two servers of "
            "one model, or the name both serve with --model"
        )


async def _identity(arm: Arm, server: Introduces) -> Identity:
    option = _OPTIONS[arm]
    try:
        page = await server.page()
    except PageError as error:
        raise PageError(f"{option}: {error}") from None
    model = _model(option, server, await server.json("/v1/models"))
    _check_speculation(arm, option, page)
    version = await server.json("/version")
    server.model = model
    return Identity(
        model=model,
        version=str(version.get("version", "")) if isinstance(version, dict) else "",
        k=len(page.scrape.totals.accepted_at) or None,
        kv_tokens=page.kv_tokens,
        remarks=page.remarks,
    )


_OPTIONS = {Arm.OFF: "--off", Arm.ON: "--on", Arm.REFERENCE: "--off-reference"}


def _model(option: str, server: Introduces, listed: Any) -> str:
    try:
        names = [str(entry["id"]) for entry in listed["data"]]
        first = names[0]
    except (LookupError, TypeError):
        raise Trouble(
            f"{option}: {server.url}/v1/models names no model: this is no OpenAI-compatible server, or it wants a key "
            "(OPENAI_API_KEY)"
        ) from None
    if server.model is not None and server.model not in names:
        raise Trouble(
            f"{option}: {server.url} does not serve {server.model}, but {', '.join(names[:5])}; change --model"
        )
    return server.model or first


def _check_speculation(arm: Arm, option: str, page: Page) -> None:
    if arm is Arm.OFF and page.speculates:
        raise Trouble(
            f"{option}: this server speculates (its page has draft counters): S would compare two drafts. Start it "
            "without --speculative-config, or give it as --on"
        )
    if arm is not Arm.OFF and not page.speculates:
        why = "it has no acceptance to compare" if arm is Arm.REFERENCE else "there is nothing to measure"
        raise Trouble(
            f"{option}: this server does not speculate (its page has no draft counters), so {why}. Start it with "
            "--speculative-config" + ("" if arm is Arm.REFERENCE else ", or give it as --off")
        )
