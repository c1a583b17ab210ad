"""Full listings: priming before the first pass, and finding the deletions that a broken watch has missed.

An object that vanishes while a watch is being opened again is never reported as deleted (https://github.com/nolar/kopf/pull/548).
"""

from collections.abc import Sequence

from breakeven.api.base import API_VERSION, KIND
from breakeven.api.names import MANAGED_BY
from breakeven.control.cache import Cache
from breakeven.control.ports import Cluster, Key

_LISTED = (
    ("apps/v1", "Deployment", f"{MANAGED_BY}=breakeven"),
    ("v1", "Pod", f"{MANAGED_BY}=breakeven"),
    ("v1", "Service", f"{MANAGED_BY}=breakeven"),
    ("v1", "ConfigMap", f"{MANAGED_BY}=breakeven"),
    ("policy/v1", "PodDisruptionBudget", f"{MANAGED_BY}=breakeven"),
    (API_VERSION, KIND, ""),
)
"""Owned objects first: a resource is looked at only when what belongs to it is known."""

_MONITOR = ("monitoring.coreos.com/v1", "PodMonitor")


class Resync:
    """Lists every kind once and puts it into the cache."""

    def __init__(self, cluster: Cluster, cache: Cache, namespaces: Sequence[str]) -> None:
        self._cluster = cluster
        self._cache = cache
        self._namespaces = tuple(namespaces) or ("",)
        self.pod_monitors = False
        """Whether the cluster had PodMonitors at the last listing."""

    async def run(self) -> set[Key]:
        """List everything; answers which resources are to be looked at. Raises Retry or Refused."""
        self.pod_monitors = await self._cluster.serves(*_MONITOR)
        touched: set[Key] = set()
        monitors = ((*_MONITOR, f"{MANAGED_BY}=breakeven"),) if self.pod_monitors else ()
        for api_version, kind, selector in (*monitors, *_LISTED):
            mark = self._cache.changes
            listed = [o for n in self._namespaces for o in await self._cluster.list(api_version, kind, n, selector)]
            touched |= self._cache.replace(kind, listed, mark)
        return touched | await self._cache.workloads.refresh(self._cluster)
