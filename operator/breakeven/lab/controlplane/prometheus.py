"""Prometheus with Kubernetes pod discovery, the way a cluster's usual configuration has it."""

from pathlib import Path
from typing import Any

import yaml

from breakeven.lab.controlplane.kubernetes import Layout
from breakeven.lab.settings import LabSettings

HOLLOW_LABEL = "breakeven.dev/hollow"
"""Label of hollow nodes; pods on them are not scraped one by one."""
PORT_NAME = "http"
SCRAPE = "prometheus.io/scrape"
MANAGED_BY = "app_kubernetes_io_managed_by"


def pod_relabelling() -> list[dict[str, Any]]:
    """Scrape running pods of the operator at their port `http`, and pods annotated `prometheus.io/scrape: "true"`.

    A pod annotated "false" is left alone. The labels `namespace`, `pod`, `container`, `node` are set as usual.
    """
    meta = "__meta_kubernetes_pod"
    annotation = "annotation_prometheus_io"
    return [
        {
            "action": "keep",
            "source_labels": [
                f"{meta}_{annotation}_scrape",
                f"{meta}_label_{MANAGED_BY}",
                f"{meta}_container_port_name",
            ],
            "regex": f"true;.*;.*|;breakeven;{PORT_NAME}",
        },
        {"action": "drop", "source_labels": [f"{meta}_phase"], "regex": "Pending|Succeeded|Failed|Completed"},
        {"action": "drop", "source_labels": ["__meta_kubernetes_node_label_breakeven_dev_hollow"], "regex": "true"},
        {
            "action": "replace",
            "source_labels": ["__address__", f"{meta}_{annotation}_port"],
            "regex": r"([^:]+)(?::\d+)?;(\d+)",
            "replacement": "$1:$2",
            "target_label": "__address__",
        },
        {
            "action": "replace",
            "source_labels": [f"{meta}_{annotation}_path"],
            "regex": "(.+)",
            "target_label": "__metrics_path__",
        },
        {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
        {"source_labels": [f"{meta}_name"], "target_label": "pod"},
        {"source_labels": [f"{meta}_container_name"], "target_label": "container"},
        {"source_labels": [f"{meta}_node_name"], "target_label": "node"},
    ]


def configuration(layout: Layout, settings: LabSettings, *, hollow: str, own: str) -> dict[str, Any]:
    """prometheus.yml. hollow, own: address and port of the exporter of hollow pods and of Prometheus itself."""
    interval = f"{round(settings.scrape_interval_seconds * 1000)}ms"
    slow = f"{round(settings.scrape_hollow_interval_seconds * 1000)}ms"
    discovery = {
        "role": "pod",
        "kubeconfig_file": str(layout.kubeconfig("lab-prometheus")),
        "attach_metadata": {"node": True},
    }
    return _past_storage(settings) | {
        "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": "15s"},
        "scrape_configs": [
            {"job_name": "pods", "kubernetes_sd_configs": [discovery], "relabel_configs": pod_relabelling()},
            {
                "job_name": "hollow",
                "honor_labels": True,
                "scrape_interval": slow,
                "scrape_timeout": slow,
                "static_configs": [{"targets": [hollow]}],
            },
            *_past_jobs(settings, hollow),
            {"job_name": "prometheus", "static_configs": [{"targets": [own]}]},
        ],
    }


def _past_storage(settings: LabSettings) -> dict[str, Any]:
    """Samples of the past of hollow pods come after newer ones of other series."""
    if not settings.hollow.past_seconds:
        return {}
    hours = settings.hollow.past_seconds / 3600 + 2
    return {"storage": {"tsdb": {"out_of_order_time_window": f"{hours:.0f}h"}}}


def _past_jobs(settings: LabSettings, hollow: str) -> list[dict[str, Any]]:
    if not settings.hollow.past_seconds:
        return []
    job = {"job_name": "hollow-past", "metrics_path": "/past", "honor_labels": True, "scrape_interval": "5s"}
    return [job | {"scrape_timeout": "5s", "static_configs": [{"targets": [hollow]}]}]


def write_configuration(layout: Layout, settings: LabSettings, *, hollow: str, own: str) -> Path:
    """Write prometheus.yml and return its path."""
    path = layout.directory / "prometheus.yml"
    path.write_text(yaml.safe_dump(configuration(layout, settings, hollow=hollow, own=own), sort_keys=False))
    return path


def prometheus_arguments(layout: Layout, settings: LabSettings, configured: Path, port: int) -> list[str]:
    """Its data stay over a stop and start of the component."""
    return [
        f"--config.file={configured}",
        f"--storage.tsdb.path={layout.directory / 'prometheus'}",
        f"--storage.tsdb.retention.time={settings.retention}",
        f"--web.listen-address={layout.node}:{port}",
        "--storage.tsdb.no-lockfile",
        "--log.level=warn",
    ]
