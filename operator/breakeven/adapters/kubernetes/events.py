"""Kubernetes Events about decisions."""

import logging
import secrets

from breakeven.adapters.kubernetes.rest import Rest
from breakeven.api.scalars import format_time
from breakeven.api.text import plain, sentence
from breakeven.control.errors import ControlError
from breakeven.control.ports import Clock, Manifest

log = logging.getLogger(__name__)


class KubernetesEvents:
    """`control.ports.Events`: one object for each transition, best effort."""

    def __init__(self, rest: Rest, clock: Clock, *, instance: str) -> None:
        self._rest = rest
        self._clock = clock
        self._instance = instance

    async def post(self, about: Manifest, *, warning: bool, reason: str, message: str) -> None:
        """Create one Event; a failure is logged and forgotten."""
        meta = about["metadata"]
        now = format_time(self._clock.now().replace(microsecond=0))
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{meta['name']}.{secrets.token_hex(8)}", "namespace": meta["namespace"]},
            "involvedObject": {
                "apiVersion": about["apiVersion"],
                "kind": about["kind"],
                "name": meta["name"],
                "namespace": meta["namespace"],
                "uid": meta["uid"],
            },
            "type": "Warning" if warning else "Normal",
            "reason": reason[:128],
            "message": sentence(plain(message)),
            "source": {"component": "breakeven"},
            "reportingComponent": "breakeven",
            "reportingInstance": self._instance,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        try:
            await self._rest.call("create", "v1", "Event", namespace=meta["namespace"], body=body)
        except ControlError as error:
            log.warning("an Event was not posted: %s", error)
