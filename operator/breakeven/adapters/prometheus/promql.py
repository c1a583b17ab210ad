"""How a raw result becomes scrapes of pods."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, TypeVar

from breakeven.adapters.prometheus.answers import Matrix, RawSeries, labels_of
from breakeven.adapters.prometheus.naming import Naming, PodName
from breakeven.domain.counters import vllm_metrics
from breakeven.domain.counters.observation import Scrape
from breakeven.domain.counters.scrapes import scrape_of
from breakeven.domain.counters.vllm_metrics import Series

Target = tuple[tuple[str, str], ...]
"""What tells two scrape targets of one pod apart: the labels that are not the engine's own."""
Readings = dict[float, dict[Series, float]]
"""Values of one target by time of the scrape: all series of a scrape share its timestamp."""

Place = tuple[PodName, Target, Series]
"""Where the samples of a series belong."""
Owner = TypeVar("Owner")
REMEMBERED = 8
"""Scrapes of which is remembered how many series they had: more than are read a second time."""
_NOTHING: Mapping[float, int] = MappingProxyType({})


class Places:
    """Where each series of known pods belongs, by its labels as Prometheus writes them: the same in every answer.

    For answers in which all pods are named in one way, so that the labels alone tell the place. One thread at a time.
    """

    def __init__(self) -> None:
        self._naming: Naming | None = None
        self._places: dict[int, Place] = {}
        self._parts: dict[Any, Any] = {}
        self._gone = 0

    def of(self, naming: Naming) -> "dict[int, Place]":
        """Places by the hash of the labels: 64 bits, seeded anew in each process, so that nobody can make two alike."""
        if naming != self._naming:
            self.clear()
            self._naming = naming
        return self._places

    def keep(self, key: int, place: Place) -> Place:
        """Keep a place; equal parts are kept once."""
        pod, target, series = place
        once = self._parts.setdefault
        self._places[key] = kept = (once(pod, pod), once(target, target), once(series, series))
        return kept

    def gone(self, pods: int, left: int) -> None:
        """Say how many pods went and how many are left; everything is found anew when many went."""
        self._gone += pods
        if self._gone > max(100, left // 4):
            self.clear()

    def clear(self) -> None:
        """Forget all places."""
        self._places.clear()
        self._parts.clear()
        self._gone = 0


class Column(NamedTuple):
    """The samples of one series of a target."""

    series: Series
    times: tuple[float, ...]
    values: tuple[float, ...]


class Gathering(Generic[Owner]):
    """Collects the samples of raw results by owner (a pod, or a replica of the past) and target."""

    def __init__(self) -> None:
        self.by_owner: dict[Owner, dict[Target, list[Column]]] = {}
        self.samples = 0

    def take(self, place: tuple[Owner, Target, Series], times: tuple[float, ...], values: tuple[float, ...]) -> None:
        """Add the samples of one series; one without samples adds nothing, not even its target."""
        if not times:
            return
        owner, target, series = place
        self.by_owner.setdefault(owner, {}).setdefault(target, []).append(Column(series, times, values))
        self.samples += len(times)

    def take_all(
        self,
        result: Iterable[RawSeries],
        place_of: Callable[[Mapping[str, str]], tuple[Owner, Target, Series] | None],
    ) -> None:
        """Add the series that have a place; the others are passed over."""
        for labels, samples in result:
            place = place_of(labels)
            if place is not None:
                self.take(place, tuple(at for at, _ in samples), tuple(value for _, value in samples))


def gather(
    into: Gathering[PodName], result: Iterable[RawSeries], naming: Mapping[PodName, Naming], places: Places
) -> None:
    """Take the series of known pods; the others are passed over."""
    known = sorted(set(naming.values()))
    if not isinstance(result, Matrix) or len(known) != 1:
        into.take_all(result, lambda labels: _place_under(labels, known, naming))
        return
    kept = places.of(known[0])
    for labels, times, values in result.rows():
        key = hash(labels)
        place = kept.get(key)
        if place is None:
            place = _place(labels_of(labels), known[0], naming)
            if place is None:
                continue
            place = places.keep(key, place)
        if place[0] in naming:
            into.take(place, times, values)


def _place_under(
    labels: Mapping[str, str], candidates: Iterable[Naming], known: Mapping[PodName, Naming]
) -> Place | None:
    return next((place for c in candidates if (place := _place(labels, c, known)) is not None), None)


def _place(labels: Mapping[str, str], naming: Naming, known: Mapping[PodName, Naming]) -> Place | None:
    """Where a series belongs, if it is of a pod that is named so and one of those that are read."""
    pod = naming.pod_of(labels)
    if known.get(pod) != naming or not naming.speaks(labels):
        return None
    found = engine_series(labels, naming.prefix)
    return None if found is None else (pod, *found)


def engine_series(labels: Mapping[str, str], prefix: str) -> tuple[Target, Series] | None:
    """The target that a series is of, and which one it is; None when it is none that is read."""
    name = labels.get("__name__", "")
    if not name.startswith(prefix):
        return None
    series = vllm_metrics.series_of(name.removeprefix(prefix), labels)
    if series is None:
        return None
    return tuple(sorted((k, v) for k, v in labels.items() if k not in vllm_metrics.OWN_LABELS)), series


def readings(columns: Sequence[Column], but: Mapping[float, int] = _NOTHING) -> Readings:
    """Values of one target by time of the scrape, ranks added up.

    Those of the times in `but` are left out where they are of as many series as it says: they were read before.
    """
    times = columns[0].times
    together = all(column.times == times for column in columns)
    if not together:
        return _one_by_one(columns, but)
    rows = zip(times, zip(*(column.values for column in columns), strict=True), strict=True)
    fresh = [(at, values) for at, values in rows if but.get(at) != len(columns)]
    if not fresh:
        return {}
    names = [column.series for column in columns]
    if len(set(names)) < len(names) or any(name.bare for name in names) or len(dict(fresh)) < len(fresh):
        return _merged((at, name, v) for at, values in fresh for name, v in zip(names, values, strict=True))
    return {at: dict(zip(names, map(vllm_metrics.counted, values), strict=True)) for at, values in fresh}


def _one_by_one(columns: Sequence[Column], but: Mapping[float, int]) -> Readings:
    there = Counter(at for column in columns for at in column.times)
    return _merged(
        (at, series, value)
        for series, times, values in columns
        for at, value in zip(times, values, strict=True)
        if but.get(at) != there[at]
    )


def _merged(samples: Iterable[tuple[float, Series, float]]) -> Readings:
    merged: Readings = {}
    for at, series, value in samples:
        vllm_metrics.merge(merged.setdefault(at, {}), series, value)
    return merged


def series_at(columns: Sequence[Column]) -> dict[float, int]:
    """How many series each of the newest scrapes has."""
    times = columns[0].times
    if all(column.times == times for column in columns):
        return dict.fromkeys(times[-REMEMBERED:], len(columns))
    newest = sorted({at for column in columns for at in column.times})[-REMEMBERED:]
    there = Counter(at for column in columns for at in column.times)
    return {at: there[at] for at in newest}


def scrapes(columns: Sequence[Column], but: Mapping[float, int] = _NOTHING) -> list[Scrape]:
    """Scrapes in order of time; those without a count of emitted tokens are no scrapes of an engine.

    `but` leaves out what was read before, as in `readings`.
    """
    anchor = Series(vllm_metrics.ANCHOR)
    return [scrape_of(at, values) for at, values in sorted(readings(columns, but).items()) if anchor in values]


def chosen(targets: Mapping[Target, Sequence[Column]], held: Target | None, *, patience: float) -> Target:
    """Which of several targets speaks for a pod that is scraped more than once: counting it twice would double it.

    The one held before stays until it lags behind the newest by more than `patience` seconds.
    """
    if len(targets) == 1:
        return next(iter(targets))
    newest = {target: max(max(column.times) for column in columns) for target, columns in targets.items()}
    latest = max(newest.values())
    if held is not None and latest - newest.get(held, 0.0) <= patience:
        return held
    return min(target for target, at in newest.items() if latest - at <= patience)
