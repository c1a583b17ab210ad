"""A budget for voluntary disruptions, where there is more than one replica to keep."""

from breakeven.render.names import Manifest, Owner, labels, metadata, service_selector


def disruption_budget(owner: Owner, replicas: int) -> Manifest | None:
    """A PodDisruptionBudget that lets one replica go at a time; None at one, where it would block every drain."""
    if replicas < 2:
        return None
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(owner, owner.name, labels(owner)),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": service_selector(owner)}},
    }
