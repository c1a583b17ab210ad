"""Starting and ending labs: side by side, with users of limited rights, and without anything left behind."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from tests.support.lab import deployment, lab_settings, pod_spec

from breakeven.lab.errors import LabError
from breakeven.lab.handle import RunningLab
from breakeven.lab.reap import VARIABLE, marked
from breakeven.lab.state import read_state

pytestmark = pytest.mark.lab


def processes(identity: str) -> int:
    found = list(marked(VARIABLE, identity))
    for descriptor in found:
        os.close(descriptor)
    return len(found)


def test_a_service_account_has_the_rights_that_rbac_gives_it(lab: RunningLab, namespace: str) -> None:
    account = lab.kubeconfig_for(f"system:serviceaccount:{namespace}:limited")

    def may_list_pods() -> bool:
        answer = subprocess.run(
            [str(lab.tool("kubectl")), "get", "pods", "-n", namespace],
            env=lab.environment(account),
            capture_output=True,
            check=False,
        )
        return answer.returncode == 0

    assert not may_list_pods()
    lab.kubectl(
        "create", "rolebinding", "look", "--clusterrole=view", f"--serviceaccount={namespace}:limited", "-n", namespace
    )
    lab.wait_for("the right to list pods", may_list_pods)


def test_requests_are_audited_by_user(lab: RunningLab, namespace: str) -> None:
    lab.wait_for("an audit line", lambda: namespace in lab.audit_log.read_text())
    assert "lab-kubelet" in lab.audit_log.read_text()


def test_pods_outlive_a_restart_of_the_api_server(lab: RunningLab, namespace: str) -> None:
    lab.kubectl("apply", "-f", "-", input=deployment(namespace, "engine", pod_spec()))
    started = ("get", "pods", "-n", namespace, "-o", "jsonpath={.items[*].status.containerStatuses[*].containerID}")
    before = lab.wait_for("a container", lambda: lab.kubectl(*started).stdout)
    lab.stop_apiserver()
    assert lab.kubectl("get", "pods", check=False).returncode != 0
    lab.start_apiserver()
    assert lab.kubectl(*started).stdout == before
    lab.kubectl("scale", "deployment/engine", "--replicas=2", "-n", namespace)
    lab.wait_for("a second one", lambda: len(lab.kubectl(*started).stdout.split()) == 2)


def test_two_labs_run_side_by_side_and_go_down_whole(lab: RunningLab, tmp_path: Path) -> None:
    with RunningLab.start(lab_settings("second"), directory=tmp_path / "second") as second:
        identity = second.state.identity
        assert second.state.block != lab.state.block
        second.kubectl("create", "namespace", "only-here")
        spec = pod_spec(environment={"CHILD": "1", "STUBBORN": "1"})
        second.kubectl("apply", "-f", "-", input=deployment("only-here", "engine", spec))
        second.wait_for("its processes", lambda: processes(identity) == 7)  # 5 components, the pod and its child
        assert lab.kubectl("get", "namespace", "only-here", check=False).returncode != 0
        with pytest.raises(LabError, match="is up already"):
            RunningLab.start(lab_settings("second"), directory=tmp_path / "second")
    assert processes(identity) == 0
    assert not second.state.alive()
    with pytest.raises(LabError, match="no lab in"):
        RunningLab.attach(directory=tmp_path / "second")


@pytest.mark.parametrize("victim", ["the command that started it", "the lab itself"])
def test_kill_9_leaves_nothing(tmp_path: Path, victim: str) -> None:
    directory = tmp_path / "doomed"
    program = textwrap.dedent(f"""
        import sys
        from pathlib import Path
        from breakeven.lab.handle import RunningLab
        from tests.support.lab import deployment, lab_settings, pod_spec
        lab = RunningLab.start(lab_settings("doomed"), directory=Path({str(directory)!r}))
        spec = pod_spec(environment={{"CHILD": "1", "STUBBORN": "1"}})
        lab.kubectl("apply", "-f", "-", input=deployment("default", "engine", spec))
        print("up", flush=True)
        sys.stdin.read()
    """)
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=dict(os.environ) | {"PYTHONPATH": os.pathsep.join(sys.path)},
    ) as command:
        assert command.stdout is not None
        assert command.stdout.readline() == b"up\n"
        state = read_state(directory)
        waiting = RunningLab(directory, state)
        waiting.wait_for("its processes", lambda: processes(state.identity) == 7)
        os.kill(command.pid if victim == "the command that started it" else state.pid, signal.SIGKILL)
        waiting.wait_for("their end", lambda: processes(state.identity) == 0 and not state.alive(), timeout=20)
        command.kill()
