"""`kubectl breakeven` with the real kubectl on a real control plane, as README and docs/kubectl.md print it.

And each query of the dashboard, and each rule, on a real Prometheus that scrapes the operator.
"""

import json
import os
import re
import shlex
import signal
import subprocess
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

import pytest
import yaml
from tests.support.browser import Colours, chromium, inaccessible, opened, picture
from tests.support.commands import on_path
from tests.support.loop import NAMESPACE, Cluster, actions, declare, speculating
from tests.support.monitoring import queries
from tests.support.scraper import Scraper

from breakeven import __version__
from breakeven.api.names import GPU_HOUR_PRICE
from breakeven.demo.operator import NAMESPACE as SYSTEM
from breakeven.demo.operator import Operator, install
from breakeven.lab.handle import RunningLab
from breakeven.lab.settings import H200, LabSettings, NodeSettings
from breakeven.plugin.history import of_series
from breakeven.plugin.prometheus import looked_at, reached
from breakeven.plugin.resources import read

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]
ROOT = Path(__file__).parents[2]
RULES = ROOT / "charts" / "breakeven" / "rules" / "breakeven.yaml"
NAME = "llama"
SECRET = "a-value-of-the-engines-environment"
MACROS = {"$__rate_interval": "30s", "$namespace": ".*", "$name": ".*"}


@dataclass
class Day:
    """A resource that speculates, and the means to look at it."""

    cluster: Cluster
    scraper: Scraper
    path: str
    """PATH with kubectl and the plugin on it."""

    def kubectl(self, *arguments: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
        """The real kubectl, which finds the plugin on PATH."""
        lab = self.cluster.lab
        done = subprocess.run(
            ["kubectl", *arguments],
            env=lab.environment() | {"PATH": self.path, "PYTHONPATH": str(ROOT / "operator")},
            cwd=lab.directory,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, f"{arguments}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    def plugin(self, *arguments: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
        return self.kubectl("breakeven", *arguments, code=code)


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    folder = tmp_path_factory.mktemp("day")
    settings = LabSettings(name="day", nodes=(NodeSettings(name="h200", product=H200, gpus=8),))
    with RunningLab.start(settings, directory=folder / "lab") as lab:
        install(lab)
        lab.kubectl("create", "namespace", NAMESPACE)
        with Operator(lab) as operator, Scraper(
            lab.tool("prometheus"), folder / "prometheus", operator=operator.address, rules=RULES
        ) as scraper:  # fmt: skip
            world = Cluster(lab, operator)
            resource = declare(NAME)
            resource["metadata"]["annotations"] = {GPU_HOUR_PRICE: "2.50 EUR"}
            resource["spec"]["engine"]["env"] = [{"name": "EXTRA", "value": SECRET}]
            resource["spec"]["evidence"]["trialTimeout"] = "2m"  # no promotion waits for the 500 requests of a P99
            world.apply(resource)
            world.apply(declare("refused", engine={"image": "vllm/vllm-openai:v0.12.0"}))
            world.wait(NAME, "replicas serve", lambda s: s.get("readyReplicas", 0) == 3)
            world.traffic(NAME, "greedy")
            world.wait(NAME, "promotion", speculating)
            yield Day(world, scraper, on_path(folder / "bin"))
            world.quiet(NAME)


def documented() -> list[str]:
    """Commands in the blocks of the pages; what follows `#` is said beside them."""
    pages = [ROOT / "README.md", ROOT / "docs" / "kubectl.md", ROOT / "docs" / "dashboard.md"]
    fenced = [block for page in pages for block in page.read_text("utf-8").split("```")[1::2]]
    found = [line.partition(" #")[0].strip() for block in fenced for line in block.splitlines()]
    return [
        line.removeprefix("$ ")
        for line in dict.fromkeys(found)
        if line.removeprefix("$ ").startswith("kubectl breakeven")
    ]


def test_the_commands_of_the_pages_do_what_they_are_printed_for(day: Day) -> None:
    commands = documented()
    assert {command.split()[2] for command in commands} >= {"status", "why", "history", "off", "on", "bundle"}
    for command in (c for c in commands if c.split()[2] != "dashboard"):  # has no end of its own: tested below
        done = day.kubectl(*shlex.split(command)[1:])
        assert done.stdout, command
        day.cluster.wait(NAME, f"rest after {command}", lambda s: bool(s.get("state")))
    mode = day.cluster.resource(NAME)["spec"]["policy"].get("mode", "Auto")
    assert mode == "Auto", "the pages end where they began"


def test_dashboard_opens_the_page_of_the_operator_until_it_is_ended(day: Day, tmp_path: Path) -> None:
    """All is real but the forwarding, which the lab's kubelet lacks: kubectl's words, and the operator's port."""
    lab, page = day.cluster.lab, day.cluster.operator.page
    lab.kubectl("apply", "-f", "-", input=yaml.safe_dump(operator_of_the_chart(page)))
    kubectl = tmp_path / "kubectl"
    says = f"Forwarding from {page.removeprefix('http://').rstrip('/')} -> 8081"
    forwards = f'*" port-forward "*) echo "{says}"; exec sleep 600 ;;'
    kubectl.write_text(f'#!/bin/sh\ncase " $* " in {forwards} *) exec {lab.tool("kubectl")} "$@" ;; esac\n')
    kubectl.chmod(0o755)
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" >> {tmp_path}/opened\n')
    browser.chmod(0o755)
    commands = [command for command in documented() if command.split()[2] == "dashboard"]
    addresses = [until_interrupted(day, shlex.split(command)[1:], folder=tmp_path) for command in commands]
    assert addresses == [page, f"{page}{NAMESPACE}/{NAME}"]
    lab.kubectl("delete", "deployment", "breakeven", "-n", SYSTEM)


def test_the_page_of_the_operator_shows_what_the_status_says(day: Day, pytestconfig: pytest.Config) -> None:
    """In a real browser, light and dark; all states, keyboard and so on: tests/component/test_page_in_a_browser.py."""
    day.cluster.wait(NAME, "speculation", speculating, timeout=400)
    said = read(day.cluster.resource(NAME)).status
    folder, page = pytestconfig.getoption("--screenshots"), day.cluster.operator.page
    with chromium() as browser:
        for colours in get_args(Colours):
            with opened(browser, page, colours=colours) as fleet:
                assert fleet.locator("tbody tr").count() == 2 and "1 to look at" in fleet.inner_text("main")
                assert inaccessible(fleet) == []
                picture(fleet, folder, f"live-fleet-{colours}", height=600)
            with opened(browser, f"{page}{NAMESPACE}/{NAME}", colours=colours) as one:
                text = " ".join(one.inner_text("main").split())
                assert all(" ".join(d.message.split()) in text for d in said.memory.decisions)
                assert "Speculating" in text
                one.locator("svg .line.on").first.wait_for(
                    timeout=120_000
                )  # a first verdict, and the page renews itself
                assert inaccessible(one) == []
                picture(one, folder, f"live-page-{colours}", height=1560)


def operator_of_the_chart(page: str) -> dict[str, Any]:
    """The operator's Deployment as far as it is looked at; without a replica, for here the operator is a process."""
    labels = {"app.kubernetes.io/name": "breakeven"}
    port = {"name": "BREAKEVEN_PAGE_PORT", "value": str(urlsplit(page).port)}
    container = {"name": "operator", "image": "registry.example/breakeven", "env": [port]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "breakeven", "namespace": SYSTEM, "labels": labels},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def until_interrupted(day: Day, arguments: list[str], *, folder: Path) -> str:
    """The address that its browser opens, which is the one it prints; then it is ended as by Ctrl-C."""
    opened = folder / "opened"
    opened.unlink(missing_ok=True)
    environment = day.cluster.lab.environment() | {
        "PATH": f"{folder}:{day.path}",
        "PYTHONPATH": str(ROOT / "operator"),
        "BROWSER": str(folder / "browser"),
    }
    # A test that runs in the background of a shell inherits that Ctrl-C is ignored.
    command = ["env", "--default-signal=INT", "kubectl", *arguments]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        seen = day.cluster.lab.wait_for("the browser", lambda: opened.exists() and opened.read_text(), timeout=60)
        os.killpg(process.pid, signal.SIGINT)
        printed, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, printed) == (130, seen)
    return printed.strip()


def test_one_screen_says_what_the_status_says(day: Day) -> None:
    day.cluster.wait(NAME, "speculation", speculating, timeout=400)
    shown = day.plugin("status", NAME, "-n", NAMESPACE).stdout
    status = day.cluster.status(NAME)
    assert status["engineVersion"] in shown and status["ready"] in shown
    assert "Switched on: " in shown and "`kubectl breakeven abort llama`" in shown
    card = json.loads(day.plugin("status", NAME, "-n", NAMESPACE, "-o", "json").stdout)
    assert card["state"] == "Speculating" and card["figures"]["speedup"] > 1
    assert "EUR" in card["gained"]
    fleet = day.plugin("status", "-A", "--exit-code", code=4).stdout
    assert [line.split()[1] for line in fleet.splitlines()[1:]] == [NAME, "refused"]
    assert "0.15" in day.plugin("why", "refused", "-n", NAMESPACE).stdout
    assert "+--speculative-config" in day.plugin("diff", NAME, "-n", NAMESPACE).stdout
    assert json.loads(day.plugin("plan", NAME, "-n", NAMESPACE, "-o", "json").stdout)
    day.plugin("watch", NAME, "-n", NAMESPACE, "--until", "Speculating", "--timeout", "60s")


def test_the_log_begins_with_release_and_settings(day: Day) -> None:
    first = (day.cluster.lab.directory / "logs" / "operator.log").read_text().splitlines()[0]
    assert f"breakeven {__version__} on Python" in first and "prometheus_url=http://127." in first


def test_mistakes_end_with_their_code_and_a_sentence(day: Day) -> None:
    assert "-n inference" in day.plugin("status", NAME, "-n", "default", code=3).stderr
    assert "nope" in day.plugin("status", "--context", "nope", code=1).stderr
    assert "cluster-info" in day.plugin("status", "--kubeconfig", "/dev/null", code=1).stderr
    day.plugin("status", "--nonsense", code=2)
    limited = day.cluster.lab.kubeconfig_for("nobody-special")
    assert "rbac.aggregate" in day.plugin("status", "-A", f"--kubeconfig={limited}", code=1).stderr


def test_kubectl_completes_the_plugin(day: Day) -> None:
    assert day.kubectl("__complete", "breakeven", "sta").stdout.startswith("status\t")
    names = day.kubectl("__complete", "breakeven", "status", "-n", NAMESPACE, "").stdout.splitlines()
    assert [name for name in names if not name.startswith(":")] == [NAME, "refused"]


def test_history_is_the_same_from_prometheus_as_from_the_ledger(day: Day) -> None:
    status = day.cluster.status(NAME)
    found = read(day.cluster.resource(NAME))
    with reached(None, day.scraper.url) as asks:  # type: ignore[arg-type] # an address needs no kubectl
        counters = looked_at(asks, "breakeven_decisions_total", found, seconds=3600)
    decided = of_series(counters, [], begin=time.time() - 3600, step=15)
    assert sorted(e.action for e in decided) == sorted(actions(status))
    document = json.loads(
        day.plugin("history", NAME, "-n", NAMESPACE, "--prometheus", day.scraper.url, "-o", "json").stdout
    )
    assert [d["action"] for d in reversed(document["decisions"])] == actions(status)
    assert "the ledger, and before it 127.0.0.1" in document["source"]
    alone = day.plugin("history", NAME, "-n", NAMESPACE)
    assert "--prometheus" in alone.stderr and "Promote" in alone.stdout


def test_a_bundle_of_a_real_resource_has_no_value_of_the_environment(day: Day, tmp_path: Path) -> None:
    path = tmp_path / "b.tar.gz"
    day.plugin("bundle", NAME, "-n", NAMESPACE, "-o", str(path), "--engine-logs")
    with tarfile.open(path) as archive:
        texts = {m.name.partition("/")[2]: archive.extractfile(m).read().decode() for m in archive}  # type: ignore[union-attr] # all are files
    assert [name for name, text in texts.items() if SECRET in text] == []
    assert {"resource.yaml", "details.json", "events.yaml", "objects/pods.yaml"} <= set(texts)
    assert len(yaml.safe_load(texts["objects/pods.yaml"])) == len(day.cluster.pods(NAME))
    assert "operator: no pod" in texts["README.txt"], "it runs as a process here"


def test_every_query_of_the_dashboard_has_an_answer(day: Day) -> None:
    def answered(text: str) -> bool:
        for macro, value in MACROS.items():
            text = text.replace(macro, value)
        return bool(day.scraper.query(text))

    day.cluster.lab.wait_for(
        "a minute of samples", lambda: day.scraper.query("count_over_time(breakeven_leader[1m]) > 45"), timeout=120
    )
    empty = []
    for title, text in queries():
        if text.startswith("label_values("):
            series = re.sub(r"^label_values\((.*), \w+\)$", r"\1", text)
            text = series
        if not answered(text):
            empty.append(f"{title}: {text}")
    assert empty == []


def test_every_rule_is_evaluated_and_none_fires_without_a_cause(day: Day) -> None:
    groups = day.scraper.get("rules")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) == len(re.findall(r"alert: ", RULES.read_text(encoding="utf-8")))
    assert [(r["name"], r["health"], r.get("lastError")) for r in rules if r["health"] != "ok"] == []
    pending = {alert["labels"]["alertname"]: alert["labels"] for r in rules for alert in r["alerts"]}
    assert pending["BreakevenRefused"]["name"] == "refused"
    assert set(pending) <= {"BreakevenRefused", "BreakevenNotReady"}, pending


def test_switches_and_commands_reach_the_operator(day: Day) -> None:
    day.cluster.wait(NAME, "speculation", speculating, timeout=400)
    where = (NAME, "-n", NAMESPACE)
    assert "carried out" in day.plugin("abort", *where).stdout
    assert actions(day.cluster.status(NAME))[-1] == "Disable"
    assert "carried out" in day.plugin("promote", *where).stdout
    assert "carried out" in day.plugin("retry", *where).stdout
    day.plugin("pause", *where)
    assert "spec.policy.paused is true" in day.plugin("promote", *where, code=1).stdout
    day.plugin("resume", *where)
    assert "AlwaysOff" in day.plugin("off", *where).stdout
    day.cluster.wait(NAME, "off", lambda s: actions(s)[-1] == "Pin")
    assert "off already" in day.plugin("off", *where).stdout
    day.plugin("on", *where)
    policy = day.cluster.resource(NAME)["spec"]["policy"]
    assert policy["mode"] == "Auto" and policy.get("paused") is False
    lab = day.cluster.lab
    lab.kubectl("label", "spd", NAME, "-n", NAMESPACE, "kustomize.toolkit.fluxcd.io/name=apps")
    assert "Flux manages this resource" in day.plugin("off", *where).stderr
    day.plugin("auto", *where)
