"""Which pods Prometheus keeps, by its own relabelling rules applied here."""

import re

import pytest

from breakeven.lab.controlplane.prometheus import pod_relabelling

META = "__meta_kubernetes_"


def relabel(labels: dict[str, str]) -> dict[str, str] | None:
    """https://prometheus.io/docs/prometheus/latest/configuration/configuration/#relabel_config"""
    labels = dict(labels)
    for rule in pod_relabelling():
        value = ";".join(labels.get(name, "") for name in rule["source_labels"])
        match = re.fullmatch(rule.get("regex", "(.*)"), value)
        action = rule.get("action", "replace")
        if (action == "keep" and not match) or (action == "drop" and match):
            return None
        if action == "replace" and match:
            replacement = re.sub(r"\$(\d)", r"\\\1", rule.get("replacement", "$1"))
            labels[rule["target_label"]] = match.expand(replacement)
    return {name: value for name, value in labels.items() if not name.startswith(META)}


def pod(**changes: str) -> dict[str, str]:
    return {
        "__address__": "127.64.1.1:8000",
        f"{META}namespace": "n",
        f"{META}pod_name": "p",
        f"{META}pod_phase": "Running",
        f"{META}pod_container_name": "engine",
        f"{META}pod_container_port_name": "http",
        f"{META}pod_label_app_kubernetes_io_managed_by": "breakeven",
        f"{META}pod_node_name": "h100",
    } | {META + name: value for name, value in changes.items()}


def test_the_operators_pods_are_scraped_under_their_names() -> None:
    labels = {"namespace": "n", "pod": "p", "container": "engine", "node": "h100", "__address__": "127.64.1.1:8000"}
    assert relabel(pod()) == labels


@pytest.mark.parametrize(
    "changes",
    [
        {"pod_phase": "Pending"},
        {"pod_phase": "Failed"},
        {"pod_container_port_name": "other"},
        {"pod_label_app_kubernetes_io_managed_by": "helm"},
        {"pod_annotation_prometheus_io_scrape": "false"},
        {"node_label_breakeven_dev_hollow": "true"},
    ],
)
def test_other_pods_are_not_scraped(changes: dict[str, str]) -> None:
    assert relabel(pod(**changes)) is None


def test_an_annotated_pod_is_scraped_where_it_says() -> None:
    found = relabel(
        pod(
            pod_label_app_kubernetes_io_managed_by="helm",
            pod_annotation_prometheus_io_scrape="true",
            pod_annotation_prometheus_io_port="9000",
            pod_annotation_prometheus_io_path="/m",
        )
    )
    assert found is not None
    assert found["__address__"] == "127.64.1.1:9000"
    assert found["__metrics_path__"] == "/m"
