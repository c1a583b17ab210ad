"""Simulated scrapes as OpenMetrics text with timestamps, for `promtool tsdb create-blocks-from openmetrics`.

Metric names are vLLM's; the values are simulated, and every series says so in its namespace.
"""

from collections.abc import Iterator
from typing import TextIO

from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.api.variant import declared_variant
from breakeven.domain.counters import vllm_metrics
from breakeven.domain.counters.vllm_metrics import Series
from breakeven.simulation.scraping import Samples

PREFIX = "vllm:"
NAMESPACE = "simulated"
NAME = "simulated"
"""Name of the resource; its pods are called as the operator would call them."""


def write(samples: Samples, to: TextIO) -> int:
    """Write all samples, series by series; returns how many there were."""
    count = 0
    for (pod, series), (times, values) in samples.items():
        text = _series(pod, series)
        for at, value in zip(times, values, strict=True):
            to.write(f"{text} {value!r} {at:.3f}\n")
        count += len(times)
    to.write("# EOF\n")
    return count


def _series(pod: str, series: Series) -> str:
    counter = series.name in vllm_metrics.COUNTERS
    labels = {
        "namespace": NAMESPACE,
        "pod": f"{NAME}-{pod}",
        "job": NAMESPACE,
        "engine": "0",
        "model_name": "simulated",
        **dict(_own(series)),
    }
    inner = ",".join(f'{k}="{v}"' for k, v in sorted(labels.items()))
    return f"{PREFIX}{series.name}{'_total' if counter else ''}{{{inner}}}"


def _own(series: Series) -> Iterator[tuple[str, str]]:
    """The label that tells series of one family apart."""
    if series.label:
        yield (vllm_metrics.COUNTERS.get(series.name) or vllm_metrics.BUCKETS[series.name]), series.label


def selectors(spec: SpeculativeDeploymentSpec) -> tuple[str, str]:
    """Label selectors of the replicas that speculate as declared, and of those that do not."""
    variant = declared_variant(spec)
    each = (f'namespace="{NAMESPACE}",pod=~"{NAME}-{name}-.+"' for name in (variant.name, variant.baseline.name))
    on, off = each
    return on, off


def resource(spec: SpeculativeDeploymentSpec) -> dict[str, object]:
    """The resource that was simulated, as a manifest."""
    return {
        "apiVersion": "breakeven.dev/v1alpha1",
        "kind": "SpeculativeDeployment",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": spec.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_unset=True),
    }
