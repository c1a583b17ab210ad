"""What the watches report goes into the cache, and its key into the queue. Nothing else happens here.

kopf is informer, login and signals: `on.event` never writes to an object, adds no finalizer and keeps no state on it
(handlers that return or patch anything would).
"""

from collections.abc import Callable
from typing import Any

import kopf

from breakeven.api.base import GROUP, PLURAL, VERSION
from breakeven.control.cache import Cache
from breakeven.control.ports import Manifest
from breakeven.control.queue import KeyQueue

_COALESCE_S = 0.1
"""Pods report in bursts: one pass for a burst."""


def register(
    registry: kopf.OperatorRegistry, cache: Cache, queue: KeyQueue, alive: Callable[[], None] = lambda: None
) -> None:
    """Watch the resource and what it owns; `alive` is called for each event."""

    async def seen(event: kopf.RawEvent, **_: Any) -> None:
        alive()
        await take(event, cache, queue)

    for where in ((GROUP, VERSION, PLURAL), ("apps", "v1", "deployments"), ("", "v1", "pods"), ("", "v1", "services")):
        kopf.on.event(*where, registry=registry, id="watch")(seen)


async def take(event: kopf.RawEvent, cache: Cache, queue: KeyQueue) -> None:
    """Take one event in: `type` None is a listing, and means the same as ADDED."""
    body: Manifest = dict(event["object"])
    body["metadata"] = {k: v for k, v in body["metadata"].items() if k != "managedFields"}
    key = cache.drop(body) if event["type"] == "DELETED" else cache.put(body)
    concerned = cache.workloads.seen(body, gone=event["type"] == "DELETED")
    for each in concerned if key is None else {key, *concerned}:
        await queue.add(each, _COALESCE_S)
