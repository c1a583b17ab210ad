"""The Service in front of every replica of a resource, whatever its variant."""

from collections.abc import Iterator

from breakeven.api.names import MANAGED_LABELS
from breakeven.api.spec import ServiceSpec
from breakeven.api.vocabulary import Reason
from breakeven.engines import Refusal
from breakeven.render.names import SERVICE_PORT_NAME, Manifest, Owner, labels, metadata, service_selector
from breakeven.render.pod_values import label_key, label_value


def service_of(owner: Owner, declared: ServiceSpec, *, target_port: str) -> Manifest:
    """The Service, named as the resource; `target_port` is what the pods call their port."""
    about = metadata(owner, owner.name, declared.labels | labels(owner))
    if declared.annotations:
        about["annotations"] = dict(sorted(declared.annotations.items()))
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": about,
        "spec": {
            "type": "ClusterIP",
            "ports": [{"name": SERVICE_PORT_NAME, "port": declared.port, "protocol": "TCP", "targetPort": target_port}],
            "selector": service_selector(owner),
        },
    }


def check_service(declared: ServiceSpec) -> Iterator[Refusal]:
    """Find labels and annotations that the API server would refuse, or that are managed; never raises."""
    for key, value in declared.labels.items():
        wrong = "this label is managed: leave it out" if key in MANAGED_LABELS else label_key(key) or label_value(value)
        yield from _refused(f"service.labels.{key}", wrong)
    for key in declared.annotations:
        yield from _refused(f"service.annotations.{key}", label_key(key))


def _refused(field: str, wrong: str) -> Iterator[Refusal]:
    if wrong:
        yield Refusal(field=field, reason=Reason.INVALID_CONFIGURATION, message=wrong)
