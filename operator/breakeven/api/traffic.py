"""What stands in front of the replicas: the Service of `spec`."""

from typing import Annotated

from pydantic import Field

from breakeven.api.base import SpecModel

_Text = Annotated[str, Field(max_length=4096)]


class ServiceSpec(SpecModel):
    """The Service in front of all replicas, named as the resource."""

    enabled: bool = True
    """Whether there is one. False where a Service, an InferencePool or a router of your own selects the pods; one that was made before is deleted. Default true."""
    port: Annotated[int, Field(ge=1, le=65_535)] = 8000
    """Port of the Service. Default 8000."""
    labels: Annotated[dict[str, Annotated[str, Field(max_length=63)]], Field(max_length=32)] = {}
    """Labels of the Service beside the managed ones. Absent: none."""
    annotations: Annotated[dict[str, _Text], Field(max_length=32)] = {}
    """Annotations of the Service, for a load balancer or a gateway. Absent: none."""
