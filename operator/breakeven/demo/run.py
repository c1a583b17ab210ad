"""One demo from an empty machine to the table of its figures: the lab is brought up, the story told, all taken down."""

from contextlib import ExitStack

from breakeven.demo.stage import Stage
from breakeven.demo.story import Story, StoryError, check_machine
from breakeven.demo.view import View
from breakeven.lab.errors import LabError
from breakeven.lab.handle import RunningLab
from breakeven.lab.pace import this_machine


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
            _say_how_to_look(story, view)


def _say_how_to_look(story: Story, view: View) -> None:
    lab = story.lab
    if story.operator:
        view.say(f"live page: {story.operator.page}")
    view.say(f"kept up. kubectl: export KUBECONFIG={lab.kubeconfig}; kubectl get spd -A -w")
    view.say(f"Prometheus: {lab.prometheus_url}   logs: {lab.directory / 'logs'}")
    view.say(f"take it down: breakeven lab down --name {lab.state.name}")
