"""What a person installing the operator may set, from the environment; every name begins with BREAKEVEN_."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

PREFIX = "BREAKEVEN_"


POD_TEMPLATE_DENY = (
    "hostNetwork",
    "hostPID",
    "hostIPC",
    "hostPath",
    "hostPort",
    "hostProcess",
    "nodeName",
    "serviceAccountName",
    "serviceAccount",
    "automountServiceAccountToken",
    "serviceAccountToken",
    "sysctls",
    "privileged",
    "allowPrivilegeEscalation",
    "procMount",
    "runAsUser=0",
    "runAsUser=delete",
    "runAsNonRoot=false",
    "runAsNonRoot=delete",
    "securityContext=delete",
    "capabilities.add",
    "capabilities.drop",
    "capabilities=delete",
    "allowPrivilegeEscalation=delete",
    "automountServiceAccountToken=delete",
    "seccompProfile.type=Unconfined",
    "seccompProfile=delete",
    "appArmorProfile.type=Unconfined",
)
"""What Pod Security's level "restricted" forbids, and identities and nodes that a namespace's owner may not have meant
to give away; rendering needs none of it (https://kubernetes.io/docs/concepts/security/pod-security-standards/)."""


class Settings(BaseModel):
    """Settings of `breakeven run`. Durations are in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    prometheus_url: str = ""
    """Prometheus asked for every resource that names none. Empty: each resource has to name its own."""
    prometheus_allowed: tuple[str, ...] = ()
    """Other addresses that resources may name in spec.metrics.prometheusURL: comma-separated scheme://host[:port][/path]."""
    prometheus_token_file: Path | None = None
    """File with the bearer token for prometheus_url; read again when it changes, never sent elsewhere."""
    prometheus_ca_file: Path | None = None
    """CA certificates for Prometheus. Absent: those of the system."""
    prometheus_interval: Annotated[float, Field(ge=1, le=600)] = 15
    """Seconds between two questions to Prometheus: one for all resources."""
    namespaces: tuple[str, ...] = ()
    """Namespaces watched, comma-separated. Empty: all of them."""
    leader_election: bool = True
    """Whether a Lease decides which replica writes. False only for a single process."""
    lease_namespace: str = "breakeven-system"
    """Namespace of the Lease: the operator's own."""
    lease_name: str = "breakeven"
    """Name of the Lease."""
    lease_duration: Annotated[float, Field(ge=1, le=300)] = 6
    """Seconds after which a silent leader is replaced. The leader renews every eighth of it, and stops writing when
    that failed for two thirds of it."""
    identity: str = ""
    """Name of this process in the Lease and in Events. Empty: host name and a random part."""
    pod_template_deny: tuple[str, ...] = POD_TEMPLATE_DENY
    """Fields that spec.podTemplate may not set, comma-separated: the end of a path (hostPath, capabilities.add), with
    =value for one value only (runAsUser=0), with =delete for a removal. `none` allows everything."""
    workers: Annotated[int, Field(ge=1, le=256)] = 32
    """Passes that run side by side."""
    resync: Annotated[float, Field(ge=5, le=86_400)] = 600
    """Seconds between two full listings, which find deletions that a broken watch has missed."""
    health_host: str = "0.0.0.0"
    """Address of /healthz, /readyz and /metrics."""
    health_port: Annotated[int, Field(ge=0, le=65_535)] = 8080
    """Port of the same; 0 is any free one, which is logged."""
    metrics_token_file: Path | None = None
    """File with the bearer token that /metrics asks for; read anew for each request. Absent: anyone may read them."""
    log_format: Literal["json", "text"] = "json"
    """json or text."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Lowest level that is logged."""
    grace: Annotated[float, Field(ge=0, le=300)] = 10
    """Seconds that running passes may take to end after SIGTERM."""

    @field_validator("prometheus_url", "prometheus_allowed")
    @classmethod
    def _addresses(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for url in (value,) if isinstance(value, str) else value:
            if url and not _usable(url):
                raise ValueError(f"{url!r} is no address; write scheme://host[:port][/path] with http or https")
        return value

    @field_validator("pod_template_deny")
    @classmethod
    def _field_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if value == ("none",):
            return ()
        for entry in value:
            if not re.fullmatch(r"[A-Za-z]+(\.[A-Za-z]+)*(=[A-Za-z0-9]+)?", entry):
                raise ValueError(f"{entry!r} is no field; write for example hostPath, capabilities.add or runAsUser=0")
        return value


def _usable(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and url.isprintable()
    except ValueError:
        return False


def from_environment(environment: Mapping[str, str], **given: Any) -> Settings:
    """Read the settings; what is given (and not None) wins over the environment.

    Raises
    ------
    ValueError
        If a value cannot be used; the message names the variable. pydantic's ValidationError is one.
    """
    values: dict[str, Any] = {}
    for name, field in Settings.model_fields.items():
        text = environment.get(PREFIX + name.upper())
        if text is not None and text.strip() != "":
            many = field.annotation == tuple[str, ...]
            values[name] = tuple(p.strip() for p in text.split(",") if p.strip()) if many else text.strip()
    known = {n.upper() for n in Settings.model_fields}
    unknown = [n for n in environment if n.startswith(PREFIX) and n.removeprefix(PREFIX) not in known]
    # Kubernetes itself sets <SERVICE>_PORT, <SERVICE>_SERVICE_HOST … for a Service of that name in the namespace.
    strange = sorted(n for n in unknown if "_PORT" not in n and not n.endswith("_SERVICE_HOST"))
    if strange:
        raise ValueError(f"unknown setting {', '.join(strange)}")
    values.update({name: value for name, value in given.items() if value is not None})
    return Settings(**values)
