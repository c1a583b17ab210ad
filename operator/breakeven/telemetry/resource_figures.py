"""What each resource says, as lines of the metric page that are written when it changes, not when they are scraped.

A thousand resources are thirty thousand lines. As labelled children of a client library they are 28 MiB, and half a
second of CPU in every scrape.
"""

from collections.abc import Mapping, Sequence

from breakeven.control.ports import Key

Samples = Sequence[tuple[str, float]]
"""Further labels as they are written, beginning with a comma, and values."""


def label(name: str, value: str) -> str:
    """One label as it is written after others: a status can be edited by hand, so its words are escaped."""
    escaped = value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
    return f',{name}="{escaped}"'


class ResourceFigures:
    """Gauges of resources; a family is a name and what it means."""

    def __init__(self, families: Mapping[str, str]) -> None:
        self._help = families
        self._lines: dict[str, dict[Key, str]] = {name: {} for name in families}

    def put(self, key: Key, family: str, samples: Samples) -> None:
        """What a resource says in one family, instead of what it said; nothing takes its lines away."""
        if not samples:
            self._lines[family].pop(key, None)
            return
        who = f'breakeven_{family}{{namespace="{key.namespace}",name="{key.name}"'
        text = "".join(f"{who}{more}}} {value!r}\n" for more, value in samples)
        if self._lines[family].get(key) != text:
            self._lines[family][key] = text

    def forget(self, key: Key) -> None:
        """The resource is gone, and so are its lines."""
        for lines in self._lines.values():
            lines.pop(key, None)

    def page(self) -> bytes:
        """All lines, family by family as the format wants it."""
        parts = []
        for name, lines in self._lines.items():
            if lines:
                parts += [
                    f"# HELP breakeven_{name} {self._help[name]}\n# TYPE breakeven_{name} gauge\n",
                    *lines.values(),
                ]
        return "".join(parts).encode()
