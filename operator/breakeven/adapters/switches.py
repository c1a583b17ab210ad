"""`control.ports.Switches` over HTTP: an answer of a replica is checked once, here. Anything else is a Retry."""

from datetime import UTC, datetime
from typing import Annotated, Any

import aiohttp
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from breakeven.adapters.bodies import bounded_body
from breakeven.api.text import plain
from breakeven.control.errors import Retry
from breakeven.control.warm.state import LastSwitch, Phase, Slot, WarmState

PORT = 8001
_MAX_BYTES = 1 << 18
"""Largest answer that is read; a state has some 700 bytes, and errors in it are cut."""
_ANSWERS = frozenset({200, 202, 500})
"""Status with which a replica sends its state: done, begun, and not carried out."""
_MEANT = {
    401: "it does not take this token: the slots file with a new one reaches a pod within a minute",
    404: "no slot holds that variant",
    409: "that variant is not loaded, or another order is under way",
}


def _moment(value: Any) -> datetime:
    """Read Unix seconds. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 7e9:
        raise ValueError("no time in Unix seconds")
    return datetime.fromtimestamp(value, UTC)


Moment = Annotated[datetime, BeforeValidator(_moment)]
Name = Annotated[str, Field(max_length=64)]
Words = Annotated[str, Field(max_length=100_000)]
_LONGEST = 300
_CONNECT_S = 5.0


class _Said(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", hide_input_in_errors=True)


class _Slot(_Said):
    variant: Name | None = None
    phase: Phase
    since: Moment
    error: Words = ""
    deaths: Annotated[int, Field(ge=0)] = 0


class _Last(_Said):
    id: Name
    to: Name | None
    seconds: Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
    at: Moment
    error: Words = ""


class _State(_Said):
    revision: Name
    loaded: Annotated[Name | None, Field(alias="loadedRevision")] = None
    awake: Name | None
    switching: dict[str, Any] | None = None
    slots: Annotated[dict[Name, _Slot], Field(max_length=8)]
    last: _Last | None = None


class HttpSwitches:
    """The switching port of warm replicas. Times are in seconds."""

    def __init__(self, *, port: int = PORT, look_s: float = 5.0, order_s: float = 900.0) -> None:
        """`order_s` bounds one order: the longest drain that a resource may ask for, and waking both engines."""
        self._port = port
        self._look_s = look_s
        self._order_s = order_s

    async def state(self, address: str) -> WarmState:
        """What the replica holds and what is awake."""
        return await self._call("GET", address, "state", self._look_s)

    async def awake(self, address: str, *, id: str, variant: str, token: str) -> WarmState:
        """Wake one variant; the same `id` asks again without doing again."""
        return await self._call("POST", address, "awake", self._order_s, {"id": id, "variant": variant}, token)

    async def load(self, address: str, *, id: str, token: str) -> WarmState:
        """Begin to load what the slots file names and is not there."""
        return await self._call("POST", address, "load", self._look_s, {"id": id}, token)

    async def _call(
        self, verb: str, address: str, path: str, seconds: float, body: dict[str, str] | None = None, token: str = ""
    ) -> WarmState:
        host = f"[{address}]" if ":" in address else address
        timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=_CONNECT_S)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, trust_env=False, auto_decompress=False) as session,
                # A redirect would carry the token to somebody else.
                session.request(
                    verb, f"http://{host}:{self._port}/{path}", json=body, headers=headers, allow_redirects=False
                ) as answer,
            ):
                if answer.status not in _ANSWERS:
                    meant = _MEANT.get(answer.status, "that is no answer of a warm replica")
                    raise Retry(f"{address}:{self._port}/{path} answered HTTP {answer.status}: {meant}")
                return _read(await _bounded(answer), f"{address}:{self._port}/{path}")
        except aiohttp.ConnectionTimeoutError:
            raise Retry(f"{address}:{self._port}/{path}: no connection within {_CONNECT_S:g} s") from None
        except TimeoutError:
            raise Retry(f"{address}:{self._port}/{path} did not answer within {seconds:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            words = plain(f"{type(error).__name__} {error}", _LONGEST)
            raise Retry(f"{address}:{self._port}/{path}: {words}") from None


async def _bounded(answer: aiohttp.ClientResponse) -> bytes:
    """The whole body; raises Retry as soon as it is longer than a state can be."""
    data = await bounded_body(answer, _MAX_BYTES)
    if len(data) > _MAX_BYTES:
        raise Retry(f"the answer of {answer.host} is larger than {_MAX_BYTES >> 10} KiB")
    return data


def _read(data: bytes, where: str) -> WarmState:
    try:
        said = _State.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        words = plain(f"{'.'.join(map(str, first['loc']))} {first['msg']}", _LONGEST)
        raise Retry(f"{where} answered something else than a state: {words}") from None
    slots = {
        name: Slot(variant=s.variant, phase=s.phase, since=s.since, error=plain(s.error, _LONGEST), deaths=s.deaths)
        for name, s in said.slots.items()
        if s.variant
    }
    last = said.last
    return WarmState(
        revision=said.revision,
        loaded_revision=said.loaded or "",
        awake=said.awake or "",
        switching=said.switching is not None,
        slots=slots,
        last=None
        if last is None
        else LastSwitch(
            id=last.id, to=last.to or "", seconds=last.seconds, at=last.at, error=plain(last.error, _LONGEST)
        ),
    )
