"""A Lease in memory behind the call that the elector makes, with compare-and-set."""

import copy
from typing import Any

from breakeven.control.errors import Conflict, ControlError, Gone


class FakeRest:
    """`adapters.rest.Rest` for one object."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.calls: list[str] = []
        self.failure: ControlError | None = None

    async def call(self, verb: str, api_version: str, kind: str, *, body: Any = None, **_: Any) -> Any:
        self.calls.append(verb)
        if self.failure:
            raise self.failure
        if verb == "get":
            if self.lease is None:
                raise Gone("lease")
            return copy.deepcopy(self.lease)
        if verb == "create":
            if self.lease is not None:
                raise Conflict("exists")
            return self._store(body, 1)
        assert self.lease is not None
        version = self.lease["metadata"]["resourceVersion"]
        if body["metadata"].get("resourceVersion") != version:
            raise Conflict("version")
        return self._store(body, int(version) + 1)

    def _store(self, body: Any, version: int) -> Any:
        self.lease = copy.deepcopy(body)
        self.lease["metadata"]["resourceVersion"] = str(version)
        return copy.deepcopy(self.lease)
