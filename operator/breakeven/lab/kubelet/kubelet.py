"""The kubelet of all fake nodes that are not hollow: one runner for each pod bound to them."""

import asyncio
import logging

from breakeven.lab.controlplane.client import Manifest
from breakeven.lab.kubelet.container import Container
from breakeven.lab.kubelet.pod import PodRunner, Surroundings

LOG = logging.getLogger(__name__)


class Kubelet:
    """Told of every change of every pod; looks after those on its own nodes."""

    def __init__(self, around: Surroundings, nodes: frozenset[str]) -> None:
        self._around = around
        self._nodes = nodes
        self._runners: dict[str, PodRunner] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._finished: set[str] = set()
        """UIDs of pods that ended: the last change of one may be heard after that, and starts nothing."""

    def changed(self, old: Manifest | None, new: Manifest | None) -> None:
        """A pod was added, changed or removed."""
        if new is None:
            if old is not None:
                self._removed(old["metadata"]["uid"])
            return
        if new["spec"].get("nodeName") not in self._nodes:
            return
        uid = new["metadata"]["uid"]
        if runner := self._runners.get(uid):
            runner.update(new)
        elif uid not in self._finished and (new.get("status") or {}).get("phase") not in ("Succeeded", "Failed"):
            self._start(uid, new)

    def _removed(self, uid: str) -> None:
        if runner := self._runners.get(uid):
            runner.remove()
        self._finished.discard(uid)

    def _start(self, uid: str, pod: Manifest) -> None:
        runner = PodRunner(pod, self._around)
        task = asyncio.create_task(runner.run(), name=f"pod {pod['metadata']['name']}")
        self._runners[uid], self._tasks[uid] = runner, task
        task.add_done_callback(lambda done: self._ended(uid, done))

    def _ended(self, uid: str, task: "asyncio.Task[None]") -> None:
        if not self._runners.pop(uid).gone:
            self._finished.add(uid)
        self._tasks.pop(uid, None)
        if not task.cancelled() and (error := task.exception()):
            LOG.error("%s", task.get_name(), exc_info=error)

    def container(self, namespace: str, pod: str, name: str) -> Container | None:
        """A container by name, for its log."""
        for runner in self._runners.values():
            metadata = runner.pod["metadata"]
            if (metadata["namespace"], metadata["name"]) == (namespace, pod):
                everything = (*runner.containers, *runner.sidecars)
                return next((one for one in everything if one.name == name), None)
        return None

    async def stop(self) -> None:
        """Kill every pod's processes."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
