"""The chart as the pages have it, on a lab: real Helm, the operator in the chart's own pods, `helm test`, what is left.

Not real: the image (this checkout runs in its place) and the cluster's DNS.
"""

import shlex
from collections.abc import Iterator

import pytest
import yaml
from tests.support.commands import ROOT, blocks, commands
from tests.support.helm import helm
from tests.support.loop import NAMESPACE, declare

from breakeven.lab.handle import RunningLab
from breakeven.lab.settings import H200, ImageCommand, LabSettings, NodeSettings

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]
SYSTEM = "breakeven-system"
NAME = "llama"


def documented(page: str, begin: str) -> list[str]:
    """The command that a page prints, without `helm`."""
    (command,) = {c for kind in ("", "sh", "bash") for b in blocks(ROOT / "docs" / page, kind) for c in commands(b)
                  if c.startswith(begin)}  # fmt: skip
    return shlex.split(command)[1:]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    folder = tmp_path_factory.mktemp("installed") / "lab"
    program = (
        "{python}",
        str(ROOT / "tests" / "support" / "operator_image.py"),
        str(folder / "kubeconfigs" / "lab-admin"),
    )
    image = ImageCommand(
        pattern=r"REGISTRY/breakeven:.*",
        command=(*program, "{args}"),
        env={"KUBECONFIG": "{kubeconfig}", "BREAKEVEN_HEALTH_HOST": "{ip}", "BREAKEVEN_PAGE_HOST": "{ip}"},
    )
    nodes = (NodeSettings(name="h200", product=H200, gpus=8), NodeSettings(name="cpu", gpus=0))
    with RunningLab.start(LabSettings(name="installed", nodes=nodes, images=(image,)), directory=folder) as running:
        running.kubectl("create", "namespace", NAMESPACE)
        yield running


def test_the_commands_of_the_tutorial_install_an_operator_that_governs_and_passes_its_test(lab: RunningLab) -> None:
    space = lab.environment() | {"HELM_CACHE_HOME": str(lab.directory)}
    where = lab.prometheus_url.removeprefix("http://").rstrip("/")
    extra = ["--set", f"extraEnv[0].name=NAMES,extraEnv[0].value=prometheus.monitoring.svc:9090={where}"]
    made = helm(*documented("tutorial.md", "helm install"), *extra, environment=space)
    assert made.returncode == 0, made.stderr
    lab.kubectl("rollout", "status", "deployment/breakeven", "-n", SYSTEM, "--timeout=120s")

    tested = helm(*documented("tutorial.md", "helm test"), "--logs", environment=space)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "Phase:          Succeeded" in tested.stdout

    lab.kubectl("apply", "-f", "-", input=yaml.safe_dump(declare(NAME)))
    lab.wait_for("replicas that serve and fresh metrics", lambda: governed(lab), timeout=240)


def governed(lab: RunningLab) -> bool:
    body = yaml.safe_load(lab.kubectl("get", "spd", NAME, "-n", NAMESPACE, "-o", "yaml").stdout)
    status = body.get("status") or {}
    fresh = [c["status"] for c in status.get("conditions") or () if c["type"] == "MetricsAvailable"]
    return status.get("readyReplicas") == body["spec"]["replicas"] and fresh == ["True"]


def test_an_operator_that_is_not_healthy_fails_the_test_and_its_log_can_be_read(lab: RunningLab) -> None:
    space = lab.environment()
    lab.kubectl("scale", "deployment/breakeven", "-n", SYSTEM, "--replicas=0")
    lab.kubectl("wait", "pod", "-n", SYSTEM, "-l", "app.kubernetes.io/name=breakeven", "--for=delete", "--timeout=60s")
    tested = helm(*documented("tutorial.md", "helm test"), "--logs", environment=space)
    assert tested.returncode != 0
    assert "refused" in tested.stdout + tested.stderr
    lab.kubectl("scale", "deployment/breakeven", "-n", SYSTEM, "--replicas=1")
    lab.kubectl("rollout", "status", "deployment/breakeven", "-n", SYSTEM, "--timeout=120s")


def test_an_upgrade_and_an_uninstall_leave_the_engines_serving(lab: RunningLab) -> None:
    space = lab.environment()
    before = engines(lab)
    upgraded = helm(*documented("upgrade.md", "helm upgrade"), "--set", "replicas=2", environment=space)
    assert upgraded.returncode == 0, upgraded.stderr
    lab.kubectl("rollout", "status", "deployment/breakeven", "-n", SYSTEM, "--timeout=180s")
    tested = helm(*documented("upgrade.md", "helm test"), environment=space)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    back = helm("rollback", "breakeven", "--namespace", SYSTEM, "--wait", "--timeout", "120s", environment=space)
    assert back.returncode == 0, back.stderr
    gone = helm(*documented("uninstall.md", "helm uninstall"), "--wait", environment=space)
    assert gone.returncode == 0, gone.stderr
    lab.wait_for("no pod", lambda: not any("pod" in n for n in left(lab)))
    assert left(lab) == []
    assert engines(lab) == before and len(before) > 0


def left(lab: RunningLab) -> list[str]:
    kinds = "all,networkpolicies,poddisruptionbudgets,serviceaccounts,configmaps,leases,roles,rolebindings"
    found = lab.kubectl("get", kinds, "-n", SYSTEM, "-o", "name").stdout.split()
    return [name for name in found if "breakeven" in name]


def engines(lab: RunningLab) -> list[str]:
    """Pods that serve, by name."""
    ready = "{range .items[?(@.status.containerStatuses[0].ready==true)]}{.metadata.name}{'\\n'}{end}"
    return sorted(lab.kubectl("get", "pods", "-n", NAMESPACE, "-o", f"jsonpath={ready}").stdout.split())
