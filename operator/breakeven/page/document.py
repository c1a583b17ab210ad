"""The frame of every page, and what a browser may do with it."""

from datetime import datetime

from breakeven import __version__
from breakeven.page.text import Html, said

STYLE, SCRIPT = "/style.css", "/page.js"
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""Content-Security-Policy: nothing but this server's own style and script, so that a text that should ever get past
escaping could neither run nor send anything (https://www.w3.org/TR/CSP3/)."""


def document(title: str, inside: Html, now: datetime) -> str:
    """A whole page. The script only renews what is inside `main`; without it the page is complete."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<title>{said(title)} – Breakeven</title>\n<link rel="stylesheet" href="{STYLE}">\n'
        f'<script src="{SCRIPT}" defer></script>\n</head>\n<body>\n'
        "<a class='skip' href='#main'>Skip to the content</a>\n"
        "<header class='bar'><a href='/'>Breakeven</a> <span>read-only</span>"
        "<button id='renew' type='button' hidden aria-pressed='true'>Renews every 15 s</button></header>\n"
        f"<main id='main'>\n{inside}\n<footer>As of {now:%Y-%m-%d %H:%M:%S} UTC, by Breakeven {said(__version__)}. "
        "Times are UTC.</footer>\n</main>\n</body>\n</html>\n"
    )
