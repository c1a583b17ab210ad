"""Command lines of etcd and the Kubernetes components. Each flag here was tried; see docs/lab.md."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from breakeven.lab.settings import LabSettings

AUDIT_POLICY = """apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
"""
COMPONENT_USERS = {
    "kube-controller-manager": "system:kube-controller-manager",
    "kube-scheduler": "system:kube-scheduler",
}
"""Users to which RBAC's own bootstrap policy gives what the component needs."""
MASTERS = ("lab-admin", "lab-kubelet", "lab-prometheus")
"""Users of the lab itself; separate names, so that the audit log tells them apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Files and addresses of one lab's control plane."""

    directory: Path
    node: str
    """Address on which all components listen."""
    services: str
    etcd_port: int
    peer_port: int
    api_port: int

    @property
    def server(self) -> str:
        """URL of the API server."""
        return f"https://{self.node}:{self.api_port}"

    @property
    def certificates(self) -> Path:
        """Where the API server puts the certificate it makes."""
        return self.directory / "pki"

    @property
    def authority(self) -> Path:
        """What its clients trust."""
        return self.certificates / "apiserver.crt"

    @property
    def signing_key(self) -> Path:
        """Signs service account tokens."""
        return self.certificates / "service-account.key"

    @property
    def tokens(self) -> Path:
        """Token file of the fixed users."""
        return self.certificates / "tokens.csv"

    def kubeconfig(self, user: str) -> Path:
        """Kubeconfig of one of the fixed users."""
        return self.directory / "kubeconfigs" / user.replace(":", "_")

    def log(self, name: str) -> Path:
        """Log of one component."""
        return self.directory / "logs" / f"{name}.log"


def etcd_arguments(layout: Layout) -> list[str]:
    """No fsync: a lab's state need not outlive a power cut."""
    client = f"http://{layout.node}:{layout.etcd_port}"
    peer = f"http://{layout.node}:{layout.peer_port}"
    return [
        f"--data-dir={layout.directory / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def apiserver_arguments(layout: Layout, settings: LabSettings) -> list[str]:
    """RBAC on. It signs its own serving certificate into --cert-dir. Endpoints are the service proxy's business."""
    arguments = [
        f"--etcd-servers=http://{layout.node}:{layout.etcd_port}",
        f"--bind-address={layout.node}",
        f"--advertise-address={layout.node}",
        f"--secure-port={layout.api_port}",
        f"--cert-dir={layout.certificates}",
        f"--token-auth-file={layout.tokens}",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={layout.signing_key}",
        f"--service-account-signing-key-file={layout.signing_key}",
        f"--service-cluster-ip-range={layout.services}",
        "--endpoint-reconciler-type=none",
        "--kubelet-preferred-address-types=InternalIP",
        "--max-requests-inflight=1000",
        "--max-mutating-requests-inflight=500",
        "--profiling=false",
    ]
    if not settings.service_account_admission:
        arguments.append("--disable-admission-plugins=ServiceAccount")
    if settings.audit:
        policy = layout.directory / "audit-policy.yaml"
        policy.write_text(AUDIT_POLICY)
        arguments += [
            f"--audit-policy-file={policy}",
            f"--audit-log-path={layout.log('audit')}",
            "--audit-log-mode=blocking",
            "--audit-log-maxsize=4096",
        ]
    return arguments


def controller_manager_arguments(layout: Layout) -> list[str]:
    """Without the endpoint controllers: EndpointSlice refuses loopback addresses, so they could only warn."""
    return [
        f"--kubeconfig={layout.kubeconfig(COMPONENT_USERS['kube-controller-manager'])}",
        "--use-service-account-credentials=true",
        f"--service-account-private-key-file={layout.signing_key}",
        f"--root-ca-file={layout.authority}",
        "--leader-elect=false",
        "--secure-port=0",
        "--controllers=*,-endpoints-controller,-endpointslice-controller,-endpointslice-mirroring-controller",
        "--kube-api-qps=400",
        "--kube-api-burst=800",
        # A busy machine renews node leases late; nothing here is ever a broken node.
        "--node-monitor-grace-period=10m",
        "--concurrent-deployment-syncs=20",
        "--concurrent-replicaset-syncs=20",
        "--concurrent-gc-syncs=20",
    ]


def scheduler_arguments(layout: Layout) -> list[str]:
    """The default scheduler."""
    return [
        f"--kubeconfig={layout.kubeconfig(COMPONENT_USERS['kube-scheduler'])}",
        "--leader-elect=false",
        "--secure-port=0",
        "--kube-api-qps=400",
        "--kube-api-burst=800",
    ]


def write_tokens(layout: Layout, tokens: Mapping[str, str]) -> None:
    """Write the API server's token file: token, user, uid, groups."""
    lines = [
        f'{token},{user},{user},"{"system:masters" if user in MASTERS else "system:authenticated"}"\n'
        for user, token in tokens.items()
    ]
    layout.tokens.touch(mode=0o600)
    layout.tokens.write_text("".join(lines))
