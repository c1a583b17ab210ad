"""Carrying a pass out: the status first, then the objects, each behind the fence of the lease."""

import logging

from breakeven.api.base import KIND
from breakeven.api.conditions import Reason
from breakeven.api.vocabulary import Action
from breakeven.control.cache import Cache, key_of
from breakeven.control.diff import fenced
from breakeven.control.drift import fingerprint
from breakeven.control.errors import Conflict, Gone, Refused, Retry
from breakeven.control.inputs import status_manifest
from breakeven.control.moves import Step
from breakeven.control.ownership import controller_of, of_a_predecessor
from breakeven.control.pass_plan import PassPlan
from breakeven.control.ports import Key, Manifest, Ports, object_id
from breakeven.control.resource_state import Applied, ResourceState
from breakeven.control.status_news import is_news, stands_out, turned_bad
from breakeven.render.names import Owner

log = logging.getLogger(__name__)

_INSTEAD = {
    "Service": "to keep it in front of the new replicas, set spec.service.enabled to false and give the pods the "
    "labels that it selects under spec.podTemplate.metadata.labels (docs/adopting.md), or give the resource another "
    "name"
}
"""What to do about an object of somebody else's that has the name of ours, by kind."""


class Writer:
    """Writes to the API server; what comes back goes into the cache at once."""

    def __init__(self, cache: Cache, ports: Ports) -> None:
        self._cache = cache
        self._ports = ports

    async def write_status(self, key: Key, plan: PassPlan) -> None:
        """Write the status when it says anything new, then post its Events."""
        if not is_news(plan.status, plan.old):
            return
        self._fence()
        status = plan.status.written()
        await self.apply_status(status_manifest(plan.snapshot.body, status))
        await self._announce(key, plan)

    async def apply_status(self, manifest: Manifest) -> None:
        """Write a status as it is."""
        self._cache.put(await self._ports.cluster.apply_status(manifest))
        self._ports.recorder.wrote(KIND, verb="status")

    async def write_objects(self, plan: PassPlan, state: ResourceState) -> None:
        """Apply and delete what differs."""
        cluster, recorder, writes = self._ports.cluster, self._ports.recorder, plan.writes
        for manifest in writes.apply:
            if "resourceVersion" not in manifest["metadata"]:
                manifest = await self._adopting(plan.snapshot.owner, manifest)
            self._fence()
            live = await cluster.apply(manifest)
            recorder.wrote(manifest["kind"], verb="apply")
            self._cache.put(live)
            state.applied[object_id(manifest)] = Applied(fingerprint(manifest), fingerprint(live))
        for manifest in writes.delete:
            self._fence()
            await cluster.delete(manifest)
            recorder.wrote(manifest["kind"], verb="delete")
            self._cache.drop(manifest)
        if isinstance(plan.move, Step) and not writes.empty:
            await self._ports.events.post(
                plan.snapshot.body, warning=False, reason=Reason.MOVING_REPLICAS, message=plan.move.reason
            )

    def _fence(self) -> None:
        """Raises Conflict when somebody else may be writing."""
        if not self._ports.leadership.may_write():
            raise Conflict("the lease is not held any more; nothing is written", 5.0)

    async def _announce(self, key: Key, plan: PassPlan) -> None:
        recorder, events = self._ports.recorder, self._ports.events
        for news in plan.decision.news if plan.decision else ():
            extra = {"key": str(key), "generation": news.generation, "reason": news.reason}
            log.info("%s: %s", news.action, news.message, extra=extra)
            recorder.decided(key, action=news.action, reason=news.reason)
            await events.post(plan.snapshot.body, warning=stands_out(news), reason=news.action, message=news.message)
        if plan.status.memory.command_refused and plan.status.memory.command != plan.old.memory.command:
            answer = f"command {plan.status.command}"
            log.info("%s: %s", Action.REFUSE, answer, extra={"key": str(key)})
            await events.post(plan.snapshot.body, warning=True, reason=Action.REFUSE, message=answer)
        decided = {news.reason for news in (plan.decision.news if plan.decision else ())}
        for condition in turned_bad(plan.status, plan.old):
            if condition.reason in decided:
                continue  # one Event a decision
            log.info("%s=%s: %s", condition.type, condition.status, condition.message, extra={"key": str(key)})
            await events.post(plan.snapshot.body, warning=True, reason=condition.reason, message=condition.message)

    async def _adopting(self, owner: Owner, manifest: Manifest) -> Manifest:
        """What to apply where the cache has no object of ours: the same, or with the version of one to be adopted.

        Raises
        ------
        Refused
            If an object of that name was made by somebody else.
        Retry
            If it belonged to a deleted resource of the same name and is not collected yet.
        """
        kind, meta = manifest["kind"], manifest["metadata"]
        try:
            live = await self._ports.cluster.get(manifest["apiVersion"], kind, meta["namespace"], meta["name"])
        except Gone:
            return manifest
        controller = controller_of(live)
        if controller is not None and controller["uid"] == owner.uid:
            return fenced(manifest, live)  # somebody took its labels away
        if controller is None and key_of(live) == Key(owner.namespace, owner.name):
            return fenced(manifest, live)  # orphaned by `kubectl delete --cascade=orphan`
        if of_a_predecessor(owner, live):
            raise Retry(f"{kind} {meta['name']} of a deleted resource of this name is not collected yet", 1.0)
        whose = f"{controller['kind']} {controller['name']}" if controller else "somebody else"
        instead = _INSTEAD.get(kind, "give the resource another name, or remove it once it serves nobody")
        raise Refused(f"{kind} {meta['name']} is there already and belongs to {whose}: {instead}; it is left as it is")
