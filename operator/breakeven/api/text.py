"""Texts that people read on a terminal: one line, no control characters, no longer than an Event may be.

Engines, API servers and users write what ends in a message: colours, line breaks, a whole traceback, half a surrogate pair.
"""

import re

LONGEST = 1024
"""Characters of a message: what the API server takes of an Event (`NoteLengthLimit` of events.k8s.io)."""
_COLOURS = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
"""ANSI escape sequences (ECMA-48): CSI, OSC and the two-character ones."""


def plain(text: str, longest: int = LONGEST) -> str:
    """The text in one printable line of at most so many characters; what is cut off ends in `…`."""
    if not text.isprintable():
        shown = _COLOURS.sub("", text)
        text = " ".join("".join(c if c.isprintable() else " " for c in shown).split())
    return text if len(text) <= longest else text[: longest - 1] + "…"


def first_sentence(text: str) -> str:
    """The text up to its first full stop or semicolon; field paths and versions have none that a space follows."""
    head, stop, _ = text.partition(". ")
    return head.partition("; ")[0].rstrip(".") + "." if stop or "; " in head else text


def sentence(text: str) -> str:
    """The text with a capital at its beginning, unless that is a field, a path or a name with its own spelling."""
    word = text.partition(" ")[0]
    return text[:1].upper() + text[1:] if word.rstrip(":,;").isalpha() and word.islower() else text
