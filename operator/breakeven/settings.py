"""What a person installing the operator may set, from the environment; every name begins with BREAKEVEN_."""

import re
from collections.abc import Mapping
from decimal import Decimal
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit, urlunsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

PREFIX = "BREAKEVEN_"
_KEY = r"(?:[a-z0-9][-a-z0-9.]{0,252}/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_VALUE = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?"
_TERM = re.compile(rf"!?{_KEY}|{_KEY}\s*(?:==?|!=)\s*{_VALUE}")
"""One term of a label selector: names and values of labels as the API server takes them."""


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

    metrics_source: Literal["Prometheus", "Pods"] = "Prometheus"
    """Where engine metrics are read for resources that do not say: Prometheus, or the Pods themselves."""
    prometheus_url: str = ""
    """Prometheus asked for every resource that names none. Empty: each resource has to name its own."""
    prometheus_allowed: tuple[str, ...] = ()
    """Other addresses that resources may name in spec.metrics.prometheusURL: comma-separated scheme://host[:port][/path]."""
    prometheus_token_file: Path | None = None
    """File with the bearer token for prometheus_url; read again when it changes, never sent elsewhere."""
    prometheus_basic_auth_dir: Path | None = None
    """Folder with the files username and password for prometheus_url, instead of a token; read and sent as that is."""
    prometheus_google_file: Path | None = None
    """File with the key of a service account of Google, with which tokens for prometheus_url are asked for."""
    prometheus_aws_region: Annotated[str, Field(max_length=32, pattern=r"^([a-z]+(-[a-z0-9]+)+)?$")] = ""
    """Region of AWS, such as eu-central-1, for which requests to prometheus_url are signed with the credentials that
    AWS gave the process. Empty: they are not."""
    prometheus_headers_dir: Path | None = None
    """Folder with one file for each further header for prometheus_url, named as the header, such as X-Scope-OrgID; read
    and sent as the token is."""
    prometheus_client_tls_dir: Path | None = None
    """Folder with tls.crt and tls.key, the client certificate that prometheus_url is shown and no other address."""
    prometheus_ca_file: Path | None = None
    """CA certificates for Prometheus. Absent: those of the system."""
    prometheus_interval: Annotated[float, Field(ge=1, le=600)] = 15
    """Seconds between two questions to Prometheus: one for all resources."""
    switch_key_file: Path | None = None
    """File with the key from which the tokens are made that switch warm replicas; read anew when needed. Absent: no
    resource can have spec.policy.switching.mode Warm."""
    namespaces: tuple[str, ...] = ()
    """Namespaces watched, comma-separated. Empty: all of them."""
    resource_selector: str = ""
    """Labels of the resources that this operator looks after, such as shard=a: key=value, key!=value, key or !key,
    comma-separated. Empty: all of them. Each of several operators needs a Lease of its own."""
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
    page_port: Annotated[int, Field(ge=0, le=65_535)] | None = None
    """Port of the live page, read-only; 0 is any free one, which is logged. Absent: there is none."""
    page_host: str = "127.0.0.1"
    """Address of the live page. One that is not loopback needs metrics_token_file, which the page then asks for too."""
    gpu_hour_price: Annotated[Decimal, Field(ge=0, le=1_000_000)] | None = None
    """Price of one GPU for one hour, by which what speculation gained is also told in money. Absent: it is not."""
    gpu_hour_currency: Annotated[str, Field(max_length=8, pattern=r"^[^\s\"\\\\]*$")] = ""
    """Currency of that price, as it is shown after amounts, such as EUR."""
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

    @model_validator(mode="after")
    def _one_authorization(self) -> "Settings":
        ways = ("prometheus_token_file", "prometheus_basic_auth_dir", "prometheus_google_file", "prometheus_aws_region")
        if len(given := [way for way in ways if getattr(self, way)]) > 1:
            raise ValueError(f"{' and '.join(given)} answer one question: set one")
        return self

    @field_validator("resource_selector")
    @classmethod
    def _selects(cls, value: str) -> str:
        for term in filter(None, map(str.strip, value.split(","))):
            if not _TERM.fullmatch(term):
                raise ValueError(f"{term!r} selects by no label; write key=value, key!=value, key or !key")
        return value

    @field_validator("page_host")
    @classmethod
    def _guarded(cls, value: str, info: ValidationInfo) -> str:
        if not loopback(value) and info.data.get("metrics_token_file") is None:
            raise ValueError(f"{value!r} is not loopback: set BREAKEVEN_METRICS_TOKEN_FILE, or leave it at 127.0.0.1")
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


def loopback(host: str) -> bool:
    """Whether a name or address is this machine's own, and nobody else's."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def shown(settings: Settings) -> dict[str, str]:
    """Each setting that differs from its default, as a start-up log may have it: files by their path, and addresses
    without the credentials that may stand in them."""
    defaults = Settings()
    changed = {n: v for n in Settings.model_fields if (v := getattr(settings, n)) != getattr(defaults, n)}
    return {n: ",".join(map(_bare, v)) if isinstance(v, tuple) else _bare(str(v)) for n, v in changed.items()}


def _bare(text: str) -> str:
    """The text without what stands before the `@` of an address, and without its query."""
    if "://" not in text:
        return text
    parts = urlsplit(text)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


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
