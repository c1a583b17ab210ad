"""Which resources this operator looks after, where several share a cluster: those whose labels are selected."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class _Term:
    key: str
    value: str | None
    """None: any."""
    wanted: bool
    """Whether the label has to be so, or must not."""

    def holds(self, labels: Mapping[str, str]) -> bool:
        there = self.key in labels if self.value is None else labels.get(self.key) == self.value
        return there == self.wanted


@dataclass(frozen=True, slots=True)
class Shard:
    """Terms of a label selector that all have to hold; none of them: every resource is ours."""

    terms: tuple[_Term, ...] = ()

    @classmethod
    def selected_by(cls, text: str) -> Self:
        """The shard of `key=value`, `key!=value`, `key` and `!key`, comma-separated, as `settings` has checked it.

        >>> shard = Shard.selected_by("team=a,!legacy,zone!=b")
        >>> shard.has({"team": "a"}), shard.has({"team": "a", "zone": "b"}), shard.has({"zone": "c"})
        (True, False, False)
        """
        return cls(tuple(_term(term.strip()) for term in text.split(",") if term.strip()))

    def has(self, labels: Mapping[str, str]) -> bool:
        """Whether a resource with these labels is ours."""
        return all(term.holds(labels) for term in self.terms)


def _term(text: str) -> _Term:
    key, sign, value = text.partition("=")
    if not sign:
        return _Term(text.removeprefix("!").strip(), None, wanted=not text.startswith("!"))
    return _Term(key.removesuffix("!").strip(), value.removeprefix("=").strip(), wanted=not key.endswith("!"))
