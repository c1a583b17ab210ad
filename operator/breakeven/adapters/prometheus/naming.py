"""Under which labels a Prometheus carries the pods, and whom a series may speak for.

Whoever is scraped chooses the labels on his own page. Those that Prometheus attached say whose page it was: a label of
the page that has the same name is renamed to `exported_…`, one of another name stands beside them. So a series speaks
for a pod only when every known label that names a namespace or a pod names that one; labels that a person set in
`spec.metrics.names` are believed as they are.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from breakeven.adapters.prometheus.answers import RawSeries
from breakeven.control.ports import Pod
from breakeven.domain.counters import vllm_metrics

PodName = tuple[str, str]
"""Namespace and name of a pod. A warm replica is two of these, one for each engine: behind its name stand a slash,
which no name of a pod has, and the variant, which its series carry as `ENGINE_LABEL`."""
ENGINE_LABEL = "breakeven_variant"
"""Label with the variant on the series of a pod that has one engine for each of two (docs/adr/0021-warm-replica.md)."""

LABEL_PAIRS = (
    ("namespace", "pod"),
    ("kubernetes_namespace", "kubernetes_pod_name"),
    ("kubernetes_namespace", "kubernetes_pod"),
    ("kubernetes_namespace", "pod_name"),
    ("kubernetes_namespace", "pod"),
    ("k8s.namespace.name", "k8s.pod.name"),
    ("k8s_namespace_name", "k8s_pod_name"),
    ("k8s_namespace", "k8s_pod"),
    ("k8s_namespace", "k8s_pod_name"),
    ("k8s_ns", "k8s_pod"),
    ("kubernetes_ns", "kubernetes_pod"),
    ("kubernetes_namespace_name", "kubernetes_pod_name"),
    ("io_kubernetes_pod_namespace", "io_kubernetes_pod_name"),
    ("pod_namespace", "pod_name"),
    ("pod_namespace", "pod"),
    ("namespace", "pod_name"),
    ("namespace", "kubernetes_pod"),
    ("namespace", "kubernetes_pod_name"),
    ("namespace_name", "pod_name"),
    ("kube_namespace", "kube_pod"),
    ("kube_namespace", "pod_name"),
    ("kube_namespace", "pod"),
    ("namespace", "kube_pod"),
    ("namespace", "k8s_pod_name"),
    ("namespace", "instance"),
    ("kubernetes_namespace", "instance"),
)
"""Names under which Prometheus set-ups carry a pod's namespace and name, the most common first. `exported_namespace`
and `exported_pod` are not among them: they hold what the page itself says."""

_NAMESPACE_LABELS = frozenset(namespace for namespace, _ in LABEL_PAIRS)
_POD_LABELS = frozenset(pod for _, pod in LABEL_PAIRS if pod != "instance")
"""`instance` is an address in most set-ups."""


def engine_name(pod: str, engine: str) -> str:
    """The second part of a `PodName`."""
    return f"{pod}/{engine}" if engine else pod


def name_of(pod: Pod) -> PodName:
    """The name of a pod of the API server, or of one engine in it."""
    return pod.namespace, engine_name(pod.name, pod.engine)


def bare_name(name: PodName) -> str:
    """The name of the pod alone."""
    return name[1].partition("/")[0]


@dataclass(frozen=True, slots=True, order=True)
class Naming:
    """How one Prometheus names vLLM's series."""

    prefix: str
    namespace: str
    """Label that carries the pod's namespace."""
    pod: str
    """Label that carries the pod's name."""
    with_port: bool = False
    """Whether that label has the port behind the name, as `instance` has."""
    believed: bool = False
    """Whether a person named both labels, so that other labels do not matter."""

    def pod_of(self, labels: Mapping[str, str]) -> PodName:
        """The pod that these labels name, and the engine in it; empty texts where they name none."""
        namespace, pod = self._pod(labels)
        return namespace, engine_name(pod, labels.get(ENGINE_LABEL, ""))

    def _pod(self, labels: Mapping[str, str]) -> PodName:
        name = labels.get(self.pod, "")
        return labels.get(self.namespace, ""), name.rpartition(":")[0] if self.with_port else name

    def speaks(self, labels: Mapping[str, str]) -> bool:
        """Whether no other label contradicts the pod that these labels name."""
        if self.believed:
            return True
        namespace, pod = self._pod(labels)
        return all(labels[label] == namespace for label in _NAMESPACE_LABELS & labels.keys()) and all(
            labels[label] == pod for label in _POD_LABELS & labels.keys()
        )


@dataclass(frozen=True, slots=True)
class Pairs:
    """Label names under which a pod is looked for."""

    pairs: tuple[tuple[str, str], ...] = LABEL_PAIRS
    believed: bool = False

    @classmethod
    def of(cls, namespace: str | None, pod: str | None) -> "Pairs":
        """The pairs that are left when some names are set."""
        if namespace and pod:
            return cls(((namespace, pod),), believed=True)
        return cls(tuple(dict.fromkeys((namespace or n, pod or p) for n, p in LABEL_PAIRS)))

    def namings(self, prefix: str, labels: Mapping[str, str]) -> Iterable[Naming]:
        """How a series with these labels might be named, the most common first."""
        for namespace, pod in self.pairs:
            if namespace in labels and pod in labels:
                with_port = labels[pod].rpartition(":")[2].isdecimal() and ":" in labels[pod]
                yield Naming(prefix, namespace, pod, with_port, self.believed)


def namings(series: Iterable[RawSeries], pods: frozenset[PodName], pairs: Pairs) -> dict[PodName, list[Naming]]:
    """Which names carry which of these pods: one for each prefix, under the most common pair of labels."""
    result: dict[PodName, dict[str, Naming]] = {}
    for labels, _ in series:
        prefix = vllm_metrics.prefix_of(labels.get("__name__", ""))
        if prefix is None:
            continue
        for naming in pairs.namings(prefix, labels):
            name = naming.pod_of(labels)
            if name in pods and naming.speaks(labels):
                held = result.setdefault(name, {}).get(prefix)
                if held is None or _rank(naming, pairs.pairs) < _rank(held, pairs.pairs):
                    result[name][prefix] = naming
                break
    return {name: list(by_prefix.values()) for name, by_prefix in result.items()}


def _rank(naming: Naming, pairs: Sequence[tuple[str, str]]) -> int:
    return pairs.index((naming.namespace, naming.pod))
