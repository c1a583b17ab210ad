"""The way to a Prometheus: by its address, or through the API server where that is the name of a Service."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlencode, urlsplit

from breakeven.adapters.prometheus import answers
from breakeven.adapters.prometheus.answers import RawSeries
from breakeven.adapters.prometheus.client import Endpoint, PrometheusClient
from breakeven.adapters.prometheus.credentials import Credentials
from breakeven.adapters.prometheus.errors import MetricsError
from breakeven.plugin.errors import PluginError
from breakeven.plugin.kubectl import Kubectl
from breakeven.plugin.resources import Found

MOST_SAMPLES = 4000
"""Of one series: a longer range is looked at in longer steps."""
FINEST_S = 15.0
"""The usual scrape interval."""
CLOSELY_S = 43_200.0
"""What is looked at in steps of the scrape interval: the last half day."""
_OPERATOR = "app.kubernetes.io/name=breakeven"
_VARIABLE = "BREAKEVEN_PROMETHEUS_URL"


class Asks(Protocol):
    """A Prometheus to ask."""

    name: str
    """Where it is, as people are told."""

    def series(self, text: str) -> list[RawSeries]:
        """Evaluate an instant query now. Raises MetricsError or PluginError."""


class Direct:
    """By its address, from this machine."""

    def __init__(self, client: PrometheusClient, url: str) -> None:
        self._client = client
        self.name = urlsplit(url).netloc.rpartition("@")[2]

    def series(self, text: str) -> list[RawSeries]:
        """Evaluate an instant query now."""
        return list(self._client.query(text, at=time.time()))


class Proxied:
    """Through the API server, which needs the right to `services/proxy` there."""

    def __init__(self, kubectl: Kubectl, url: str) -> None:
        parts = urlsplit(url)
        service, namespace = str(parts.hostname).split(".")[:2]
        port = parts.port or (443 if parts.scheme == "https" else 80)
        scheme = "https:" if parts.scheme == "https" else ""
        self._kubectl = kubectl
        self._path = (
            f"/api/v1/namespaces/{quote(namespace)}/services/{scheme}{quote(service)}:{port}/proxy"
            f"{parts.path.rstrip('/')}/api/v1/query"
        )
        self.name = f"Service {namespace}/{service}, through the API server"

    def series(self, text: str) -> list[RawSeries]:
        """Evaluate an instant query now."""
        at = time.time()
        query = urlencode({"query": text, "time": f"{at:.3f}"})
        body = self._kubectl.run("get", "--raw", f"{self._path}?{query}")
        return list(answers.read(body.encode(), at=at))


@contextmanager
def reached(kubectl: Kubectl, url: str, *, token_file: Path | None = None) -> Iterator[Asks]:
    """A Prometheus at an address. Raises MetricsError if that is none."""
    if _of_a_service(url):
        yield Proxied(kubectl, url)
        return
    client = PrometheusClient(Endpoint(url=url, credentials=Credentials(token_file=token_file), read_timeout_s=30.0))
    try:
        yield Direct(client, url)
    finally:
        client.close()


def _of_a_service(url: str) -> bool:
    """Whether an address is `NAME.NAMESPACE.svc…`, which only pods can resolve."""
    try:
        labels = str(urlsplit(url).hostname).split(".")
    except ValueError:
        return False
    return len(labels) >= 3 and labels[2] == "svc"


def operators_address(kubectl: Kubectl, found: Found) -> str:
    """The address that the resource names, else the one that the operator's Deployment has; empty where neither does.

    Raises PluginError when the Deployment may not be read.
    """
    if found.spec is not None and found.spec.metrics.prometheus_url:
        return found.spec.metrics.prometheus_url
    deployments = kubectl.items("deployments.apps", ["--all-namespaces"], f"--selector={_OPERATOR}")
    return next((url for each in deployments if (url := _url_of(each))), "")


def _url_of(deployment: Mapping[str, Any]) -> str:
    pod = ((deployment.get("spec") or {}).get("template") or {}).get("spec") or {}
    variables = [v for c in pod.get("containers") or () for v in c.get("env") or ()]
    return next((str(v.get("value") or "") for v in variables if v.get("name") == _VARIABLE), "")


def looked_at(asks: Asks, name: str, found: Found, *, seconds: float) -> list[RawSeries]:
    """One of the operator's series of a resource over a time that ends now: the last half day closely, and what is
    before it in longer steps. Raises MetricsError or PluginError."""
    who = f'namespace="{found.namespace}",name="{found.name}"'
    # A Prometheus that scrapes with honor_labels: false keeps its own `namespace`, and ours as exported_namespace.
    both = f"({name}{{{who}}} or {name}{{exported_{who}}})"
    samples: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}
    for length, offset, step in _spans(seconds):
        for series in asks.series(f"{both}[{length:.0f}s:{step:.0f}s] offset {offset:.0f}s"):
            samples.setdefault(tuple(sorted(series.metric.items())), []).extend(series.values)
    return [RawSeries(dict(labels), sorted(set(values))) for labels, values in samples.items()]


def _spans(seconds: float) -> list[tuple[float, float, float]]:
    """Length, offset and step of what is asked for, oldest first."""
    recent = (min(seconds, CLOSELY_S), 0.0, FINEST_S)
    return [(seconds - CLOSELY_S, CLOSELY_S, coarse_step(seconds)), recent] if seconds > CLOSELY_S else [recent]


def coarse_step(seconds: float) -> float:
    """Seconds between two looks at the older part of a time."""
    return max(FINEST_S, (seconds - CLOSELY_S) / MOST_SAMPLES)


def gpu_hour_of_opencost(asks: Asks) -> float | None:
    """Mean hourly cost of one GPU over the nodes that have some, as OpenCost exports it; None where it does not."""
    found = [value for series in asks.series("avg(node_gpu_hourly_cost > 0)") for _, value in series.values]
    return found[0] if found else None


Unreached = (MetricsError, PluginError)
"""What asking raises: nothing that a ledger does not survive."""
