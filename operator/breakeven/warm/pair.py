"""Two slots and a proxy: which engine is loaded, which one is awake, and how they change places."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable

from .engine import Engine, EngineFailed
from .proxy import CLOSED, HELD, Proxy, ProxyFailed
from .slot import ASLEEP, AWAKE, Slot
from .timing import Timing
from .wanted import ABORT, EngineSpec, Wanted

DRAIN_POLL_S = 0.01


class GaveUp(Exception):
    """The order was not carried out; the engine that was awake serves as before."""


class NothingServes(Exception):
    """No engine can be woken."""


class Pair:
    """Its methods are called by one thread; `awake` and `slots` are read by others."""

    def __init__(self, slots: Iterable[Slot], proxy: Proxy, start: Callable[[EngineSpec, Slot], Engine]) -> None:
        self.slots = tuple(slots)
        self.proxy = proxy
        self.stopping = threading.Event()
        """Set when the supervisor ends: nothing is started or woken any more."""
        self._start = start

    @property
    def awake(self) -> Slot | None:
        """The slot whose engine serves."""
        return next((slot for slot in self.slots if slot.phase == AWAKE), None)

    def holding(self, variant: str) -> Slot | None:
        """The slot of a variant, loaded or not."""
        return next((slot for slot in self.slots if slot.spec and slot.spec.variant == variant), None)

    def load(self, slot: Slot, spec: EngineSpec, wanted: Wanted) -> bool:
        """Start an engine in a slot, try it, and let it sleep for the first time; False when that failed.

        Nothing else may be awake unless both fit.
        """
        slot.begin(spec)
        try:
            self._go_on()
            slot.engine = self._start(spec, slot)
            slot.engine.until_ready(wanted.startup_s)
            # Some configurations answer /health and die of their first request.
            slot.engine.smoke(wanted.model)
            slot.engine.sleep("wait")
        except (EngineFailed, OSError) as error:
            slot.fail(str(error))
            say(f"slot {slot.name} failed: {error}")
            return False
        slot.hold()
        say(f"slot {slot.name} holds {spec.variant}, asleep")
        return True

    def switch(self, target: Slot, wanted: Wanted, timing: Timing) -> None:
        """Wake another engine and send new requests there. Raises GaveUp, or NothingServes."""
        source = self.awake
        if source is None:
            raise GaveUp("no engine is awake")
        mode = self.drain(source, HELD, wanted, timing)
        try:
            self.awaken(target, wanted, timing, mode)
        except EngineFailed as error:
            self.serve([source], wanted, timing)
            raise GaveUp(str(error)) from error

    def awaken(self, slot: Slot, wanted: Wanted, timing: Timing, mode: str = "wait") -> None:
        """Let every other engine sleep, wake this one, try it, and send requests there.

        Raises EngineFailed when this one did not wake; it has been killed then.
        """
        with timing.phase("sleep"):
            for other in self.slots:
                if other is not slot:
                    self.lay_down(other, mode)
        try:
            self._go_on()
            if slot.engine is None:
                raise EngineFailed(f"slot {slot.name} holds no engine")
            with timing.phase("wake"):
                slot.engine.wake()
            with timing.phase("smoke"):
                slot.engine.smoke(wanted.model)
        except EngineFailed as error:
            slot.fail(str(error))
            say(f"slot {slot.name} failed: {error}")
            raise
        slot.become(AWAKE)
        self.point(slot.name)
        say(f"{slot.engine.spec.variant} is awake ({timing.seconds:g} s)")

    def lay_down(self, slot: Slot, mode: str = "wait") -> None:
        """Let an engine sleep if it is awake. One that does not is killed, or both would hold the GPU's memory."""
        if slot.phase != AWAKE or slot.engine is None:
            return
        try:
            slot.engine.sleep(mode)
        except EngineFailed as error:
            slot.fail(str(error))
            say(f"slot {slot.name} failed: {error}")
        else:
            slot.become(ASLEEP)

    def serve(self, preferred: Iterable[Slot], wanted: Wanted, timing: Timing) -> Slot:
        """Wake the first of these that wakes, else any. Raises NothingServes."""
        for slot in dict.fromkeys([*preferred, *self.slots]):
            if slot.loaded:
                try:
                    self.awaken(slot, wanted, timing)
                except EngineFailed:
                    continue
                return slot
        self.point(CLOSED)
        raise NothingServes("; ".join(slot.error for slot in self.slots if slot.error) or "no engine is loaded")

    def drain(self, slot: Slot, meanwhile: str, wanted: Wanted, timing: Timing) -> str:
        """Let no new request reach an engine and wait for those that have; how it may be put to sleep then.

        Raises GaveUp when requests run on and should not be cut off; the engine gets new ones again.
        """
        try:
            with timing.phase("hold"):
                self.proxy.point(meanwhile)
            with timing.phase("drain"):
                deadline = time.monotonic() + wanted.drain_s
                while self.proxy.in_flight(slot.name):
                    if time.monotonic() > deadline:
                        if wanted.on_drain_timeout == ABORT:
                            return "abort"
                        raise GaveUp(f"requests were still running after {wanted.drain_s:g} s (onDrainTimeout: Wait)")
                    time.sleep(DRAIN_POLL_S)
        except (ProxyFailed, GaveUp) as error:
            self.point(slot.name)
            raise GaveUp(str(error)) from error
        return "wait"

    def point(self, to: str) -> None:
        """A proxy that does not do as told is told again later, and the replica is not ready until it does."""
        try:
            self.proxy.point(to)
        except ProxyFailed as error:
            say(f"proxy: {error}")

    def _go_on(self) -> None:
        if self.stopping.is_set():
            raise EngineFailed("the supervisor is ending")


def say(text: str) -> None:
    """A line of our own among those of the engines."""
    sys.stderr.write(f"[supervisor] {text}\n")
    sys.stderr.flush()
