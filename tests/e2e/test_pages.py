"""The tutorial, and the blocks of the pages beside it, do what they are printed for."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.commands import ROOT, blocks, checkout, on_path

from breakeven.lab.handle import RunningLab
from breakeven.lab.settings import LabSettings

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]
DOCS = ROOT / "docs"
QUICK_S = 120


@dataclass
class Shell:
    """A user's shell in a checkout."""

    folder: Path
    environment: dict[str, str]

    def run(self, script: str, timeout_s: float) -> str:
        """What it prints. It ends at the first command that fails, and takes what it began in the background along."""
        log = self.folder / "printed.log"  # no pipe: what runs on in the background would keep it open
        with log.open("w", encoding="utf-8") as out:
            process = subprocess.Popen(
                ["bash", "-euo", "pipefail", "-c", script],
                cwd=self.folder,
                env=self.environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                code = process.wait(timeout_s)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        printed = log.read_text(encoding="utf-8")
        assert code == 0, f"{script}\n{printed}"
        return printed


def shell(folder: Path, **more: str) -> Shell:
    environment = os.environ | {"PATH": on_path(folder / "bin"), "PYTHONPATH": str(ROOT / "operator")} | more
    return Shell(checkout(folder / "checkout"), environment)


def test_the_tutorial_leads_from_nothing_to_two_verdicts(tmp_path: Path) -> None:
    user = shell(tmp_path, XDG_STATE_HOME=str(tmp_path / "state"))
    script = "\n".join(blocks(DOCS / "tutorial.md", "bash"))
    try:
        printed = user.run(script, timeout_s=850)
    finally:
        subprocess.run(["breakeven", "lab", "down", "--name", "tutorial"], env=user.environment, check=False)
    assert printed.index("Speculating") < printed.index("Switched on: ") < printed.index("Switched off: ")


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A shell beside a cluster with a resource and a release of the chart. Without an operator nothing moves."""
    folder = tmp_path_factory.mktemp("pages")
    with RunningLab.start(LabSettings(name="pages"), directory=folder / "lab") as lab:
        here = shell(folder, KUBECONFIG=str(lab.kubeconfig), XDG_STATE_HOME=str(folder / "state"))
        release = "breakeven charts/breakeven --namespace breakeven-system --create-namespace --set replicas=0"
        here.run(f"helm install {release}", QUICK_S)
        here.run("kubectl create namespace inference && kubectl apply -f docs/tutorial/llama.yaml", QUICK_S)
        yield here


@pytest.mark.parametrize("page", ["how-to.md", "troubleshooting.md", "upgrade.md", "uninstall.md"])
def test_the_blocks_of_a_page_run_in_its_order(user: Shell, page: str) -> None:
    found = blocks(DOCS / page, "bash")
    assert found
    for block in found:
        user.run(block, QUICK_S)


def test_times_of_other_zones_are_those_that_the_page_says(user: Shell) -> None:
    (block,) = (b for b in blocks(DOCS / "how-to.md", "bash") if b.startswith("date "))
    assert user.run(block, QUICK_S).split("\n")[:2] == ["20:00", "Mon 17:00"]


def test_nothing_is_left_after_the_last_page(user: Shell) -> None:
    left = user.run("kubectl get crd,clusterroles,clusterrolebindings -o name; kubectl get all -n breakeven-system", 60)
    assert "breakeven" not in left.replace("breakeven-system", "")
