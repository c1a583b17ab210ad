"""A measurement from its options to its report: where the servers are, what is written, and what is said at the end."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from breakeven.api.names import spoken_model
from breakeven.domain.measures.verdict import Bounds
from breakeven.measure.advice import advice
from breakeven.measure.figures import Slo
from breakeven.measure.grid import Arm, Cell
from breakeven.measure.http import HttpServer
from breakeven.measure.preflight import Identity, check_pair, introduce
from breakeven.measure.prompts import PROMPT_TOKENS, RANDOM, PromptSet
from breakeven.measure.remarks import remarks
from breakeven.measure.report.content import Report
from breakeven.measure.run import Ending, Limits, Measurement, Outcome, Progress, Source, imprecise
from breakeven.measure.schedule import LEAST_ROUNDS, Wish
from breakeven.measure.serve import Command, Engine
from breakeven.measure.server import Server
from breakeven.measure.state import State
from breakeven.measure.verdict import verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was asked for on the command line."""

    addresses: Mapping[Arm, str] = field(default_factory=dict)
    """Running servers."""
    commands: Mapping[Arm, Command] = field(default_factory=dict)
    """Or engines to start here, one after the other."""
    cells: tuple[Cell, ...]
    prompts: PromptSet
    limits: Limits
    precision: float
    bounds: Bounds
    slo: Slo = Slo()  # noqa: RUF009 # frozen
    directory: Path
    model: str | None = None
    key: str | None = None
    """API key of the servers."""
    seed: int = 0
    command: str = ""
    """The command line, for the report."""


@dataclass(slots=True)
class _Servers:
    """The servers of one measurement, opened when they are first needed."""

    request: Request
    identities: dict[Arm, Identity] = field(default_factory=dict)
    addresses: dict[Arm, str] = field(default_factory=dict)
    _open: dict[Arm, HttpServer] = field(default_factory=dict)
    _stack: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    async def reach(self) -> None:
        """Ask all running servers what they are. Raises Trouble."""
        for arm, address in self.request.addresses.items():
            await self._connect(arm, address)
        self.identities |= await introduce(self._open)

    async def of(self, arm: Arm) -> Server:
        """The server of an arm; an engine of this machine is started, after the one before it ended. Raises Trouble."""
        if arm not in self._open:
            await self.close()
            engine = Engine(self.request.commands[arm], self.request.directory / f"engine-{arm}.log")
            await self._stack.enter_async_context(engine)
            await self._connect(arm, engine.url)
            self.identities |= await introduce({arm: self._open[arm]})
            check_pair(self.identities)
        return self._open[arm]

    async def close(self) -> None:
        """Close connections and end engines."""
        self._open.clear()
        await self._stack.aclose()

    async def _connect(self, arm: Arm, address: str) -> None:
        server = HttpServer(address, model=self.request.model, key=self.request.key)
        self._open[arm] = await self._stack.enter_async_context(server)
        self.addresses[arm] = server.url


@contextlib.asynccontextmanager
async def _servers(request: Request) -> AsyncIterator[_Servers]:
    servers = _Servers(request)
    try:
        await servers.reach()
        yield servers
    finally:
        await servers.close()


async def session(request: Request, progress: Callable[[Progress], None]) -> tuple[Report, Outcome]:
    """Measure and report.

    Raises
    ------
    PageError
        If a server cannot be read, before anything is measured.
    Trouble
        If the servers do not make a pair.
    StateError
        If the directory cannot be used.
    """
    arms = tuple(arm for arm in Arm if arm in request.addresses or arm in request.commands)
    wish = Wish(
        cells=request.cells,
        arms=arms,
        precision=request.precision,
        one_after_the_other=bool(request.commands),
    )
    async with _servers(request) as servers:
        state = State(request.directory, _header(request, servers.identities))
        source: Source = servers.of
        measurement = Measurement(
            source,
            wish,
            request.prompts,
            request.limits,
            state,
            slo=request.slo,
            seed=request.seed,
            progress=progress,
        )
        with _stopped_by_signal(measurement):
            outcome = await measurement.run()
    return _report(request, wish, servers, measurement, state, outcome), outcome


def _header(request: Request, identities: Mapping[Arm, Identity]) -> dict[str, object]:
    """What must be the same for a measurement to go on."""
    return {
        "prompts": request.prompts.name,
        "output tokens": request.prompts.output_tokens,
        "seed": request.seed,
        "servers": {arm.value: request.addresses.get(arm, "started here") for arm in Arm if arm in request.addresses}
        or {arm.value: " ".join(command.words) for arm, command in request.commands.items()},
        "model": next((identity.model for identity in identities.values()), ""),
    }


@contextlib.contextmanager
def _stopped_by_signal(measurement: Measurement):  # type: ignore[no-untyped-def] # an iterator of None
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, measurement.stop)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _report(
    request: Request, wish: Wish, servers: _Servers, measurement: Measurement, state: State, outcome: Outcome
) -> Report:
    figures = measurement.figures()
    bounds = request.bounds.without_control() if wish.one_after_the_other else request.bounds
    judgement = verdict(figures, bounds)
    notes = remarks(figures, state.visits, outcome.left_out)
    notes += [f"--{arm}: {said}" for arm, identity in servers.identities.items() for said in identity.remarks]
    if wish.one_after_the_other:
        notes.append(
            "The engines ran one after the other, so a drift of the machine is in S: it pays above "
            f"{bounds.promote:g} here and loses below {bounds.leave:g}."
        )
    coarse = imprecise(figures, wish)
    if coarse and outcome.ending is not Ending.PRECISE:
        notes.append(
            f"{len(coarse)} of {len(figures)} cells are not as precise as asked (±{request.precision:.1%}); run the "
            "same command again to go on."
        )
    ending = outcome.ending.value + (f" ({outcome.trouble})" if outcome.trouble else "")
    model = next((spoken_model(identity.model) for identity in servers.identities.values()), "")
    return Report(
        title=f"Speculative decoding on {model}" if model else "Speculative decoding",
        verdict=judgement,
        figures=figures,
        bounds=bounds,
        advice=advice(figures, judgement, bounds),
        remarks=notes,
        ending=ending,
        identities=servers.identities,
        addresses=servers.addresses,
        method=_method(request, wish, servers, state),
        slo=request.slo,
        one_after_the_other=wish.one_after_the_other,
    )


def _method(request: Request, wish: Wish, servers: _Servers, state: State) -> dict[str, str]:
    visits = state.visits
    seconds = sum(v.seconds for v in visits)
    answers = sum(len(v.answers) for v in visits)
    rows = {"command": request.command}
    for arm, identity in servers.identities.items():
        version = f"vLLM {identity.version}" if identity.version else "of unknown version"
        rows[f"server {arm}"] = f"{servers.addresses.get(arm, '')}, {version}"
    made_up = f"random token ids, {PROMPT_TOKENS} a prompt"
    return rows | {
        "prompts": made_up if request.prompts.name == RANDOM else request.prompts.name,
        "answers": f"about {request.prompts.output_tokens} tokens"
        + (", whatever the model would say" if request.prompts.name == RANDOM else " at most"),
        "order": "one server after the other"
        if wish.one_after_the_other
        else "round by round over the whole grid, the servers in turn, who begins alternating",
        "visits": f"{len(visits)}, {seconds:.0f} s measured in all, {request.limits.warmup:g} s before each left out",
        "requests": f"{answers} in the figures, {sum(v.tokens for v in visits)} tokens asked and answered in all",
        "bounds": f"95 %, from the spread between at least {LEAST_ROUNDS} visits, Student's t; percentiles by "
        "Woodruff's method",
        "precision": f"S to ±{request.precision:.1%} asked for",
        "figures": "S, E, R, acceptance and throughput from the servers' counters; the rest from the clients",
        "slo": ", ".join(
            f"{name} {1000 * limit:g} ms"
            for name, limit in (("TTFT", request.slo.ttft), ("TPOT", request.slo.tpot))
            if limit
        )
        or "none",
    }
