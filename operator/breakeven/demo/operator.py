"""Install the operator on a lab as its manifests say, and run it as its own service account would."""

import secrets
import socket
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from breakeven.demo.processes import Process
from breakeven.lab.errors import LabError
from breakeven.lab.handle import RunningLab
from breakeven.lab.reap import VARIABLE

NAMESPACE = "breakeven-system"
OPERATOR_ACCOUNT = f"system:serviceaccount:{NAMESPACE}:breakeven"
ROOT = Path(__file__).parents[3]


def define(lab: RunningLab) -> None:
    """Apply the CRD and return when the kind is served. Raises LabError.

    `kubectl wait --for=condition=Established` is not enough: it ends with an error on a definition that has no
    conditions yet, and the kind is served a moment after that condition comes.
    """
    _apply(lab, ROOT / "crds")
    lab.wait_for(
        "SpeculativeDeployment to be served",
        lambda: lab.kubectl("get", "spd", "-n", "default", check=False).returncode == 0,
    )


def install(lab: RunningLab) -> None:
    """Apply the CRD and the rights, as a user would; the Deployment stays out, for the operator runs as a process.

    Raises
    ------
    LabError
        If kubectl refuses.
    """
    manifests = ROOT / "manifests" / "install"
    if not manifests.is_dir():
        raise LabError(f"{manifests} is missing: run this from a checkout of the repository")
    define(lab)
    for name in ("namespace.yaml", "serviceaccount.yaml", "rbac.yaml"):
        _apply(lab, manifests / name)


def _apply(lab: RunningLab, path: Path) -> None:
    """kubectl apply, again while the API server is too busy to answer. Raises LabError."""
    lab.wait_for(f"kubectl apply of {path.name}", lambda: lab.kubectl("apply", "--server-side", "-f", str(path)))


class Operator(Process):
    """`breakeven run` with nothing but the rights of its own service account."""

    def __init__(
        self,
        lab: RunningLab,
        *,
        interval_s: float = 1.0,
        lease_s: float = 15,
        outlive: bool = False,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare it; `start` starts it.

        Parameters
        ----------
        interval_s
            Seconds between two questions to Prometheus.
        lease_s
            Seconds after which a silent leader is replaced.
        outlive
            Whether it goes on when this process ends; `breakeven lab down` then ends it.
        settings
            Variables that take the place of these.
        """
        self._port, self._page_port = _free_port(), _free_port()
        environment = {
            "BREAKEVEN_PROMETHEUS_URL": lab.prometheus_url,
            "BREAKEVEN_PROMETHEUS_INTERVAL": f"{interval_s:g}",
            "BREAKEVEN_LEASE_NAMESPACE": NAMESPACE,
            "BREAKEVEN_LEASE_DURATION": f"{lease_s:g}",
            "BREAKEVEN_HEALTH_HOST": "127.0.0.1",
            "BREAKEVEN_HEALTH_PORT": str(self._port),
            "BREAKEVEN_PAGE_PORT": str(self._page_port),
            "BREAKEVEN_LOG_FORMAT": "text",
            "BREAKEVEN_SWITCH_KEY_FILE": str(_key_file(lab.directory)),
            VARIABLE: lab.state.identity,
            **(settings or {}),
        }
        log = lab.directory / "logs" / "operator.log"
        kubeconfig = lab.kubeconfig_for(OPERATOR_ACCOUNT)
        super().__init__(["run", "--kubeconfig", str(kubeconfig)], log=log, environment=environment, outlive=outlive)

    @property
    def address(self) -> str:
        """`host:port` of its page of metrics."""
        return f"127.0.0.1:{self._port}"

    @property
    def page(self) -> str:
        """Address of its live page, for a browser on this machine."""
        return f"http://127.0.0.1:{self._page_port}/"

    def series(self, name: str) -> list[float]:
        """Values of one of its own metrics, one per label set; empty while it does not answer."""
        try:
            with urllib.request.urlopen(f"http://{self.address}/metrics", timeout=5) as page:
                text = page.read().decode()
        except OSError:
            return []
        return [s.value for f in text_string_to_metric_families(text) for s in f.samples if s.name == name]


def _key_file(directory: Path) -> Path:
    """The key of warm replicas, which a Secret would hold; one for the life of the lab."""
    path = directory / "switching-key"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(32))
    return path


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
