"""The live page in a real browser: the operator's own server and pages, with a resource in every state of a report."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from datetime import timedelta
from typing import Any, TypeVar, get_args

import pytest
from playwright.sync_api import Browser, expect
from tests.support.browser import Colours, chromium, inaccessible, opened, wider_than_its_window
from tests.support.live_page import LATER, REPORTS, body, hostile, past, refused

from breakeven.api.status import State
from breakeven.control.cache import Cache
from breakeven.page.document import POLICY
from breakeven.page.site import Site
from breakeven.telemetry.pages import PageServer

T = TypeVar("T")
SPECULATING = "inference/speculating"


class Served:
    """The page at an address, as long as it is served."""

    def __init__(self) -> None:
        self.now = LATER
        cache = Cache()
        wrong = refused("spec.replicas: write a number")
        wrong["metadata"]["name"] = "wrong"
        for resource in (*(body(state, name=state.value.lower()) for state in REPORTS), wrong, hostile()):
            cache.put(resource)
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._site = Site(cache, lambda _: past(), lambda: self.now)
        self._server = PageServer(self._site.asked, policy=POLICY, token_file=None)
        self._port = self._run(self._server.start("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._port}/"

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def away(self) -> None:
        """As when the operator ends."""
        self._run(self._server.stop())

    def back(self) -> None:
        """At the same address."""
        self._server = PageServer(self._site.asked, policy=POLICY, token_file=None)
        assert self._run(self._server.start("127.0.0.1", self._port or 0)) == self._port

    def close(self) -> None:
        """End it."""
        self.away()
        self._loop.call_soon_threadsafe(self._loop.stop)


@pytest.fixture
def served() -> Iterator[Served]:
    server = Served()
    yield server
    server.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


def test_every_page_is_complete_accessible_and_asks_nobody_else(served: Served, browser: Browser) -> None:
    with opened(browser, served.address) as fleet:
        links = [str(link.evaluate("link => link.href")) for link in fleet.locator("tbody th a").all()]
    assert len(links) == len(REPORTS) + 2
    found: list[str] = []
    for colours in get_args(Colours):
        for address in (served.address, *links):
            with opened(browser, address, colours=colours) as page:
                found += [f"{address} in {colours} colours: {each}" for each in inaccessible(page)]
                expect(page.locator("h1")).to_have_count(1)
    assert found == []


@pytest.mark.parametrize("width", [360, 1280])
def test_no_page_is_wider_than_its_window(served: Served, browser: Browser, width: int) -> None:
    for path in ("", SPECULATING, "inference/wrong"):
        with opened(browser, served.address + path, width=width) as page:
            assert not wider_than_its_window(page), path


def test_a_resource_is_a_click_away_and_its_timeline_is_drawn(served: Served, browser: Browser) -> None:
    with opened(browser, served.address) as page:
        page.get_by_role("link", name=SPECULATING, exact=True).click()
        page.wait_for_url(f"**/{SPECULATING}")
        timeline = page.get_by_role("img")
        box = timeline.bounding_box()
        assert box is not None and box["width"] > 600 and box["height"] > 300
        heights = page.evaluate("[...document.querySelectorAll('svg .line.on')].map(l => l.getBBox().height)")
        assert max(heights) > 5, "S is a curve and not a flat line"
        decisions = REPORTS[State.SPECULATING].memory.decisions
        for decision in decisions:
            expect(page.get_by_text(" ".join(decision.message.split())).first).to_be_visible()
        page.get_by_role("link", name="Breakeven", exact=True).click()
        page.wait_for_url(served.address)


def test_it_can_be_used_with_the_keyboard_alone(served: Served, browser: Browser) -> None:
    with opened(browser, served.address) as page:
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        page.keyboard.press("Enter")
        assert page.url.endswith("#main")
        reached = []
        for _ in range(len(REPORTS) + 6):
            page.keyboard.press("Tab")
            reached.append(str(page.evaluate("document.activeElement.textContent")))
            if SPECULATING in reached:
                break
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/{SPECULATING}")


def test_it_renews_itself_keeps_what_is_unfolded_and_can_be_stopped(served: Served, browser: Browser) -> None:
    with opened(browser, served.address + SPECULATING) as page:
        expect(page.locator("footer")).to_contain_text(f"{LATER:%H:%M:%S}")
        summary = page.locator("summary").first
        summary.focus()
        summary.press("Enter")
        served.now = LATER + timedelta(minutes=1)
        page.clock.fast_forward(15_000)
        expect(page.locator("footer")).to_contain_text(f"{served.now:%H:%M:%S}")
        expect(page.locator("summary").first).to_be_focused()
        assert page.locator("details").first.evaluate("each => each.open")
        page.get_by_role("button", name="Renews every 15 s").click()
        expect(page.get_by_role("button", name="Stands still")).to_have_attribute("aria-pressed", "false")


def test_an_operator_that_does_not_answer_is_told_until_it_does(served: Served, browser: Browser) -> None:
    page = browser.new_page()  # one that may complain: of an address where nobody is
    page.clock.install()
    page.goto(served.address)
    served.away()
    page.clock.fast_forward(15_000)
    expect(page.get_by_role("button")).to_have_text("The operator does not answer: this is old")
    expect(page.locator("body")).to_have_class("stale")
    served.back()
    page.clock.fast_forward(15_000)
    expect(page.get_by_role("button")).to_have_text("Renews every 15 s")
    expect(page.locator("body")).not_to_have_class("stale")
    page.close()


def test_it_is_complete_without_scripts(served: Served, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(served.address + SPECULATING)
    expect(page.get_by_role("img")).to_be_visible()
    expect(page.get_by_role("button")).to_have_count(0)
    context.close()
