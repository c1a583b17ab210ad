"""A hook of MkDocs: what pages link to elsewhere in the repository is part of the site, so that no link leaves it.

Those at its root become pages; any other file is carried along as it is, below `repository/`.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
PAGES = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
ELSEWHERE = "repository"
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#|/)([^)#\s]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what is linked to. A link to something that is not there ends the build."""
    for name in PAGES:
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    for page in files.documentation_pages():
        for link in LINK.findall(page.content_string):
            place = _place(page, link)
            if place.startswith("docs/") or place in PAGES:
                continue
            if not (ROOT / place).is_file():
                raise PluginError(f"{page.src_uri}: {link} is no file of the repository")
            carried = f"{ELSEWHERE}/{place}"
            if files.get_file_from_path(carried) is None:
                files.append(File.generated(config, carried, abs_src_path=str(ROOT / place)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Turn links of the repository into links of the site."""

    def of_the_site(link: re.Match[str]) -> str:
        place = _place(page.file, link[1])
        where = place.removeprefix("docs/") if place.startswith("docs/") or place in PAGES else f"{ELSEWHERE}/{place}"
        return posixpath.relpath(where, posixpath.dirname(page.file.src_uri) or ".")

    return LINK.sub(of_the_site, markdown)


def _place(page: File, link: str) -> str:
    """Where a link of a page leads, from the root of the repository."""
    folder = "" if page.src_uri in PAGES else posixpath.join("docs", posixpath.dirname(page.src_uri))
    return posixpath.normpath(posixpath.join(folder, link))
