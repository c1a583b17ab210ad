"""Leader election on a Lease: who may write.

Compare-and-set by `resourceVersion`; another holder's renewals are observed on our own monotonic clock, so clocks of
different machines need not agree. `may_write` ends by itself when renewing fails for longer than the deadline, which is
shorter than the duration after which another may take over: there is never a moment with two writers.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from breakeven.adapters.kubernetes.rest import Rest
from breakeven.control.errors import Conflict, ControlError, Gone, Refused

log = logging.getLogger(__name__)

API, KIND = "coordination.k8s.io/v1", "Lease"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseSettings:
    """Names and times; the relations between the times are client-go's."""

    namespace: str
    name: str
    identity: str
    """Different in every process."""
    duration_s: float = 15.0
    """Others wait this long after the last renewal they saw."""
    deadline_s: float = 10.0
    """Without a renewal for this long nothing is written any more. Shorter than the duration."""
    period_s: float = 2.0
    """Between attempts. One request takes at most half the deadline, as in Kubernetes' own components."""


class LeaseElector:
    """`control.ports.Leadership` on a Lease."""

    def __init__(
        self,
        rest: Rest,
        settings: LeaseSettings,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        alive: Callable[[], bool] = lambda: True,
    ) -> None:
        if not settings.period_s < settings.deadline_s < settings.duration_s:
            raise ValueError("a lease needs period < deadline < duration")
        self._rest = rest
        self._settings = settings
        self._monotonic = monotonic
        self._alive = alive
        """Whether the process that leads still does its work; one that does not must not renew."""
        self._renewed: float | None = None
        self._mine: Any = None
        """The lease as we last wrote it."""
        self._seen_version = ""
        self._seen_at = 0.0
        self.held = asyncio.Event()
        """Set once the lease is held."""
        self.lost = asyncio.Event()
        """Set when it was held and is no more; it is not tried again in this process."""

    def may_write(self) -> bool:
        """Whether the lease is held and was renewed within the deadline."""
        renewed = self._renewed
        return (
            renewed is not None and not self.lost.is_set() and self._monotonic() - renewed < self._settings.deadline_s
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Acquire and renew until told to stop, or until the lease is lost. Releases it at the end."""
        try:
            while not stop.is_set() and not self.lost.is_set():
                if self._alive():
                    await self._try()
                if self.held.is_set() and not self.may_write():
                    log.error(
                        "the lease was not renewed within %s s; nothing is written any more", self._settings.deadline_s
                    )
                    self.lost.set()
                    return
                await _pause(stop, self._settings.period_s)
        finally:
            await self._release()

    async def _try(self) -> None:
        begun = self._monotonic()
        try:
            if await self._acquire(begun):
                # Counted from before the request: the server's clock started no earlier.
                self._renewed = begun
                if not self.held.is_set():
                    log.info("leading as %s", self._settings.identity)
                    self.held.set()
        except Refused as error:
            log.error("the lease cannot be used: %s", error)
        except ControlError as error:
            log.warning("the lease was not renewed: %s", error)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            log.warning("the lease was not renewed: what stands there is no Lease: %r", error)

    async def _acquire(self, now: float) -> bool:
        if self._mine is not None:
            try:
                self._mine = await self._call("update", _lease(self._settings, self._mine))
            except (Conflict, Gone):
                self._mine = None  # somebody wrote it: read it below
            else:
                return True
        try:
            lease = await self._call("get")
        except Gone:
            self._mine = await self._call("create", _lease(self._settings, None))
            return True
        spec, version = lease.get("spec", {}), lease["metadata"]["resourceVersion"]
        holder = spec.get("holderIdentity") or ""
        if version != self._seen_version:
            self._seen_version, self._seen_at = version, now
        if holder not in ("", self._settings.identity):
            if self.held.is_set():
                log.error("%s took the lease", holder)
                self.lost.set()
                return False
            wait = max(float(spec.get("leaseDurationSeconds", 0)), self._settings.duration_s)
            if now - self._seen_at < wait:
                return False
        try:
            self._mine = await self._call("update", _lease(self._settings, lease))
        except Conflict:
            return False
        return True

    async def _release(self) -> None:
        if self._renewed is None or self.lost.is_set():
            return
        self._renewed = None
        try:
            lease = await self._call("get")
            if lease.get("spec", {}).get("holderIdentity") == self._settings.identity:
                lease["spec"].update(holderIdentity="", leaseDurationSeconds=1)
                await self._call("update", lease)
        except ControlError as error:
            log.warning("the lease was not released: %s", error)

    async def _call(self, verb: str, body: Any = None) -> Any:
        settings = self._settings
        name = "" if verb == "create" else settings.name
        return await self._rest.call(
            verb, API, KIND, namespace=settings.namespace, name=name, body=body, timeout_s=settings.deadline_s / 2
        )


class AlwaysLeader:
    """Leadership for a single process: no lease."""

    def may_write(self) -> bool:
        """Always."""
        return True


def _lease(settings: LeaseSettings, old: Any) -> Any:
    now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    before = old.get("spec", {}) if old else {}
    ours = before.get("holderIdentity") == settings.identity
    turns = int(before.get("leaseTransitions", 0))
    spec = {
        "holderIdentity": settings.identity,
        "leaseDurationSeconds": max(1, round(settings.duration_s)),
        "acquireTime": before.get("acquireTime", now) if ours else now,
        "renewTime": now,
        "leaseTransitions": turns if ours or not old else turns + 1,
    }
    meta = {"name": settings.name, "namespace": settings.namespace}
    if old:  # an update replaces all of it, and what others wrote there, Helm above all, is theirs
        kept = ("resourceVersion", "labels", "annotations", "ownerReferences")
        meta |= {field: old["metadata"][field] for field in kept if field in old["metadata"]}
    return {"apiVersion": API, "kind": KIND, "metadata": meta, "spec": spec}


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
