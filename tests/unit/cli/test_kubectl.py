"""`kubectl breakeven`: text, documents, exit codes, and never a traceback."""

import json
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from tests.support.fake_kubectl import Cluster, deployment, resource
from tests.support.reports import full_reports
from typer.testing import CliRunner, Result

from breakeven.api.names import COMMAND
from breakeven.api.status import State, Status
from breakeven.cli.kubectl.app import EXIT_CODES, build
from breakeven.cli.kubectl.completion import candidates
from breakeven.plugin.errors import PluginError

NAME = "llama-70b"
REPORT = full_reports(resource()["spec"])[State.SPECULATING]
ROOT = Path(__file__).parents[3]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    world = Cluster(resources=[resource(REPORT)])
    monkeypatch.setattr("breakeven.plugin.kubectl.Kubectl", world.kubectl)
    monkeypatch.delenv("BREAKEVEN_PROMETHEUS_URL", raising=False)
    yield world


def run(*arguments: str) -> Result:
    return CliRunner().invoke(build(), list(arguments))


def test_status_is_a_screen_and_a_document(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("breakeven.cli.kubectl.show._now", lambda: datetime(2026, 11, 26, 12, tzinfo=UTC))
    shown = run("status", NAME)
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.splitlines()[0] == f"inference/{NAME}"
    assert "changes it" in shown.stdout and "Speculating since" in shown.stdout
    document = json.loads(run("status", NAME, "-o", "json").stdout)
    assert (document["state"], document["speculating"]) == ("Speculating", True)
    assert document["figures"]["speedup"] == 0.714
    assert yaml.safe_load(run("status", NAME, "-o", "yaml").stdout) == document


def test_status_without_a_name_is_a_line_for_each_resource(cluster: Cluster) -> None:
    cluster.resources += [resource(namespace="b", name="other")]
    shown = run("status", "-A").stdout.splitlines()
    assert [line.split()[:2] for line in shown[1:]] == [["b", "other"], ["inference", NAME]]
    assert len(json.loads(run("status", "-A", "-o", "json").stdout)) == 2
    empty = run("status", "-n", "elsewhere")
    assert (empty.exit_code, empty.stdout) == (0, "") and "-A" in empty.stderr


def test_exit_codes_say_what_kind_of_trouble_it_is(cluster: Cluster) -> None:
    assert run("status", NAME, "--exit-code").exit_code == 0
    cluster.resources = [resource()]
    assert run("status", NAME, "--exit-code").exit_code == 4
    assert run("status", NAME).exit_code == 0
    missing = run("status", "none")
    assert missing.exit_code == 3 and f"there are inference/{NAME}" in missing.stderr
    elsewhere = run("why", NAME, "-n", "default")
    assert elsewhere.exit_code == 3 and "-n inference" in elsewhere.stderr
    assert run("status", NAME, "-n", "a", "-A").exit_code == 2
    assert run("watch", NAME, "--until", "Fast").exit_code == 2
    assert run("history", NAME, "--since", "long").exit_code == 2
    assert run("nonsense").exit_code == 2
    cluster.down = PluginError("the cluster is not reached")
    for command in (["status"], ["why", NAME], ["history", NAME], ["diff", NAME], ["off", NAME], ["bundle", NAME]):
        result = run(*command)
        assert (result.exit_code, result.stdout) == (1, "") and result.stderr == "error: the cluster is not reached\n"


def test_a_fault_of_ours_is_a_sentence(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(*_: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("breakeven.plugin.story.story", fault)
    result = run("why", NAME)
    assert result.exit_code == 1 and isinstance(result.exception, SystemExit)
    assert "ZeroDivisionError: oops" in result.stderr and "Traceback" not in result.output


def test_why_diff_and_plan_answer_from_the_cluster(cluster: Cluster) -> None:
    assert "SpeculationActive" in run("why", NAME).stdout
    assert "+--speculative-config" in run("diff", NAME).stdout
    assert [v["speculation"].split()[0] for v in json.loads(run("diff", NAME, "-o", "json").stdout)] == [
        "off",
        "DraftModel",
    ]
    assert "+++ pod" in run("diff", NAME, "--pods").stdout
    planned = run("plan", NAME, "-o", "json", "--batch", "1,32")
    assert planned.exit_code == 0, planned.output
    assert json.loads(planned.stdout)
    assert run("plan", NAME, "--batch", "many").exit_code == 2


@pytest.mark.parametrize(("command", "asks"), [("measure", "--file"), ("adopt", "--from")])
def test_other_commands_get_the_chosen_context_and_their_own_options(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, command: str, asks: str
) -> None:
    seen: dict[str, str] = {}

    def called(name: str, *arguments: str) -> None:
        config = Path(arguments[arguments.index("--kubeconfig") + 1])
        seen.update(
            name=name, config=config.read_text(), mode=oct(config.stat().st_mode & 0o777), rest=" ".join(arguments)
        )

    monkeypatch.setattr("breakeven.cli.kubectl.passed_on._breakeven", called)
    subject = NAME if command == "measure" else f"deployment/{NAME}"
    assert run(command, subject, "-n", "inference", "--image", "x").exit_code == 0
    assert (seen["name"], seen["config"], seen["mode"]) == (command, "the chosen context alone", "0o600")
    assert seen["rest"].startswith(f"{asks} ") and seen["rest"].endswith("--image x")


def test_history_says_where_it_is_from(cluster: Cluster) -> None:
    shown = run("history", NAME)
    assert shown.exit_code == 0 and "ledger" in shown.stdout and "--prometheus" in shown.stderr
    document = json.loads(run("history", NAME, "-o", "json", "--limit", "2").stdout)
    assert len(document["decisions"]) == 2 and "ledger" in document["source"]
    cluster.objects["deployments"] = PluginError("deployments is forbidden")
    assert "deployments is forbidden" in run("history", NAME).stderr


def test_history_goes_through_the_api_server_to_the_operators_prometheus(cluster: Cluster) -> None:
    variable = {"name": "BREAKEVEN_PROMETHEUS_URL", "value": "http://prometheus.monitoring.svc:9090/prefix"}
    template = {"spec": {"containers": [{"env": [variable]}]}}
    cluster.objects["deployments"] = [{"metadata": {}, "spec": {"template": template}}]
    labels = {"__name__": "breakeven_decisions_total", "action": "Promote", "reason": "Pays"}
    samples = [[1_790_000_000 + 600 * n, "1" if n < 3 else "2"] for n in range(5)]
    result = {"resultType": "matrix", "result": [{"metric": labels, "values": samples}]}
    path = (
        "/namespaces/monitoring/services/prometheus:9090/proxy/prefix/api/v1/query?query=%28breakeven_decisions_total"
    )
    cluster.raw = {path: json.dumps({"status": "success", "data": result})}
    cluster.raw["speedup"] = json.dumps({"status": "success", "data": {"resultType": "matrix", "result": []}})
    cluster.resources = [
        resource(REPORT.model_copy(update={"memory": REPORT.memory.model_copy(update={"decisions": []})}))
    ]
    document = json.loads(run("history", NAME, "-o", "json").stdout)
    assert [(d["action"], d["source"]) for d in document["decisions"]][:1] == [("Promote", "prometheus")]
    assert "through the API server" in document["source"]
    cluster.raw[path] = "<html>login</html>"
    assert "not JSON" in run("history", NAME).stderr


def test_watch_prints_what_changes_and_ends_when_told(cluster: Cluster) -> None:
    assert run("watch", NAME, "--until", "speculating").exit_code == 0
    waiting = run("watch", NAME, "--until", "Trial", "--timeout", "300ms", "--interval", "0.2")
    assert waiting.exit_code == 1 and len(waiting.stdout.splitlines()) == 1
    assert run("watch", NAME, "--timeout", "1ms").exit_code == 0


def test_watch_outlives_an_api_server_that_is_away_for_a_moment(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sleep(_: float) -> None:
        cluster.down = None if cluster.down else PluginError("the cluster is not reached")

    monkeypatch.setattr("time.sleep", sleep)
    watched = run("watch", f"spd/{NAME}", "--timeout", "200ms")
    assert watched.exit_code == 0 and "not reached" in watched.stderr
    assert len(watched.stdout.splitlines()) == 1


def answering(cluster: Cluster, refused: str = "") -> None:
    """The operator takes the command as soon as it is patched in."""
    patch = cluster.patches.append

    def take(change: dict[str, Any]) -> None:
        patch(change)
        identity = change["metadata"]["annotations"][COMMAND]
        memory = REPORT.memory.model_copy(update={"command": identity, "command_refused": refused})
        answer = f"{identity}: {'refused, ' + refused if refused else 'carried out'}"
        cluster.resources[:] = [resource(REPORT.model_copy(update={"memory": memory, "command": answer}))]

    cluster.patches = type("Patches", (list,), {"append": staticmethod(take)})()


@pytest.mark.parametrize("word", ["promote", "abort", "retry", "restart"])
def test_a_command_waits_for_the_answer(cluster: Cluster, word: str) -> None:
    answering(cluster)
    done = run(word, NAME)
    assert done.exit_code == 0 and "carried out" in done.stdout


def test_a_refused_command_and_a_silent_operator_end_with_1(cluster: Cluster) -> None:
    silent = run("abort", NAME, "--wait", "0.1")
    assert silent.exit_code == 1 and "did not answer" in silent.stderr
    assert run("abort", NAME, "--wait", "0").exit_code == 0
    answering(cluster, refused="spec.policy.paused is true")
    refused = run("promote", NAME)
    assert refused.exit_code == 1 and "spec.policy.paused" in refused.stdout


def test_switches_patch_the_policy_and_say_when_git_will_undo_it(cluster: Cluster) -> None:
    cluster.resources = [resource(REPORT, labels={"kustomize.toolkit.fluxcd.io/name": "apps"})]
    for word, change in (("off", {"mode": "AlwaysOff"}), ("pause", {"paused": True})):
        done = run(word, NAME)
        assert done.exit_code == 0
        assert cluster.patches.pop()["spec"]["policy"] == change
        assert "Flux" in done.stderr and "Git" in done.stderr
    for word in ("on", "auto", "resume"):
        done = run(word, NAME)
        assert (done.exit_code, done.stderr, cluster.patches) == (0, "", [])


def test_a_bundle_is_one_file_whose_name_is_printed(cluster: Cluster, tmp_path: Path) -> None:
    cluster.objects["pods"] = PluginError("pods is forbidden")
    done = run("bundle", NAME, "-o", str(tmp_path / "b.tar.gz"))
    assert done.exit_code == 0 and done.stdout == f"{tmp_path / 'b.tar.gz'}\n"
    assert "not in it: pods: pods is forbidden" in done.stderr
    with tarfile.open(tmp_path / "b.tar.gz") as archive:
        assert f"breakeven-inference-{NAME}/resource.yaml" in archive.getnames()
    assert run("bundle", NAME, "-o", str(tmp_path / "b.tar.gz")).exit_code == 1


def test_what_others_wrote_cannot_move_the_cursor(cluster: Cluster) -> None:
    forged = REPORT.model_copy(update={"hold": "x\x1b[2J\x07"})
    body = resource(forged)
    body["status"]["hold"] = "x\x1b[2J\x07"
    cluster.resources = [body]
    for command in (["status", NAME], ["why", NAME], ["status"]):
        assert "\x1b" not in run(*command).stdout


def test_kubectls_completion_gets_candidates_and_a_directive(cluster: Cluster) -> None:
    assert candidates(["sta"]) == ["status\tOne screen: state, why, figures, gain,...", ":4"]
    assert candidates(["status", "ll"])[:1] == [NAME]
    assert candidates(["completion", ""]) == ["bash", "zsh", "fish", ":4"]
    assert candidates(["bundle", NAME, "-o", ""]) == [":0"]
    cluster.down = PluginError("away")
    assert candidates(["status", "ll"]) == [":0"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_is_about_the_plugin(shell: str) -> None:
    shown = run("completion", shell)
    assert (
        shown.exit_code == 0 and "kubectl-breakeven" in shown.stdout and "_KUBECTL_BREAKEVEN_COMPLETE" in shown.stdout
    )


def commands() -> dict[str, Any]:
    found: dict[str, Any] = typer.main.get_command(build()).commands  # type: ignore[attr-defined] # it is a group
    return found


@pytest.mark.parametrize("name", sorted(commands()))
def test_help_has_an_example_and_says_what_each_option_is_for(name: str) -> None:
    command = commands()[name]
    assert f"kubectl breakeven {name}" in (command.help or "").partition("Example")[2]
    assert [p.name for p in command.params if getattr(p, "help", "") in (None, "")] == []
    shown = run(name, "--help")
    assert shown.exit_code == 0


def test_exit_codes_are_in_the_help_and_in_the_page() -> None:
    assert EXIT_CODES[:40] in " ".join(run("--help").stdout.split())
    page = (ROOT / "docs" / "kubectl.md").read_text(encoding="utf-8")
    assert [name for name in commands() if f"`{name}" not in page] == []
    assert all(f"| {code} |" in page for code in (0, 1, 2, 3, 4, 130))


def test_an_empty_status_is_an_answer_too(cluster: Cluster) -> None:
    cluster.resources = [resource(Status())]
    for command in ("status", "why", "history", "diff"):
        assert run(command, NAME).exit_code == 0


def test_dashboard_opens_the_page_of_a_resource_and_says_when_the_way_ends(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    cluster.objects["deployments"] = [deployment("breakeven-system", "8081")]
    shown = run("dashboard", NAME)
    url = f"http://127.0.0.1:41233/inference/{NAME}"
    assert (shown.exit_code, shown.stdout.strip(), opened) == (1, url, [url])
    assert "the forwarding ended" in shown.stderr
    assert cluster.forwarded[0][0] == "port-forward" and cluster.forwarded[0][-1] == ":8081"
    assert run("dashboard", "--no-browser").stdout.strip() == "http://127.0.0.1:41233/"
    assert opened == [url]
