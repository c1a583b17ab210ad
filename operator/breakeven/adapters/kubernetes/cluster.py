"""`control.ports.Cluster` on `kubernetes.aio`: the only writer, server-side apply under one field manager."""

from collections.abc import Callable, Sequence

from breakeven.adapters.kubernetes.rest import Rest
from breakeven.api.names import FIELD_MANAGER
from breakeven.control.errors import Gone, Retry
from breakeven.control.ports import Manifest

_PAGE = "50"
"""Objects asked for at a time. What decoding a page takes is not given back to the system when it is over, and the page
of a thousand pods takes more than all that is kept of them."""
_NO_VERSION = "1"
"""A resourceVersion that no object has: it is etcd's revision before the first write. An apply with it is refused with
409 where the object exists, and creates it where it does not (tests/e2e/test_fencing.py asks a real API server)."""


class KubernetesCluster:
    """Objects as plain dicts: typed models would refuse fields of servers newer than the client."""

    def __init__(self, rest: Rest, slim: Callable[[Manifest], Manifest] = lambda listed: listed) -> None:
        """Make it; `slim` is given each listed object, and what it answers is kept of it."""
        self._rest = rest
        self._slim = slim

    async def get(self, api_version: str, kind: str, namespace: str, name: str) -> Manifest:
        """Read one object."""
        return _whole(
            await self._rest.call("get", api_version, kind, namespace=namespace, name=name), api_version, kind
        )

    async def list(self, api_version: str, kind: str, namespace: str, selector: str) -> Sequence[Manifest]:
        """Read objects by label selector, page by page; an empty namespace is all of them."""
        found: list[Manifest] = []
        query = {"limit": _PAGE, **({"labelSelector": selector} if selector else {})}
        seen: set[str] = set()
        while True:
            page = await self._rest.call("list", api_version, kind, namespace=namespace, query=query)
            found.extend(self._slim(_whole(item, api_version, kind)) for item in page["items"])
            more = page["metadata"].get("continue")
            if not more:
                return found
            if not isinstance(more, str) or more in seen:
                raise Retry(f"list {kind}: the pages do not end: the same page is named again")
            seen.add(more)
            query = {**query, "continue": more}

    async def apply(self, manifest: Manifest) -> Manifest:
        """Server-side apply; a field that somebody else took is taken back, since the object is ours.

        With `uid` and `resourceVersion` it changes that object at that version, without them it creates one: in both
        cases anything else that is there is a Conflict, so a late apply of a former leader changes nothing.
        """
        meta = manifest["metadata"]
        return await self._patch({**manifest, "metadata": {"resourceVersion": _NO_VERSION, **meta}}, "")

    async def apply_status(self, manifest: Manifest) -> Manifest:
        """Server-side apply of the status; a `resourceVersion` in it makes an older reading a Conflict."""
        return await self._patch(manifest, "status")

    async def delete(self, manifest: Manifest) -> None:
        """Delete one object, as it is in the manifest and no other; its pods go in the background."""
        meta = manifest["metadata"]
        body = {
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "propagationPolicy": "Background",
            "preconditions": {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]},
        }
        where = {"namespace": meta["namespace"], "name": meta["name"]}
        try:
            await self._rest.call("delete", manifest["apiVersion"], manifest["kind"], **where, body=body)
        except Gone:
            return

    async def serves(self, api_version: str, kind: str) -> bool:
        """Whether the API server has that kind; discovery is open to every account."""
        try:
            answer = await self._rest.request("GET", f"/apis/{api_version}")
        except Gone:
            return False
        resources = answer.get("resources")
        if not isinstance(resources, list):
            raise Retry(f"discovery of {api_version}: the answer has no list of resources")
        return any(isinstance(r, dict) and r.get("kind") == kind for r in resources)

    async def _patch(self, manifest: Manifest, subresource: str) -> Manifest:
        meta = manifest["metadata"]
        answer = await self._rest.call(
            "patch",
            manifest["apiVersion"],
            manifest["kind"],
            namespace=meta["namespace"],
            name=meta["name"],
            subresource=subresource,
            query={"fieldManager": FIELD_MANAGER, "force": "true"},
            body=manifest,
        )
        return _whole(answer, manifest["apiVersion"], manifest["kind"])


def _whole(obj: Manifest, api_version: str, kind: str) -> Manifest:
    """Items of lists come without their kind; `managedFields` is most of an object's size and never looked at."""
    obj["metadata"].pop("managedFields", None)
    return {"apiVersion": api_version, "kind": kind, **obj}
