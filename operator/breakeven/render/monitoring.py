"""How Prometheus finds the engines where the Prometheus operator is installed."""

from breakeven.render.names import Manifest, Owner, labels, metadata, service_selector

API_VERSION = "monitoring.coreos.com/v1"
INTERVAL = "15s"
"""Time between scrapes: ten batches of a 10 minute window hold four samples each."""


def pod_monitor(owner: Owner, *, port: str) -> Manifest:
    """The PodMonitor of a resource, at the pods' port of this name. It relabels nothing: series are found by pod."""
    return {
        "apiVersion": API_VERSION,
        "kind": "PodMonitor",
        "metadata": metadata(owner, owner.name, labels(owner)),
        "spec": {
            "selector": {"matchLabels": service_selector(owner)},
            "podMetricsEndpoints": [{"port": port, "path": "/metrics", "interval": INTERVAL}],
        },
    }
