"""What a replica does all day: load, wake, carry out orders, follow slots.json, and outlive an engine that dies."""

from __future__ import annotations

import hashlib
import hmac
import queue
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from .memory import resident_bytes
from .pair import GaveUp, NothingServes, Pair, say
from .proxy import CLOSED, HELD
from .slot import AWAKE, FAILED, Slot
from .timing import Timing
from .wanted import EngineSpec, Unreadable, read

LOOK_S = 0.5
"""Between two looks at slots.json, the proxy and the engines."""


@dataclass
class Order:
    """Something asked for on the port."""

    id: str
    variant: str | None
    """To wake; None: load what is missing."""
    timing: Timing = field(default_factory=Timing)
    done: threading.Event = field(default_factory=threading.Event)
    error: str = ""


class Replica:
    """`run` belongs to one thread; the others call `order`, `state`, `ready`, `allowed` and `stop`."""

    def __init__(self, path: Path, pair: Pair, *, leave_s: float) -> None:
        """Raises Unreadable: without slots.json there is nothing to do."""
        self.pair = pair
        self.wanted = read(path)
        self.problem = ""
        self.last: dict[str, object] | None = None
        self._path = path
        self._leave_s = leave_s
        self._lock = threading.Lock()
        self._current: Order | None = None
        self._finished: Order | None = None
        self._orders: queue.SimpleQueue[Order | None] = queue.SimpleQueue()
        self._away = True
        """Whether the Service should send nothing here: it loads, and no engine is awake."""
        self._proxy_does_as_told = False

    # What the port asks

    def allowed(self, token: str) -> bool:
        """Whether this is the token whose SHA-256 slots.json holds."""
        return hmac.compare_digest(hashlib.sha256(token.encode()).hexdigest(), self.wanted.token_sha256)

    def order(self, id: str, variant: str | None) -> tuple[int, Order | None]:
        """Take an order: HTTP status, and what to wait for where it is carried out or was."""
        with self._lock:
            for known in (self._current, self._finished):
                if known is not None and known.id == id:
                    return 200, known
            if variant is not None:
                slot = self.pair.holding(variant)
                if slot is None:
                    return 404, None
                if slot.phase == AWAKE and self._current is None:
                    return 200, None
                if not slot.loaded or self._current is not None:
                    return 409, None
            elif self._current is not None:
                return 409, None
            self._current = Order(id, variant)
            self._orders.put(self._current)
            return 200, self._current

    def ready(self) -> bool:
        """Whether requests should come here; true for the seconds of a switch, for they are held."""
        if self._away or not self._proxy_does_as_told:
            return False
        slot = self.pair.awake
        if slot is None or slot.engine is None:
            return self.pair.proxy.wanted == HELD
        return slot.engine.healthy()

    def alive(self) -> bool:
        """Whether a restart would not help: false while the awake engine does not answer."""
        slot = self.pair.awake
        return slot is None or slot.engine is None or slot.engine.healthy()

    def state(self) -> dict[str, object]:
        """The status page."""
        order, awake = self._current, self.pair.awake
        engines = [slot.engine for slot in self.pair.slots if slot.engine is not None]
        left = [engine.left_behind for engine in engines if engine.left_behind is not None]
        return {
            "revision": self.wanted.revision,
            "loadedRevision": self._loaded_revision(),
            "problem": self.problem,
            "awake": awake.spec.variant if awake and awake.spec else None,
            "switching": order and {"id": order.id, "to": order.variant, "phase": order.timing.current},
            "slots": {slot.name: slot.described() for slot in self.pair.slots},
            "last": self.last,
            "hostMemoryBytes": resident_bytes(engine.pid for engine in engines),
            "leftBehindBytes": max(left, default=None),
        }

    def _loaded_revision(self) -> str | None:
        tried = [slot.spec for slot in self.pair.slots if slot.loaded or slot.phase == FAILED]
        if all(spec in tried for spec in self.wanted.variants):
            return self.wanted.revision
        return None

    # The thread of its own

    def run(self) -> None:
        """Load and serve until stopped. Raises NothingServes."""
        first = sorted(self.wanted.variants, key=lambda spec: spec.variant != self.wanted.first)
        for slot, spec in zip(self.pair.slots, first, strict=False):
            self.pair.load(slot, spec, self.wanted)
        self._serve(self.wanted.first)
        while not self.pair.stopping.is_set():
            try:
                order = self._orders.get(timeout=LOOK_S)
            except queue.Empty:
                order = None
            self._follow()
            self._bury()
            self._proxy_does_as_told = self.pair.proxy.remind()
            if order is not None:
                self._carry_out(order)

    def look(self) -> None:
        """Something happened to an engine: look now."""
        self._orders.put(None)

    def stop(self, grace: float) -> None:
        """End the engines: the awake one finishes what it has within `grace` seconds."""
        self.pair.stopping.set()
        for slot in sorted(self.pair.slots, key=lambda slot: slot.phase == AWAKE):
            if slot.engine is not None:
                slot.engine.end(grace if slot.phase == AWAKE else 0)

    def _serve(self, *variants: str | None) -> None:
        slots = [slot for variant in variants if variant and (slot := self.pair.holding(variant))]
        self.pair.serve(slots, self.wanted, Timing())
        self._away = False
        self._proxy_does_as_told = self.pair.proxy.remind()

    def _follow(self) -> None:
        """Read slots.json again: token and limits hold at once, engines are loaded when ordered or when both fit."""
        try:
            wanted = read(self._path)
        except Unreadable as error:
            self.problem = str(error)
            return
        self.problem = ""
        before, self.wanted = self.wanted, wanted
        if wanted.load_beside and wanted.variants != before.variants:
            try:
                self._load(Timing())
            except GaveUp as error:
                say(str(error))

    def _bury(self) -> None:
        """Notice engines that died. When the awake one did, wake the other: a reload would take minutes."""
        for slot in self.pair.slots:
            if slot.loaded and slot.engine is not None and not slot.engine.alive:
                served = slot.phase == AWAKE
                if served:
                    self.pair.point(HELD)
                slot.fail(slot.engine.last_words())
                say(f"slot {slot.name}: {slot.error}")
                if served:
                    self._serve()

    def _carry_out(self, order: Order) -> None:
        source = self.pair.awake
        before = source.spec.variant if source and source.spec else None
        order.timing = Timing()
        try:
            if order.variant is None:
                self._load(order.timing)
            else:
                slot = self.pair.holding(order.variant)
                if slot is None or not slot.loaded:
                    raise GaveUp(f"{order.variant} is not loaded any more")
                if slot.phase != AWAKE:
                    self.pair.switch(slot, self.wanted, order.timing)
        except GaveUp as error:
            order.error = str(error)
        except NothingServes as error:
            order.error = str(error)
            raise
        finally:
            self.last = {
                "id": order.id,
                "from": before,
                "to": order.variant,
                "seconds": order.timing.seconds,
                "phases": dict(order.timing.phases),
                "error": order.error,
                "at": round(time.time(), 3),
            }
            with self._lock:
                self._current, self._finished = None, order
            order.done.set()

    # Loading into a replica that serves

    def _load(self, timing: Timing) -> None:
        """Load what is wanted and held nowhere. Raises GaveUp when it failed; NothingServes."""
        while (missing := self._missing()) is not None:
            awake = self.pair.awake
            victim = self._replaceable()
            beside = self.wanted.load_beside and victim is not awake
            before = awake.spec.variant if awake and awake is not victim and awake.spec else None
            if not beside:
                try:
                    self._leave(timing)
                except GaveUp:
                    self._away = False
                    raise
            with timing.phase("load"):
                done = self.pair.load(victim, missing, self.wanted)
            if not beside:
                self._serve(before, self.wanted.first)
            if not done:
                raise GaveUp(victim.error)

    def _missing(self) -> EngineSpec | None:
        held = [slot.spec for slot in self.pair.slots if slot.loaded]
        return next((spec for spec in self.wanted.variants if spec not in held), None)

    def _replaceable(self) -> Slot:
        """The slot of an engine that is not wanted any more, one that is not awake first."""
        free = [slot for slot in self.pair.slots if not slot.loaded or slot.spec not in self.wanted.variants]
        return min(free, key=lambda slot: (slot.loaded, slot.phase == AWAKE))

    def _leave(self, timing: Timing) -> None:
        """Let the Service send new requests elsewhere, finish what is here, and sleep."""
        awake = self.pair.awake
        if awake is None:
            return
        self._away = True
        with timing.phase("leave"):
            self.pair.stopping.wait(self._leave_s)
        mode = self.pair.drain(awake, CLOSED, self.wanted, timing)
        with timing.phase("sleep"):
            self.pair.lay_down(awake, mode)
