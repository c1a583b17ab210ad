"""The live page: what it says of a fleet and of a resource, and what hostile texts cannot do to it."""

from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from tests.support.fake_kubectl import resource as sample
from tests.support.live_page import LATER, REPORTS, body, hostile, past, refused

from breakeven.api.status import State
from breakeven.page.document import POLICY, document
from breakeven.page.fleet import fleet
from breakeven.page.resource import resource

VOID = {"meta", "link", "br", "!doctype"}
ALONE = {"line", "rect", "circle", "polyline", "polygon"}


class Seen(HTMLParser):
    """Elements, attributes and texts of a page, and whether what opens is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        self.text = " ".join(" ".join(self.texts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ALONE
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def seen(inside: Any) -> Seen:
    page = Seen(document("title", inside, LATER))
    assert page.open == []
    return page


def test_a_fleet_has_a_line_for_each_with_its_figures_and_those_in_trouble_first() -> None:
    wrong = {**refused("spec.draft: there is none of that name"), "metadata": {"namespace": "z", "name": "z"}}
    page = seen(fleet([body(State.SPECULATING, name="a"), body(State.BASELINE, name="b"), wrong], LATER))
    links = [str(a["href"]) for a in page.named("a") if str(a["href"]).count("/") == 2]
    assert links == ["/z/z", "/inference/a", "/inference/b"]
    assert "3 resources, 1 with speculation, 1 to look at" in page.text
    assert "spec.draft: there is none of that name" in page.text
    assert "0.714" in page.text and "Holdback: off, 1/1 ready" in page.text and "In 24 h 1204000 tokens" in page.text
    assert [a["scope"] for a in page.named("th")].count("row") == 3


def test_an_empty_fleet_says_so() -> None:
    assert "has found none" in seen(fleet([], LATER)).text


@pytest.mark.parametrize("state", list(REPORTS))
def test_a_resource_tells_state_figures_decisions_gain_and_cost(state: State) -> None:
    page = seen(resource(body(state), past(), LATER))
    for heading in ("Timeline", "Decisions", "Replicas by variant", "Conditions"):
        assert heading in page.texts
    status = REPORTS[state]
    assert all(" ".join(d.message.split()) in page.text for d in status.memory.decisions)
    if status.details.value is not None:
        assert "1,204,000" in page.text and "300,000" in page.text and "18.25" in page.text and "6.10" in page.text


def test_every_picture_and_table_can_be_read_aloud() -> None:
    page = seen(resource(body(State.SPECULATING), past(), LATER))
    assert [p["role"] for p in page.named("svg")] == ["img"] and len(page.named("desc")) == 1
    assert "S was 1.4 at 11:40 and 1.3 at 12:00." in page.text
    assert len(page.named("caption")) == len(page.named("table"))
    assert len(page.named("h1")) == 1


def test_a_timeline_breaks_where_nothing_speculated() -> None:
    page = seen(resource(body(State.SPECULATING), past(), LATER))
    lines = [str(p["points"]).count(",") for p in page.named("polyline") if p["class"] == "line on"]
    assert lines == [2, 2, 2]  # S, acceptance, load: the first two samples each
    assert len([p for p in page.named("circle") if p["class"] == "dot on"]) == 3
    assert len([p for p in page.named("rect") if p["class"] == "area off"]) == 5


def test_a_resource_without_a_past_shows_the_decisions_of_the_last_hours() -> None:
    page = seen(resource(body(State.SPECULATING), (), LATER))
    recent = [d for d in REPORTS[State.SPECULATING].memory.decisions if LATER - d.at < timedelta(hours=6)]
    assert len([p for p in page.named("line") if p["class"] == "decision"]) == len(recent) == 6


def test_a_refused_resource_says_what_is_wrong_and_one_that_nobody_looked_at_says_that() -> None:
    page = seen(resource(refused("spec.replicas: write a number"), (), LATER))
    assert "spec.replicas: write a number" in page.text and "Look at" in page.texts
    assert any(a.get("class") == "bad" for a in page.named("h1"))
    assert "The operator has not looked at it yet." in seen(resource(sample(), (), LATER)).text


@pytest.mark.parametrize(
    "status", ["text", [1], {"state": "Nowhere"}, {"details": "{"}, {"memory": 7}, {"conditions": [{}]}]
)
def test_a_status_that_cannot_be_read_costs_no_page(status: Any) -> None:
    odd = {**sample(name="odd"), "status": status}
    assert "inference/odd" in seen(resource(odd, (), LATER)).text
    page = seen(fleet([odd, body(State.SPECULATING)], LATER))
    assert "inference/odd" in page.text and "Speculating" in page.text


def test_what_others_wrote_is_text_wherever_it_stands() -> None:
    for page in (seen(fleet([hostile()], LATER)), seen(resource(hostile(), past(), LATER))):
        assert [s["src"] for s in page.named("script")] == ["/page.js"]
        assert not [n for _, attributes in page.elements for n in attributes if n.startswith("on") or n == "style"]
        assert page.text.count("<script>") > 5
        assert "\x1b" not in page.text and "\u202e" not in page.text


def test_a_page_needs_nothing_from_elsewhere_and_may_load_nothing() -> None:
    page = seen(resource(body(State.SPECULATING), past(), LATER))
    addresses = [str(a[k]) for _, a in page.elements for k in ("src", "href") if k in a]
    assert addresses and all(a.startswith(("/", "#")) for a in addresses)
    assert POLICY.startswith("default-src 'none'") and "unsafe" not in POLICY
