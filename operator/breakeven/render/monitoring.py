"""How Prometheus finds the engines where the Prometheus operator is installed."""

from breakeven.render.names import PORT_NAME, Manifest, Owner, labels, metadata, service_selector

API_VERSION = "monitoring.coreos.com/v1"
INTERVAL = "15s"
"""Time between scrapes: ten batches of a 10 minute window hold four samples each."""


def pod_monitor(owner: Owner) -> Manifest:
    """The PodMonitor of a resource. It relabels nothing: series are found by namespace and pod."""
    return {
        "apiVersion": API_VERSION,
        "kind": "PodMonitor",
        "metadata": metadata(owner, owner.name, labels(owner)),
        "spec": {
            "selector": {"matchLabels": service_selector(owner)},
            "podMetricsEndpoints": [{"port": PORT_NAME, "path": "/metrics", "interval": INTERVAL}],
        },
    }
