"""The selectors that are sent, and how a raw result becomes scrapes by pod."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from breakeven.adapters.prometheus.client import RawSeries, regex_of
from breakeven.adapters.prometheus.matrix import Matrix
from breakeven.domain.counters import vllm_metrics
from breakeven.domain.counters.observation import Scrape
from breakeven.domain.counters.scrapes import scrape_of
from breakeven.domain.counters.vllm_metrics import Series

PodName = tuple[str, str]
"""Namespace and name."""
Target = tuple[tuple[str, str], ...]
"""What tells two scrape targets of one pod apart: the labels that are not the engine's own."""
Readings = dict[float, dict[Series, float]]
"""Values of one target by time of the scrape: all series of a scrape share its timestamp."""

LABEL_PAIRS = (
    ("namespace", "pod"),
    ("exported_namespace", "exported_pod"),
    ("kubernetes_namespace", "kubernetes_pod_name"),
    ("kubernetes_namespace", "kubernetes_pod"),
    ("k8s_namespace_name", "k8s_pod_name"),
    ("k8s_namespace", "k8s_pod"),
    ("namespace", "pod_name"),
    ("namespace_name", "pod_name"),
    ("kube_namespace", "pod_name"),
    ("namespace", "kubernetes_pod_name"),
    ("namespace", "instance"),
)
"""Names under which Prometheus set-ups carry a pod's namespace and name, the most common first."""


@dataclass(frozen=True, slots=True, order=True)
class Naming:
    """How one Prometheus names vLLM's series."""

    prefix: str
    namespace: str
    """Label that carries the pod's namespace."""
    pod: str
    """Label that carries the pod's name."""


def anchor_query(prefix: str | None) -> str:
    """Instant query for one series of every vLLM, to see how they are named."""
    stem = regex_of([prefix]) if prefix is not None else ".*"
    return f'{{__name__=~"{stem}{vllm_metrics.ANCHOR}(_total)?"}}'


def namings(
    found: Iterable[RawSeries], pods: frozenset[PodName], pairs: Sequence[tuple[str, str]] = LABEL_PAIRS
) -> dict[PodName, Naming]:
    """Which names carry which of these pods. A pod that is found under two names keeps the more common one."""
    result: dict[PodName, Naming] = {}
    for series in found:
        labels: Mapping[str, str] = series["metric"]
        prefix = vllm_metrics.prefix_of(labels.get("__name__", ""))
        if prefix is None:
            continue
        for namespace, pod in pairs:
            name = (labels.get(namespace, ""), labels.get(pod, ""))
            if name in pods:
                candidate = Naming(prefix, namespace, pod)
                held = result.get(name)
                if held is None or _rank(candidate, pairs) < _rank(held, pairs):
                    result[name] = candidate
                break
    return result


def _rank(naming: Naming, pairs: Sequence[tuple[str, str]]) -> tuple[int, str]:
    return pairs.index((naming.namespace, naming.pod)), naming.prefix


def selectors(
    known: Iterable[Naming], namespaces: Sequence[str], *, buckets: bool, seconds: float, pods: Sequence[str] = ()
) -> Iterator[str]:
    """One range selector for each pair of label names, whatever the number of pods."""
    by_labels: dict[tuple[str, str], set[str]] = {}
    for naming in known:
        by_labels.setdefault((naming.namespace, naming.pod), set()).add(naming.prefix)
    for (namespace, pod), prefixes in sorted(by_labels.items()):
        every = [f"{prefix}{name}" for prefix in sorted(prefixes) for name in vllm_metrics.exported(buckets=buckets)]
        matchers = [f'__name__=~"{regex_of(every)}"', f'{namespace}=~"{regex_of(namespaces)}"']
        if pods:
            matchers.append(f'{pod}=~"{regex_of(pods)}"')
        yield f"{{{','.join(matchers)}}}[{max(1, round(seconds * 1000))}ms]"


Place = tuple[PodName, Target, Series]
"""Where the samples of a series belong."""


class Places:
    """Where each series of known pods belongs, by its labels as Prometheus writes them: the same in every answer.

    For answers in which all pods are named in one way, so that the labels alone tell the place. One thread at a time.
    """

    def __init__(self) -> None:
        self._naming: Naming | None = None
        self._places: dict[bytes, Place] = {}
        self._parts: dict[Any, Any] = {}
        self._gone = 0

    def of(self, naming: Naming) -> "dict[bytes, Place]":
        """Places by `digest`, as pods of this naming have them."""
        if naming != self._naming:
            self.clear()
            self._naming = naming
        return self._places

    def keep(self, key: bytes, place: Place) -> Place:
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


def digest(labels: str) -> bytes:
    """A key for labels in an eighth of their space: 128 bits, so that no two label sets of a cluster share one."""
    return blake2b(labels.encode(), digest_size=16).digest()


class Gathering:
    """Collects the values of raw results by pod, target and scrape."""

    def __init__(self, places: Places | None = None) -> None:
        self.by_pod: dict[PodName, dict[Target, Readings]] = {}
        self.samples = 0
        self._places = places if places is not None else Places()

    def add(self, result: Iterable[RawSeries], naming: Mapping[PodName, Naming]) -> None:
        """Take the series of known pods; the others are passed over."""
        known = sorted(set(naming.values()))
        if isinstance(result, Matrix) and len(known) == 1:
            self._add_rows(result, known[0], naming)
            return
        for raw in result:
            labels: Mapping[str, str] = raw["metric"]
            for candidate in known:
                place = _place(labels, candidate, naming)
                if place is not None:
                    self._take(place, raw["values"])
                    break

    def _add_rows(self, result: Matrix, only: Naming, naming: Mapping[PodName, Naming]) -> None:
        places = self._places.of(only)
        for labels, values in result.rows():
            key = digest(labels)
            place = places.get(key)
            if place is None:
                place = _place(result.labels(labels), only, naming)
                if place is None:
                    continue
                place = self._places.keep(key, place)
            if place[0] in naming:
                self._take(place, values)

    def _take(self, place: Place, values: Sequence[tuple[float, str]]) -> None:
        pod, target, series = place
        readings = self.by_pod.setdefault(pod, {}).setdefault(target, {})
        for at, text in values:
            vllm_metrics.merge(readings.setdefault(float(at), {}), series, float(text))
        self.samples += len(values)


def _place(labels: Mapping[str, str], naming: Naming, known: Mapping[PodName, Naming]) -> Place | None:
    """Where a series belongs, if it is of a pod that is named so and one of those that are read."""
    pod = (labels.get(naming.namespace, ""), labels.get(naming.pod, ""))
    name = labels.get("__name__", "")
    if known.get(pod) != naming or not name.startswith(naming.prefix):
        return None
    series = vllm_metrics.series_of(name.removeprefix(naming.prefix), labels)
    if series is None:
        return None
    return pod, tuple(sorted((k, v) for k, v in labels.items() if k not in vllm_metrics.OWN_LABELS)), series


def scrapes(readings: Readings) -> list[Scrape]:
    """Scrapes in order of time; those without a count of emitted tokens are no scrapes of an engine."""
    anchor = Series(vllm_metrics.ANCHOR)
    return [scrape_of(at, values) for at, values in sorted(readings.items()) if anchor in values]


def chosen(targets: Mapping[Target, Readings], held: Target | None, *, patience: float) -> Target:
    """Which of several targets speaks for a pod that is scraped more than once: counting it twice would double it.

    The one held before stays until it lags behind the newest by more than `patience` seconds.
    """
    newest = {target: max(readings) for target, readings in targets.items()}
    latest = max(newest.values())
    if held is not None and latest - newest.get(held, 0.0) <= patience:
        return held
    return min(target for target, at in newest.items() if latest - at <= patience)
