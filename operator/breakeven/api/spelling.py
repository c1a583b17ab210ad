"""What somebody meant who wrote a field that does not exist: the same word spelt right, here or elsewhere."""

import difflib
import re
from collections.abc import Collection

LISTED = 8
"""Fields named at most when none is close."""
_MANY = 3
_SHORT = 2
"""Letters that say too little to be a part of a name."""


def close(word: str, names: Collection[str]) -> list[str]:
    """Names that `word` may stand for, the closest first: other case or dashes, a slip of the keys, a part of the name."""
    plain = {_plain(name): name for name in names}
    if _plain(word) in plain:
        return [plain[_plain(word)]]
    near = difflib.get_close_matches(_plain(word), plain, n=1, cutoff=0.7)
    starts = [name for name in plain if len(name) > _SHORT and _plain(word).startswith(name)]
    parts = [name for name in plain if len(word) > _SHORT and _plain(word) in name]
    mine = _words(word)
    words = [_plain(name) for name in names if mine <= _words(name) or _words(name) <= mine]
    return [plain[name] for name in dict.fromkeys([*near, *starts, *parts, *words])]


def advice(word: str, here: str, names: Collection[str], everywhere: Collection[str]) -> str:
    """What to write instead of the unknown field `word` of the object at `here`.

    Parameters
    ----------
    names
        Fields of that object.
    everywhere
        Full paths of all fields, for one that was written in the wrong place.
    """
    elsewhere = [path for path in everywhere if _plain(path.rpartition(".")[2]) == _plain(word)]
    inside = f"{here}." if here else ""
    found = [inside + name for name in names if _plain(name) == _plain(word)] or elsewhere
    found = found or [inside + name for name in close(word, names)]
    if not found:
        leaves = {path.rpartition(".")[2] for path in everywhere}
        right = close(word, leaves)[:1]
        found = [path for path in everywhere if path.rpartition(".")[2] in right]
    if found:
        return f"there is no such field; did you mean {' or '.join(found[:_MANY])}?"
    known = ", ".join(sorted(names)[:LISTED]) + (" …" if len(names) > LISTED else "")
    return f"there is no such field; {here or 'a resource'} has {known}"


def _words(name: str) -> frozenset[str]:
    """The words of a name in camel case."""
    return frozenset(word.casefold() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", name))


def _plain(word: str) -> str:
    return word.replace("_", "").replace("-", "").casefold()
