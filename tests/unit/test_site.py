"""The documentation as a site: built without a warning, each link leads somewhere, and no network is needed."""

import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parents[2]
LOADED = {"img": "src", "script": "src", "source": "srcset", "link": "href"}
"""Tags that a browser fetches by itself."""


class Links(HTMLParser):
    """What one page offers and where it leads."""

    def __init__(self) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.leads: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value for name, value in attrs if value}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.leads.append(given["href"])
        if tag in LOADED and LOADED[tag] in given:
            self.loads.append(given[LOADED[tag]])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("site")
    command = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "--quiet",
        "-f",
        "website/mkdocs.yml",
        "-d",
        str(built),
    ]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    return built


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Links]:
    read = {}
    for path in sorted(site.rglob("*.html")):
        read[path] = Links()
        read[path].feed(path.read_text(encoding="utf-8"))
    return read


def test_every_link_leads_somewhere(pages: dict[Path, Links]) -> None:
    dead = []
    for page, links in pages.items():
        for link in (*links.leads, *links.loads):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or page.name == "404.html":
                continue
            to = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            if not to.exists() or (parts.fragment and to in pages and parts.fragment not in pages[to].anchors):
                dead.append(f"{page.name}: {link}")
    assert dead == []


def test_nothing_is_fetched_from_elsewhere(pages: dict[Path, Links]) -> None:
    assert len(pages) > 30
    assert {link for links in pages.values() for link in links.loads if urlsplit(link).netloc} == set()


def test_what_is_linked_outside_of_the_pages_is_carried_along(site: Path) -> None:
    values = site / "repository" / "charts" / "breakeven" / "values.yaml"
    assert values.read_text("utf-8") == (ROOT / "charts" / "breakeven" / "values.yaml").read_text("utf-8")
