"""Which page an address is, and its text. What is read of the cache is read at once; rendering may be in a thread."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from importlib import resources
from typing import Any, NamedTuple, Protocol

from breakeven.control.ports import Key
from breakeven.page.document import SCRIPT, STYLE, document
from breakeven.page.fleet import fleet
from breakeven.page.history import Sample
from breakeven.page.resource import resource

HTML, CSS, JAVASCRIPT = "text/html", "text/css", "text/javascript"
_FILES = {STYLE: CSS, SCRIPT: JAVASCRIPT}


class Resources(Protocol):
    """What there is: `control.cache.Cache`."""

    def resources(self) -> set[Key]:
        """Every resource that exists."""

    def resource(self, key: Key) -> Mapping[str, Any] | None:
        """One of them, as the API server has it; never changed afterwards."""


class Page(NamedTuple):
    """One answer."""

    kind: str
    """Its media type."""
    text: str


class Site:
    """All pages."""

    def __init__(self, known: Resources, past: Callable[[Key], Sequence[Sample]], now: Callable[[], datetime]) -> None:
        self._known = known
        self._past = past
        self._now = now

    def asked(self, path: str) -> Callable[[], Page] | None:
        """What renders the page at a path, from what is known now; None where there is no such page."""
        now = self._now()
        if path in _FILES:
            return lambda: Page(_FILES[path], _file(path))
        if path == "/":
            bodies = [b for key in self._known.resources() if (b := self._known.resource(key)) is not None]
            return lambda: Page(HTML, document("All resources", fleet(bodies, now), now))
        _, *parts = path.split("/")
        body = self._known.resource(Key(*parts)) if len(parts) == 2 else None
        if body is None:
            return None
        samples = self._past(Key(*parts))
        return lambda: Page(HTML, document("/".join(parts), resource(body, samples, now), now))


def _file(path: str) -> str:
    return resources.files(__package__).joinpath(path.removeprefix("/")).read_text(encoding="utf-8")
