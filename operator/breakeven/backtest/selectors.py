"""Label selectors that people type: parsed into matchers and written anew, so that nothing else gets into a query."""

import json
import re

_MATCHER = re.compile(
    r"""\s*(?P<label>[a-zA-Z_][a-zA-Z0-9_]*)\s*(?P<op>=~|!~|!=|=)\s*"(?P<value>(?:[^"\\\n]|\\.)*)"\s*(?:,|$)"""
)


class SelectorError(ValueError):
    """Text that is not a list of label matchers."""


def label_matchers(text: str) -> str:
    """Check a selector such as `namespace="inference",pod=~"llama-.*"` and write it without braces.

    Raises
    ------
    SelectorError
        If it is anything but label matchers, or selects nothing in particular.
    """
    rest = text.strip()
    if rest.startswith("{") and rest.endswith("}"):
        rest = rest[1:-1]
    matchers, narrowing = [], False
    while rest.strip():
        found = _MATCHER.match(rest)
        if found is None:
            raise SelectorError(f'{text!r} is no label selector; write for example namespace="x",pod=~"llama-.*"')
        label, op = found["label"], found["op"]
        if label == "__name__":
            raise SelectorError(f"{text!r} names a metric; only labels of the pods are selected by")
        value = _unquoted(found["value"], text)
        matchers.append(f"{label}{op}{json.dumps(value, ensure_ascii=False)}")
        narrowing = narrowing or (op in ("=", "=~") and value not in ("", ".*"))
        rest = rest[found.end() :]
    if not narrowing:
        raise SelectorError(f"{text!r} selects everything; give at least one matcher with = or =~ and a value")
    return ",".join(matchers)


def _unquoted(value: str, text: str) -> str:
    try:
        plain: str = json.loads(f'"{value}"')
    except ValueError:
        raise SelectorError(f"{text!r}: {value!r} has an escape that is not known; double each backslash") from None
    return plain
