"""Shell strings and variables: what words a command line comes to.

Only what people write in manifests is read: simple commands one after the other, quotes, variables, redirections. A
script with functions, loops or substitutions is refused by whoever finds no vLLM in it.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_OPERATORS = "();<>|&\n"
_SHELLS = frozenset({"sh", "bash", "ash", "dash", "zsh"})
_KUBERNETES = re.compile(r"\$\$|\$\(([-._a-zA-Z][-._a-zA-Z0-9]*)\)")
_SHELL = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)(?::?-([^}]*))?\}|([A-Za-z_][A-Za-z0-9_]*))")
_IN_SINGLE, _IN_DOUBLE = "\ue000", "\ue001"
"""Stand for dollar signs between quotes: a shell replaces none in single ones, and splits no value in double ones."""


@dataclass(frozen=True, slots=True)
class Simple:
    """One simple command of a script."""

    words: tuple[str, ...]
    then: str
    """The operator behind it: `&&`, `;`, `|` …; empty at the end."""


def expanded(text: str, literal: Mapping[str, str]) -> str:
    """`$(NAME)` replaced as Kubernetes replaces it; names without a literal value stay."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        return "$" if name is None else literal.get(name, match[0])

    return _KUBERNETES.sub(value, text)


def script_of(words: Sequence[str]) -> tuple[str, tuple[str, ...]] | None:
    """The script of `sh -c SCRIPT NAME ARGS…` with its arguments; None when it is no such call."""
    if not words or words[0].rpartition("/")[2] not in _SHELLS:
        return None
    for place, word in enumerate(words[1:], start=1):
        if re.fullmatch(r"-[a-z]*c", word) and place + 1 < len(words):
            return words[place + 1], tuple(words[place + 3 :])
        if not word.startswith("-"):
            return None
    return None


def commands(script: str) -> list[Simple]:
    """The simple commands of a script, variables as they are; see `replaced`. Redirections are left out.

    Raises
    ------
    ValueError
        If quotes do not end.
    """
    lexer = shlex.shlex(_marked(script), posix=True, punctuation_chars=_OPERATORS)
    lexer.whitespace = " \t\r"
    lexer.whitespace_split = True
    lexer.commenters = ""
    found: list[Simple] = []
    words: list[str] = []
    target_follows = False
    for token in lexer:
        if token and set(token) <= set(_OPERATORS):
            if target_follows := bool(set(token) & set("<>")):
                if words[-1:] in (["1"], ["2"]):
                    words.pop()  # the descriptor in front of it
                continue
            if words:
                found.append(Simple(tuple(words), token.strip() or ";"))
            words = []
        elif target_follows:
            target_follows = False
        else:
            words.append(token)
    return [*found, Simple(tuple(words), "")] if words else found


def replaced(
    words: Sequence[str], literal: Mapping[str, str], defined: Mapping[str, str], rest: Sequence[str] = ()
) -> tuple[str, ...]:
    """Words with the variables of the shell replaced; a value outside of quotes is split, as a shell does it.

    Parameters
    ----------
    literal
        Variables with their values.
    defined
        Variables whose value only the cluster knows: written as `$(NAME)`, which Kubernetes replaces.
    rest
        What `$@` stands for.
    """

    def value(match: re.Match[str]) -> str:
        name, default = match[1] or match[3], match[2]
        if name in literal:
            return literal[name]
        if name in defined:
            return f"$({name})"
        return default if default is not None else f"${name}"

    out: list[str] = []
    for word in words:
        if word.replace(_IN_DOUBLE, "$") in ("$@", "$*"):
            out += rest
            continue
        split = _SHELL.search(word) is not None
        made = _SHELL.sub(value, word)
        made = _SHELL.sub(value, made.replace(_IN_DOUBLE, "$")) if _IN_DOUBLE in made else made
        made = made.replace(_IN_SINGLE, "$")
        out += made.split() if split else [made]
    return tuple(out)


def _marked(script: str) -> str:
    """Lines joined that end in a backslash, comments left out, and the dollar signs between quotes marked."""
    script = re.sub(r"\\\r?\n", " ", script)
    script = re.sub(r"(?m)^\s*#.*$", "", script)
    mark = {"'": _IN_SINGLE, '"': _IN_DOUBLE, "": "$"}
    out, quote, escaped = [], "", False
    for c in script:
        if escaped:
            escaped = False
        elif c == "\\" and quote != "'":
            escaped = True
        elif c in "'\"" and quote in ("", c):
            quote = "" if quote else c
        out.append(mark[quote] if c == "$" and not escaped else c)
    return "".join(out)
