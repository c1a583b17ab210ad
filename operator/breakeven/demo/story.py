"""The story itself, chapter by chapter, told with the commands a user would type.

What it waits for are decisions in the ledger, which cannot be missed, and limits stretch with the machine.
"""

import time
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import Any

import yaml

from breakeven.demo.details import details
from breakeven.demo.figures import ArmFigures, Span, answered, arm_figures
from breakeven.demo.ledger import Ledger, Line, when
from breakeven.demo.operator import Operator, install
from breakeven.demo.processes import Process
from breakeven.demo.stage import CALM, Stage
from breakeven.demo.switches import counted, serves
from breakeven.demo.view import View
from breakeven.lab.errors import LabError
from breakeven.lab.handle import RunningLab
from breakeven.lab.pace import BUSY, MOST, Pace, Patience, this_machine
from breakeven.lab.reap import VARIABLE

LOAD_S = "7200"
"""Traffic ends by itself after this many seconds, whatever happens to the demo."""
ON, OFF, ENDED = ("Promote",), ("Disable", "RollBack"), ("EndTrial", "Promote", "AbandonTrial")
"""Decisions that end with speculation on all but the held-back replicas, with none, and those that end a trial."""
ANSWERS_DIFFER = "AnswersDiffer"
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
        self.seen: dict[str, str] = {}
        """What each variant drafts with, by its name."""
        self.operator: Operator | None = None
        self.ledger = Ledger()
        self._pace = pace or this_machine()
        self._sleep = sleep
        self._restarts = 0
        self._exits = ExitStack()
        self._loads: list[Process] = []

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
        if self.stage.unverified is not None:
            self.refuse(self.stage.unverified)
        if self.stage.reloads is not None:
            self.compare(self.stage.reloads)
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

    def refuse(self, unverified: dict[str, Any]) -> int:
        """A second resource, whose engine does not verify what it drafts, is found out by its answers. Returns how many
        prompts that engine answered.

        Raises
        ------
        StoryError
            If its draft is promoted, or refused for anything else.
        """
        self.view.chapter("an engine that accepts drafts without verifying them: the same greedy prompts, on and off")
        stage = replace(self.stage, resource=unverified, predictable=CALM)
        with Story(stage, self.lab, self.view, pace=self._pace, sleep=self._sleep) as other:
            other.operator = self.operator
            other.apply()
            other.decision("a canary to be started", ("StartTrial",), stage.ready_s * 2, after=0)
            line = other.decision("the draft to be refused", ENDED, stage.verdict_s, after=0)
            canary = next(name for name, speculation in other.seen.items() if speculation != "off")
            count = other.answered_by(canary)
        if line["reason"] != ANSWERS_DIFFER:
            conditions = {c["type"]: c["message"] for c in other.status().get("conditions", [])}
            said = f"{line['action']} ({line['reason']}): {line['message']}; Lossless: {conditions.get('Lossless')}"
            raise StoryError(f"wrong answers were not found: {said}")
        self.view.say(f"prompts that the wrong engine answered before it was refused: {count}, smoke test included")
        return count

    def answered_by(self, variant: str) -> int:
        """Requests that the engine of a variant finished, once its pod has ended."""

        def count() -> int | None:
            return answered(self.lab, namespace=self.namespace, deployment=f"{self.name}-{variant}")

        self.wait(f"the engine of {variant} to end", lambda _status: count() is not None, self.stage.ready_s)
        return count() or 0

    def compare(self, reloads: dict[str, Any]) -> None:
        """A switch to order by waking, beside one by loading the model again, and what the clients saw of all switches.

        Raises
        ------
        StoryError
            If a request failed.
        """
        self.view.chapter(
            "a switch to order: the warm replica wakes the other variant, a second resource loads it again"
        )
        woken = self.switched(speculating=False), self.switched(speculating=True)
        number = (details(self.status()).get("switching") or {}).get("switches")
        self.quiet()
        ended, failed = (
            sum(each) for each in zip(*(counted(load.log.read_text()) for load in self._loads), strict=True)
        )
        with Story(
            replace(self.stage, resource=reloads), self.lab, self.view, pace=self._pace, sleep=self._sleep
        ) as other:
            other.operator = self.operator
            other.apply()
            loaded = other.switched(speculating=True), other.switched(speculating=False)
        off, on = (f"{seconds:.1f} s" for seconds in woken)
        self.view.say(f"warm: {off} from kubectl patch to serving without the draft, {on} to serving with it again")
        self.view.say(
            f"by reload: {loaded[1]:.1f} s to serving without the draft, {loaded[0]:.1f} s to serving with it"
        )
        self.view.say(f"{self.stage.provenance}")
        self.view.say(f"{number} warm switches so far; of {ended} requests {failed} failed")
        if failed:
            raise StoryError(f"{failed} of {ended} requests failed, and no switch may lose one")

    def switched(self, *, speculating: bool) -> float:
        """Order speculation on or off, and return the seconds until every replica serves so."""
        mode = "AlwaysOn" if speculating else "AlwaysOff"
        patch = yaml.safe_dump({"spec": {"policy": {"mode": mode, "holdback": {"mode": "Never"}}}})
        began = self._pace.clock()
        self.lab.wait_for(
            f"mode {mode}",
            lambda: self.lab.kubectl("patch", "spd", self.name, "-n", self.namespace, "--type=merge", "-p", patch),
        )
        what = f"every replica to serve {'with' if speculating else 'without'} the draft"
        self.wait(what, lambda status: serves(status, speculating=speculating), self.stage.verdict_s)
        return self._pace.clock() - began

    def quiet(self) -> None:
        """No traffic any more."""
        if self._loads:
            self._loads[-1].stop()

    def traffic(self, profile: str) -> None:
        """Point the load generator at the Service with another profile."""
        self.quiet()
        url = self.lab.service_url(self.namespace, self.name)
        load = Process(
            ["load", "--url", url, "--profile", profile, "--duration", LOAD_S],
            log=self.lab.directory / "logs" / f"load-{self.name}-{len(self._loads)}.log",
            environment={VARIABLE: self.lab.state.identity},
            outlive=self.keep,
        )
        self._loads.append(self._begin(load))

    def measure(self, title: str) -> None:
        """Let the same traffic run on for a window, so that its figures can be read back."""
        start = time.time()
        self.watch_for(self.stage.quiet_s)
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
        self.seen |= {v["name"]: v["speculation"] for v in details(status).get("variants") or []}
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
        off = next(name for name, speculation in self.seen.items() if speculation == "off")
        on = next(name for name, speculation in self.seen.items() if speculation != "off")
        return [
            (
                span.title,
                arm_figures(self.lab, self.namespace, self.name, off, span, warm=self.stage.reloads is not None),
                arm_figures(self.lab, self.namespace, self.name, on, span, warm=self.stage.reloads is not None),
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
