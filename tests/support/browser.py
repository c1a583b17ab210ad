"""A real browser: Chromium of Debian's packages, driven by Playwright, and axe-core's rules for accessibility."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from breakeven.lab.tools.debian import CHROMIUM, take

Colours = Literal["light", "dark"]
OPTIONS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
"""As root in a container: the sandbox needs rights that tests have not."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser, which ends with the block."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(take(CHROMIUM)), args=list(OPTIONS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(browser: Browser, address: str, *, colours: Colours = "light", width: int = 1280) -> Iterator[Page]:
    """A page that complains of nothing and asks nobody but its own server until the block ends."""
    page = browser.new_page(color_scheme=colours, viewport={"width": width, "height": 900})
    page.set_default_timeout(30_000)
    page.clock.install()  # goes on by itself, and can be sent ahead
    wrong: list[str] = []
    page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    home = urlsplit(address)[:2]
    page.on("request", lambda asked: wrong.append(asked.url) if urlsplit(asked.url)[:2] != home else None)
    try:
        page.goto(address)
        yield page
        assert wrong == []
    finally:
        page.close()


def inaccessible(page: Page) -> list[str]:
    """What axe-core finds, among it contrast too low to read (https://github.com/dequelabs/axe-core)."""
    found = Axe().run(page).response["violations"]
    return [f"{each['id']}: {node['html'][:120]}" for each in found for node in each["nodes"]]


def wider_than_its_window(page: Page) -> bool:
    """Whether a reader would have to scroll the whole page sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


def picture(page: Page, folder: Path | None, name: str, *, height: int) -> None:
    """Keep a picture of so much of a page, where a folder is given."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        page.set_viewport_size({"width": 1280, "height": height})
        page.screenshot(path=folder / f"{name}.png")
