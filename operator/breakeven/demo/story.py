"""The story itself, chapter by chapter, told with the commands a user would type.

What it waits for are decisions in the ledger, which cannot be missed, and limits stretch with the machine.
"""

import time
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack, suppress
from typing import Any

import yaml

from breakeven.demo.details import details
from breakeven.demo.figures import ArmFigures, Span, arm_figures
from breakeven.demo.ledger import Ledger, Line, when
from breakeven.demo.operator import Operator, install
from breakeven.demo.processes import Process
from breakeven.demo.stage import Stage
from breakeven.demo.view import View
from breakeven.lab.errors import LabError
from breakeven.lab.handle import RunningLab
from breakeven.lab.pace import BUSY, MOST, Pace, Patience, this_machine
from breakeven.lab.reap import VARIABLE

LOAD_S = "7200"
"""Traffic ends by itself after this many seconds, whatever happens to the demo."""
ON, OFF = ("Promote",), ("Disable", "RollBack")
"""Decisions that end with speculation on all but the held-back replicas, and with none."""
LEASE_S = 60
"""Longer than the operator's default: a busy machine renews late."""
RESTARTS = 3
"""Times the operator is started again when it ends, as its Deployment would."""
TRIES_S = 10.0
"""How long the pace of the machine is looked at before the demo is called off."""
TOO_SLOW = 2 * MOST
"""Seconds for a second of work at which the demo does not begin."""

Status = Mapping[str, Any]


class StoryError(Exception):
    """The story did not go as it should; the message says which chapter, what was waited for, and where to look."""


class Story:
    """One run of the demo on one lab."""

    def __init__(
        self,
        stage: Stage,
        lab: RunningLab,
        view: View,
        *,
        keep: bool = False,
        pace: Pace | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.stage = stage
        self.lab = lab
        self.view = view
        self.keep = keep
        self.name: str = stage.resource["metadata"]["name"]
        self.namespace: str = stage.resource["metadata"]["namespace"]
        self.spans: list[Span] = []
        self.operator: Operator | None = None
        self.ledger = Ledger()
        self._pace = pace or this_machine()
        self._sleep = sleep
        self._restarts = 0
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
            self.wait("every replica to serve its variant", _settled, self.stage.verdict_s)
        self.view.say("kubectl get spd\n" + self.lab.kubectl("get", "spd", "-n", self.namespace).stdout)

    def install(self) -> None:
        """CRD, rights and the operator under its own service account."""
        self.view.chapter("install: CRD, RBAC, operator")
        install(self.lab)
        self.operator = Operator(self.lab, lease_s=LEASE_S, outlive=self.keep)
        self._begin(self.operator)

    def apply(self) -> None:
        """kubectl apply, until every replica serves without speculation and the traffic has begun."""
        self.view.chapter(f"kubectl apply: {self.name}, {self.stage.resource['spec']['replicas']} replicas")
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
        objects = yaml.safe_dump_all([namespace, self.stage.resource])
        self.lab.wait_for(
            "kubectl apply", lambda: self.lab.kubectl("apply", "--server-side", "--filename", "-", input=objects)
        )
        self.wait("the first replicas to serve", lambda s: s.get("readyReplicas", 0) >= 1, self.stage.ready_s)
        self.traffic(self.stage.predictable)

    def promote(self) -> None:
        """A canary is measured against the stable variant and promoted."""
        self.view.chapter("traffic the draft predicts well: a canary is measured against the stable variant")
        self.decision("a canary to be started", ("StartTrial",), self.stage.ready_s * 2, after=0)
        self.decision("speculation to be promoted", ON, self.stage.verdict_s + self.stage.ready_s, after=0)
        self.wait("every replica to serve its variant", _settled, self.stage.verdict_s)
        self.measure("predictable traffic, speculation on")

    def fall(self) -> None:
        """The traffic changes, speculation falls under break-even and is switched off."""
        while (line := self.ledger.last((*ON, *OFF))) and line["action"] in OFF:
            self.view.say(f"switched off before the traffic turned ({line['reason']}): waiting for the next promotion")
            mark = self.ledger.mark
            self.decision("speculation to come back", ON, self.stage.verdict_s + self.stage.ready_s, after=mark)
        self.view.chapter("the traffic turns to temperature 1.0: acceptance falls under break-even")
        mark, began = self.ledger.mark, time.time()
        self.traffic(self.stage.creative)
        line = self.decision("speculation to be switched off", OFF, self.stage.verdict_s, after=mark)
        self.spans.append(Span(title="creative traffic, speculation on", start=began + 3, end=when(line)))
        self.why(line)

    def come_back(self) -> None:
        """The traffic turns back, the next trial pays again."""
        self.view.chapter("the traffic turns back: after the cooldown a trial pays again")
        mark = self.ledger.mark
        self.traffic(self.stage.predictable)
        self.decision("speculation to come back", ON, 2 * self.stage.verdict_s + self.stage.ready_s, after=mark)
        self.wait("every replica to serve its variant", _settled, self.stage.verdict_s)

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

    def why(self, decided: Line) -> None:
        """What kubectl describe answers; a trial may have begun since, so the decision stands beside it."""
        conditions = {c["type"]: c for c in self.status().get("conditions", [])}
        active = conditions.get("SpeculationActive", {"status": "False", "message": decided["message"]})
        self.view.say(f"kubectl describe: SpeculationActive={active['status']} {active['message']}")

    def status(self) -> Status:
        """The resource's status as the API server has it; its decisions are taken in, and it is brought on screen."""
        resource = yaml.safe_load(self.lab.kubectl("get", "spd", self.name, "-n", self.namespace, "-o", "json").stdout)
        status: Status = resource.get("status") or {}
        for line in self.ledger.read(status):
            self.view.say(f"decision: {line['action']} ({line['reason']}): {line['message']}")
        self.view.show(resource)
        return status

    def watch_for(self, seconds: float) -> None:
        """Keep the view alive for a while."""
        end = self._pace.clock() + seconds
        while self._pace.clock() < end:
            with suppress(LabError):
                self.status()
            self._sleep(0.5)

    def decision(self, what: str, actions: Collection[str], seconds: float, *, after: int) -> Line:
        """Wait for a line in the ledger after a mark; see `wait`."""
        self.wait(what, lambda _status: self.ledger.first(actions, after=after) is not None, seconds)
        line = self.ledger.first(actions, after=after)
        assert line is not None
        return line

    def wait(self, what: str, reached: Callable[[Status], bool], seconds: float) -> Status:
        """Look until it is reached. `seconds` are those of an idle machine; a busy one gets more.

        Raises
        ------
        StoryError
            If that takes longer than the time given.
        """
        patience = Patience(seconds, self._pace)
        status: Status = {}
        trouble = ""
        while not patience.over():
            self._keep_running()
            try:
                status, trouble = self.status(), ""
            except LabError as error:  # an API server without CPU; the next look may be answered
                trouble = str(error)
            else:
                if reached(status):
                    return status
            self._sleep(0.5)
        if patience.slowness > BUSY:
            raise StoryError(_too_busy(self._pace, f"after {patience.waited:.0f} s it still waited for {what}"))
        raise StoryError(
            f"waited {patience.waited:.0f} s for {what}; the state is {status.get('state')!r}. "
            f"{trouble}{'. ' if trouble else ''}The operator's log is {self.lab.directory / 'logs' / 'operator.log'}; "
            "run with KEEP=1 and look at `kubectl describe spd`."
        )

    def _keep_running(self) -> None:
        """Start the operator again when it has ended, as its Deployment would: a lease renewed late is given up.

        Raises StoryError when it ends again and again, or when the lab itself has ended.
        """
        if not self.lab.state.alive():
            raise StoryError(f"the lab has ended; its last words are in {self.lab.directory / 'logs' / 'lab.log'}")
        if self.operator is None or self.operator.pid is not None:
            return
        if self._restarts >= RESTARTS:
            raise StoryError(f"the operator has ended {RESTARTS + 1} times; its last words are in {self.operator.log}")
        self._restarts += 1
        self.view.say(f"the operator has ended and is started again; its log is {self.operator.log}")
        self.operator.start()

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


def _settled(status: Status) -> bool:
    variants = details(status).get("variants") or []
    return bool(variants) and all(v["wanted"] == v["ready"] for v in variants)


def _too_busy(pace: Pace, what: str) -> str:
    """The one sentence for a machine that has no CPU left for the demo."""
    return f"this machine is too busy for the demo: {pace}, and {what}; run it again when less is going on"


def check_machine(pace: Pace, sleep: Callable[[float], None] = time.sleep) -> None:
    """Look at the pace for a few seconds before anything is started.

    Raises
    ------
    StoryError
        If nothing would end in a sensible time.
    """
    began = pace.clock()
    while pace.slowness > TOO_SLOW:
        if pace.clock() - began > TRIES_S:
            raise StoryError(_too_busy(pace, f"it would not end when that is more than {TOO_SLOW:.0f} s"))
        sleep(0.5)


def run(stage: Stage, *, keep: bool) -> int:
    """Tell the story; returns the exit code. Nothing is left running unless `keep` is set."""
    with View(stage.title) as view, ExitStack() as exits:
        try:
            check_machine(this_machine())
            view.chapter("a real etcd, kube-apiserver, scheduler, controller-manager and Prometheus on loopback")
            lab = RunningLab.start(stage.lab, progress=view.say, detached=keep)
            if not keep:
                exits.callback(lab.down)
            story = Story(stage, lab, view, keep=keep)
            if not keep:
                exits.enter_context(story)
            return _tell(story, view)
        except (LabError, StoryError) as error:
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
