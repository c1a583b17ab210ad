"""What the operator asks of the API server: the table from which the ClusterRole is made.

A call looks its right up here, so a call that is not declared fails in the first test that makes it.
"""

from dataclasses import dataclass

from breakeven.api.base import API_VERSION, GROUP, KIND, PLURAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """One resource and what is done with it."""

    group: str
    """API group; empty for core."""
    version: str
    kind: str
    resource: str
    """Plural, with the subresource after a slash."""
    verbs: tuple[str, ...]
    own_namespace: bool = False
    """Only in the namespace of the operator."""
    why: str

    @property
    def api_version(self) -> str:
        """As manifests write it."""
        return f"{self.group}/{self.version}" if self.group else self.version


_WATCH = ("get", "list", "watch")

RIGHTS: tuple[Right, ...] = (
    Right(
        group=GROUP,
        version=API_VERSION.split("/")[1],
        kind=KIND,
        resource=PLURAL,
        verbs=_WATCH,
        why="what teams declare; it is never written",
    ),
    Right(
        group=GROUP,
        version=API_VERSION.split("/")[1],
        kind=KIND,
        resource=f"{PLURAL}/status",
        verbs=("patch",),
        why="the report, and the memory of the loop",
    ),
    Right(
        group="apps",
        version="v1",
        kind="Deployment",
        resource="deployments",
        verbs=(*_WATCH, "create", "patch", "delete"),
        why="one for each variant",
    ),
    Right(
        group="",
        version="v1",
        kind="Service",
        resource="services",
        verbs=(*_WATCH, "create", "patch", "delete"),
        why="one for each resource that does not bring its own",
    ),
    Right(
        group="",
        version="v1",
        kind="Pod",
        resource="pods",
        verbs=("list", "watch"),
        why="which series belong to which variant",
    ),
    Right(
        group="",
        version="v1",
        kind="ConfigMap",
        resource="configmaps",
        verbs=("get", "list", "create", "patch", "delete"),
        why="what warm replicas run and hold; those with our label are looked at",
    ),
    Right(
        group="policy",
        version="v1",
        kind="PodDisruptionBudget",
        resource="poddisruptionbudgets",
        verbs=("get", "list", "create", "patch", "delete"),
        why="what a drain may take at once, where a resource says it",
    ),
    Right(
        group="", version="v1", kind="Event", resource="events", verbs=("create",), why="decisions, when they are taken"
    ),
    Right(
        group="monitoring.coreos.com",
        version="v1",
        kind="PodMonitor",
        resource="podmonitors",
        verbs=("get", "list", "create", "patch"),
        why="scraping of the engines, where the Prometheus operator is installed",
    ),
    Right(
        group="coordination.k8s.io",
        version="v1",
        kind="Lease",
        resource="leases",
        verbs=("get", "create", "update"),
        own_namespace=True,
        why="only one replica of the operator writes",
    ),
    Right(
        group="apiextensions.k8s.io",
        version="v1",
        kind="CustomResourceDefinition",
        resource="customresourcedefinitions",
        verbs=("list", "watch"),
        why="the watches begin when the definition is installed",
    ),
)


def right_for(api_version: str, kind: str, verb: str, subresource: str = "") -> Right:
    """The declared right for a call.

    Raises
    ------
    KeyError
        If the call is not declared: the ClusterRole would not allow it.
    """
    for right in RIGHTS:
        _, _, sub = right.resource.partition("/")
        if (right.api_version, right.kind, sub) == (api_version, kind, subresource) and verb in right.verbs:
            return right
    raise KeyError(f"no right to {verb} {kind}{'/' if subresource else ''}{subresource} of {api_version} is declared")
