"""What a drain may take of the replicas at once, where the resource says it."""

from breakeven.api.disruption import DisruptionBudgetSpec
from breakeven.render.names import Manifest, Owner, labels, metadata, service_selector


def disruption_budget(owner: Owner, declared: DisruptionBudgetSpec) -> Manifest:
    """The PodDisruptionBudget of a resource: one for all variants, for it is together that they serve.

    Pods that are not ready may always be evicted: one that loads a model for minutes, or never gets ready, must not
    keep a node from being drained
    (https://kubernetes.io/docs/tasks/run-application/configure-pdb/#unhealthy-pod-eviction-policy).
    """
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(owner, owner.name, labels(owner)),
        "spec": {
            "maxUnavailable": declared.max_unavailable,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": service_selector(owner)},
        },
    }
