"""The story itself, chapter by chapter, told with the commands a user would type."""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

import yaml

from breakeven.demo.figures import ArmFigures, Span, arm_figures
from breakeven.demo.operator import Operator, install
from breakeven.demo.processes import Process
from breakeven.demo.stage import Stage
from breakeven.demo.view import View
from breakeven.lab.errors import LabError
from breakeven.lab.handle import RunningLab
from breakeven.lab.reap import VARIABLE

LOAD_S = "1800"
"""Traffic ends by itself after this many seconds, whatever happens to the demo."""

Status = Mapping[str, Any]


class StoryError(Exception):
    """The story did not go as it should; the message says which chapter, what was waited for, and where to look."""


class Story:
    """One run of the demo on one lab."""

    def __init__(self, stage: Stage, lab: RunningLab, view: View, *, keep: bool = False) -> None:
        self.stage = stage
        self.lab = lab
        self.view = view
        self.keep = keep
        self.name: str = stage.resource["metadata"]["name"]
        self.namespace: str = stage.resource["metadata"]["namespace"]
        self.spans: list[Span] = []
        self.operator: Operator | None = None
        self._exits = ExitStack()
        self._load: Process | None = None

    def __enter__(self) -> "Story":
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    def tell(self) -> None:
        """Run all chapters.

        Raises
        ------
        StoryError
            If a chapter does not end as it should.
        """
        self.install()
        self.apply()
        self.promote()
        self.fall()
        if self.stage.comes_back:
            self.come_back()
        else:
            self.wait("the replicas to move", _off, self.stage.verdict_s)
        self.view.say("kubectl get spd\n" + self.lab.kubectl("get", "spd", "-n", self.namespace).stdout)

    def install(self) -> None:
        """CRD, rights and the operator under its own service account."""
        self.view.chapter("install: CRD, RBAC, operator")
        install(self.lab)
        self.operator = Operator(self.lab, outlive=self.keep)
        self._begin(self.operator)

    def apply(self) -> None:
        """kubectl apply, until every replica serves without speculation and the traffic has begun."""
        self.view.chapter(f"kubectl apply: {self.name}, {self.stage.resource['spec']['replicas']} replicas")
        self.lab.kubectl("create", "namespace", self.namespace, check=False)
        self.lab.kubectl("apply", "--filename", "-", input=yaml.safe_dump(self.stage.resource))
        self.wait("the first replicas to serve", lambda s: s.get("readyReplicas", 0) >= 1, self.stage.ready_s)
        self.traffic(self.stage.predictable)

    def promote(self) -> None:
        """A canary is measured against the stable variant and promoted."""
        self.view.chapter("traffic the draft predicts well: a canary is measured against the stable variant")
        self.wait("a canary", lambda s: s.get("state") == "Trial", self.stage.ready_s * 2)
        self.wait("speculation to be promoted", _speculating, self.stage.verdict_s + self.stage.ready_s)
        self.measure("predictable traffic, speculation on")

    def fall(self) -> None:
        """The traffic changes, speculation falls under break-even and is switched off."""
        self.view.chapter("the traffic turns to temperature 1.0: acceptance falls under break-even")
        self.traffic(self.stage.creative)
        began = time.time()
        self.wait("speculation to leave", lambda s: s.get("state") in ("Cooldown", "Baseline"), self.stage.verdict_s)
        self.spans.append(Span(title="creative traffic, speculation on", start=began + 3, end=time.time()))
        self.why()

    def come_back(self) -> None:
        """The traffic turns back, the next trial pays again."""
        self.view.chapter("the traffic turns back: after the cooldown a trial pays again")
        self.traffic(self.stage.predictable)
        self.wait("the replicas to move", _off, self.stage.verdict_s)
        self.wait("speculation to come back", _speculating, self.stage.verdict_s + self.stage.ready_s)

    def traffic(self, profile: str) -> None:
        """Point the load generator at the Service with another profile."""
        if self._load is not None:
            self._load.stop()
        url = self.lab.service_url(self.namespace, self.name)
        load = Process(
            ["load", "--url", url, "--profile", profile, "--duration", LOAD_S],
            log=self.lab.directory / "logs" / "load.log",
            environment={VARIABLE: self.lab.state.identity},
            outlive=self.keep,
        )
        self._load = self._begin(load)

    def measure(self, title: str) -> None:
        """Let the same traffic run on for a window, so that its figures can be read back."""
        start = time.time()
        self.watch_for(20.0)
        self.spans.append(Span(title=title, start=start, end=time.time()))

    def why(self) -> None:
        """What kubectl describe answers."""
        conditions = {c["type"]: c for c in self.status().get("conditions", [])}
        active = conditions.get("SpeculationActive", {})
        self.view.say(f"kubectl describe: SpeculationActive={active.get('status')} {active.get('message')}")

    def status(self) -> Status:
        """The resource's status as the API server has it; brought on screen too."""
        resource = yaml.safe_load(self.lab.kubectl("get", "spd", self.name, "-n", self.namespace, "-o", "json").stdout)
        self.view.show(resource)
        status: Status = resource.get("status") or {}
        return status

    def watch_for(self, seconds: float) -> None:
        """Keep the view alive for a while."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.status()
            time.sleep(0.5)

    def wait(self, what: str, reached: Callable[[Status], bool], timeout_s: float) -> Status:
        """Look until the status is as wanted.

        Raises
        ------
        StoryError
            If that takes longer than the time given.
        """
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            if self.operator is not None and self.operator.pid is None:
                raise StoryError(f"the operator has ended; its last words are in {self.operator.log}")
            status = self.status()
            if reached(status):
                return status
            time.sleep(0.5)
        raise StoryError(
            f"waited {timeout_s:.0f} s for {what}; the state is {self.status().get('state')!r}. "
            f"The operator's log is {self.lab.directory / 'logs' / 'operator.log'}; "
            "run with KEEP=1 and look at `kubectl describe spd`."
        )

    def _begin(self, process: Process) -> Process:
        process.start()
        if not self.keep:
            self._exits.callback(process.stop)
        return process

    def report(self) -> list[tuple[str, ArmFigures, ArmFigures]]:
        """Off and on figures of each span, from Prometheus."""
        seen = self.view.speculation_of
        off = next(name for name, speculation in seen.items() if speculation == "off")
        on = next(name for name, speculation in seen.items() if speculation != "off")
        return [
            (
                span.title,
                arm_figures(self.lab, namespace=self.namespace, deployment=f"{self.name}-{off}", span=span),
                arm_figures(self.lab, namespace=self.namespace, deployment=f"{self.name}-{on}", span=span),
            )
            for span in self.spans
        ]


def _speculating(status: Status) -> bool:
    variants = status.get("variants") or []
    settled = all(v["wanted"] == v["ready"] for v in variants)
    return status.get("state") == "Speculating" and settled and any(v["speculation"] != "off" for v in variants)


def _off(status: Status) -> bool:
    variants = status.get("variants") or []
    return all(v["wanted"] == v["ready"] if v["speculation"] == "off" else v["ready"] == 0 for v in variants)


def run(stage: Stage, *, keep: bool) -> int:
    """Tell the story; returns the exit code. Nothing is left running unless `keep` is set."""
    with View(stage.title) as view, ExitStack() as exits:
        try:
            view.chapter("a real etcd, kube-apiserver, scheduler, controller-manager and Prometheus on loopback")
            lab = RunningLab.start(stage.lab, progress=view.say, detached=keep)
            if not keep:
                exits.callback(lab.down)
            story = Story(stage, lab, view, keep=keep)
            if not keep:
                exits.enter_context(story)
            return _tell(story, view)
        except LabError as error:
            view.say(f"error: {error}")
            return 1


def _tell(story: Story, view: View) -> int:
    try:
        story.tell()
        view.table(story.report(), story.stage.provenance)
        return 0
    except (LabError, StoryError) as error:
        view.say(f"error: {error}")
        return 1
    finally:
        if story.keep:
            _say_how_to_look(story.lab, view)


def _say_how_to_look(lab: RunningLab, view: View) -> None:
    view.say(f"kept up. kubectl: export KUBECONFIG={lab.kubeconfig}; kubectl get spd -A -w")
    view.say(f"browser: {lab.prometheus_url}   logs: {lab.directory / 'logs'}")
    view.say(f"take it down: breakeven lab down --name {lab.state.name}")
