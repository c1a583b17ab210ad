"""Labs for tests: settings with short back-offs, a stand-in engine under the image `standin:*`, and manifests."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from breakeven.lab.settings import H100, H200, ImageCommand, LabSettings, NodeSettings

STANDIN = ImageCommand(
    pattern=r"standin:.*",
    command=("{python}", str(Path(__file__).with_name("standin.py")), "{ip}", "{args}"),
)
NODES = (
    NodeSettings(name="h100", product=H100, gpus=8),
    NodeSettings(name="h200", product=H200, gpus=8),
)


def lab_settings(name: str = "test", **changes: Any) -> LabSettings:
    """Settings of the lab that tests share; a test's own lab may differ in some."""
    defaults: dict[str, Any] = {
        "name": name,
        "nodes": NODES,
        "images": (STANDIN,),
        "scrape_interval_seconds": 1.0,
        "backoff_seconds": 0.5,
        "backoff_limit_seconds": 2.0,
        "audit": True,
    }
    return LabSettings(**(defaults | changes))


def pod_spec(
    *,
    image: str = "standin:1",
    gpus: int = 1,
    arguments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    product: str = H100,
    grace: int = 5,
    **container: Any,
) -> dict[str, Any]:
    """A pod spec for a GPU node, probed for readiness each second."""
    return {
        "terminationGracePeriodSeconds": grace,
        "nodeSelector": {"nvidia.com/gpu.product": product},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "containers": [
            {
                "name": "engine",
                "image": image,
                "args": list(arguments),
                "env": [{"name": name, "value": value} for name, value in (environment or {}).items()],
                "ports": [{"name": "http", "containerPort": 8000}],
                "resources": {"limits": {"nvidia.com/gpu": str(gpus)}},
                "readinessProbe": {"httpGet": {"path": "/health", "port": "http"}, "periodSeconds": 1},
            }
            | container
        ],
    }


def deployment(namespace: str, name: str, spec: Mapping[str, Any], replicas: int = 1) -> str:
    """A Deployment as JSON for `kubectl apply -f -`; its pods are labelled as the operator's are."""
    labels = {"app": name}
    return json.dumps(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels | {"app.kubernetes.io/managed-by": "breakeven"}},
                    "spec": spec,
                },
            },
        }
    )


def service(namespace: str, name: str, port: int = 8000) -> str:
    """A Service over the pods of the Deployment of that name, as JSON."""
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": port, "targetPort": "http"}]},
        }
    )
