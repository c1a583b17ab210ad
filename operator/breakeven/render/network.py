"""The Service in front of every replica of a resource, whatever its variant."""

from breakeven.render.names import PORT, PORT_NAME, Manifest, Owner, labels, metadata, service_selector


def service(owner: Owner) -> Manifest:
    """The Service, named as the resource."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(owner, owner.name, labels(owner)),
        "spec": {
            "type": "ClusterIP",
            "ports": [{"name": PORT_NAME, "port": PORT, "protocol": "TCP", "targetPort": PORT_NAME}],
            "selector": service_selector(owner),
        },
    }
