"""The capability table: `vllm.json`, read once."""

import json
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

from breakeven.api.spec import DraftMethod, EngineSpec
from breakeven.api.vocabulary import Reason
from breakeven.engines.draft_keys import WITH_WEIGHTS, DraftKey, Takes
from breakeven.engines.engine import Engine
from breakeven.engines.findings import Refusal
from breakeven.engines.versions import Version, version_in_image

Range = tuple[int, int]
"""First and last place in the list of releases, both included."""


class Table:
    """What is known of every release. Made by `load`; never changed."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._data = data
        self.releases: tuple[str, ...] = tuple(data["releases"])
        """Known releases, oldest first."""
        self._place = {name: i for i, name in enumerate(self.releases)}
        self._versions = [Version.of(name) for name in self.releases]
        self._ranges_of: dict[str, dict[str, tuple[Range, ...]]] = {
            section: {name: self._ranges(entry["in"]) for name, entry in data[section].items()} for section in SECTIONS
        }
        self._names = {
            section: [frozenset(n for n, r in names.items() if _within(i, r)) for i in range(len(self.releases))]
            for section, names in self._ranges_of.items()
        }
        self._rules = {entry["id"]: self._ranges(entry["in"]) for entry in data["incompatibilities"]}

    @property
    def newest(self) -> Engine:
        """The newest known release."""
        return self._engine(self._versions[-1], len(self.releases) - 1)

    @property
    def incompatibilities(self) -> Sequence[Mapping[str, Any]]:
        """Combinations to refuse or to warn about, each with id, action, what, ranges, who judges it, and evidence."""
        return tuple(self._data["incompatibilities"])

    def engine(self, version: str) -> Engine | Refusal:
        """What is known of a version: its own entry, or that of the nearest older release, marked as assumed."""
        asked = Version.parse(version)
        if asked is None:
            return Refusal(
                field="engine.version",
                reason=Reason.NOT_IN_TAG,
                message=f"{version!r} is no vLLM version; write one such as {self.releases[-1]}",
            )
        place = bisect_right(self._versions, asked) - 1
        if place < 0:
            return Refusal(
                field="engine.version",
                reason=Reason.UNSUPPORTED_BY_ENGINE,
                message=f"vLLM {asked} is older than {self.releases[0]}, the oldest that is supported; "
                f"use an image of {self.releases[0]} to {self.releases[-1]}",
            )
        return self._engine(asked, place)

    def engine_of(self, spec: EngineSpec) -> Engine | Refusal:
        """The engine a resource names: by `engine.version`, else by the tag of `engine.image`."""
        if spec.version is not None:
            return self.engine(spec.version)
        asked = version_in_image(spec.image)
        if asked is None:
            return Refusal(
                field="engine.version",
                reason=Reason.NOT_IN_TAG,
                message=f"image {spec.image} does not tell its vLLM version{_another_numbering(spec.image)}; "
                f"set engine.version to the version inside (vllm --version), for example {self.releases[-1]}",
            )
        return self.engine(str(asked))

    def names(self, section: str, place: int) -> frozenset[str]:
        """Names of a section that the release at that place has."""
        return self._names[section][place]

    def every_name(self, section: str) -> frozenset[str]:
        """Names of a section that any release has."""
        return frozenset(self._ranges_of[section])

    def draft_key(self, name: str) -> DraftKey | None:
        """What a key of `--speculative-config` takes; None for a name that `draft.extraKeys` may not hold."""
        entry = self._data["speculative_config_keys"].get(name, {})
        if "takes" not in entry:
            return None
        methods = entry.get("methods", tuple(DraftMethod))
        return DraftKey(
            name=name,
            takes=Takes(entry["takes"]),
            methods=WITH_WEIGHTS if methods == "weights" else frozenset(map(DraftMethod, methods)),
        )

    @property
    def draft_keys(self) -> tuple[str, ...]:
        """Names that `draft.extraKeys` may hold, in some release."""
        return tuple(n for n in sorted(self._data["speculative_config_keys"]) if self.draft_key(n) is not None)

    def releases_with(self, section: str, name: str) -> tuple[str, ...]:
        """Releases that have a name of a section, oldest first."""
        ranges = self._ranges_of[section].get(name, ())
        return tuple(r for i, r in enumerate(self.releases) if _within(i, ranges))

    def fact(self, name: str, place: int) -> Any:
        """Value of a single-valued fact at a release."""
        return self._latest(self._data["facts"][name], place)

    def eagle3_target_families(self, place: int) -> tuple[str, ...]:
        """Words, one of which the target's name must hold for EAGLE-3; empty when the release has no such list."""
        return tuple(self._latest(self._data["eagle3_target_families"], place) or ())

    def metric_names(self, generation: str, place: int) -> Mapping[str, str]:
        """Metric names by meaning for engine generation `v0` or `v1`."""
        found = {
            role: entry["name"]
            for role, entries in self._data["metrics"].get(generation, {}).items()
            for entry in entries
            if _within(place, self._ranges(entry["in"]))
        }
        return MappingProxyType(found)

    def applies(self, rule: str, place: int) -> bool:
        """Whether an incompatibility, named by its id, concerns the release at that place."""
        return _within(place, self._rules[rule])

    def _engine(self, asked: Version, place: int) -> Engine:
        return Engine(version=asked, release=self.releases[place], place=place, table=self)

    def _ranges(self, pairs: Sequence[Sequence[str | None]]) -> tuple[Range, ...]:
        last = len(self.releases) - 1
        return tuple((self._place[str(a)], last if b is None else self._place[b]) for a, b in pairs)

    def _latest(self, history: Sequence[Mapping[str, Any]], place: int) -> Any:
        value = None
        for entry in history:
            if self._place[entry["since"]] <= place:
                value = entry["value"]
        return value


def _another_numbering(image: str) -> str:
    tag = image.partition("@")[0].rpartition("/")[2].partition(":")[2]
    numbered = Version.parse(tag) is not None
    return (
        f": {tag} is the image's own number, and only images of the vLLM project are known to use vLLM's"
        if numbered
        else ""
    )


SECTIONS = (
    "methods",
    "speculative_config_keys",
    "rejected_speculative_config_keys",
    "acceptance_methods",
    "draft_sample_methods",
    "flags",
    "quantization_methods",
    "kv_cache_dtypes",
)
"""Parts of the table that say in which releases a name exists."""


@cache
def load() -> Table:
    """Read the packaged table, once per process."""
    text = resources.files(__package__).joinpath("vllm.json").read_text(encoding="utf-8")
    return Table(json.loads(text))


def _within(place: int, ranges: Sequence[Range]) -> bool:
    return any(first <= place <= last for first, last in ranges)
