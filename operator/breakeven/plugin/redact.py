"""Taking secrets out of what a support bundle holds. Pure.

Objects first: every value of an environment variable and of a header, whatever stands under a name that ends in a word
for a secret, and what follows such a flag. What was found there is then looked for everywhere, since a program may have
logged it; and what looks like a token of a well-known kind is taken out of all text.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

REDACTED = "[redacted]"
_SECRET = re.compile(
    r"(^|[-_.])"
    r"((api|access|private|secret)[-_]?key|token|secret|passw(or)?d|credentials?|auth(orization)?)$"
)
"""The end of a name of a field or flag: `secretName` and `tokenFile` say where a secret is, `max_tokens` counts."""
_DROPPED = ("managedFields", "kubectl.kubernetes.io/last-applied-configuration")
"""Repeat the object, or parts of it, in another form."""
_PAIRS = ("env", "httpHeaders")
"""Lists of {name, value}."""
_JSON_TEXTS = ("details", "memory")
"""Fields of the status that hold JSON as text."""
_SHORTEST = 8
"""Characters of a value that is looked for everywhere: shorter ones are words like `true` or `INFO`."""
_NAMED = r"[A-Za-z0-9_.-]*(?:api[-_]?key|access[-_]?key|private[-_]?key|passw(?:or)?d|secret|token)"
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), REDACTED),
    (re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{6,}", re.IGNORECASE), rf"\1 {REDACTED}"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?"), REDACTED),
    (re.compile(r"\b(?:hf_|sk-|ghp_|gho_|github_pat_|glpat-|xox[abprs]-|nvapi-)[A-Za-z0-9_-]{8,}"), REDACTED),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), REDACTED),
    (re.compile(r"(?<=://)[^/\s@\"']+@"), f"{REDACTED}@"),
    (re.compile(rf"(--{_NAMED}[= ]+)(?!\[redacted\])[^\s\"']+", re.IGNORECASE), rf"\1{REDACTED}"),
    (
        re.compile(rf"\b({_NAMED}[\"']?\s*[=:]\s*[\"']?)(?!\[redacted\])[^\s\"',;&]{{4,}}", re.IGNORECASE),
        rf"\1{REDACTED}",
    ),
)


class Redactor:
    """Remembers what it took out of objects, so that it is found again in text."""

    def __init__(self) -> None:
        self._values: set[str] = set()

    def object(self, value: Any, name: str = "") -> Any:
        """The object that stands under a name, without secrets. Call it for all objects before any text."""
        if name in _PAIRS and isinstance(value, list):
            return self._pairs(value)
        if isinstance(value, Mapping):
            return {str(key): self.object(item, str(key)) for key, item in value.items() if key not in _DROPPED}
        if isinstance(value, list) and value and all(isinstance(word, str) for word in value):
            return self._words(value)
        if isinstance(value, list):
            return [self.object(item) for item in value]
        if isinstance(value, str):
            return self._string(value, name)
        return value

    def everywhere(self, value: Any) -> Any:
        """The object with `text` applied to all strings in it."""
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.everywhere(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.everywhere(item) for item in value]
        return self.text(value) if isinstance(value, str) else value

    def text(self, text: str) -> str:
        """The text without what was taken out of objects, and without what looks like a token."""
        for value in sorted(self._values, key=len, reverse=True):
            text = text.replace(value, REDACTED)
        for pattern, instead in _PATTERNS:
            text = pattern.sub(instead, text)
        return text

    def _string(self, value: str, name: str) -> str:
        if _secret(name):
            return self._taken(value)
        if name in _JSON_TEXTS:
            try:
                return json.dumps(self.object(json.loads(value)), ensure_ascii=False)
            except (ValueError, RecursionError):
                return value
        return value

    def _pairs(self, pairs: Sequence[Any]) -> list[Any]:
        """Pairs whose value is taken out, whatever they are called."""
        return [
            {**pair, "value": self._taken(str(pair["value"]))}
            if isinstance(pair, Mapping) and "value" in pair
            else self.object(pair)
            for pair in pairs
        ]

    def _words(self, words: Sequence[str]) -> list[str]:
        """Arguments of a program: all words after a flag that says it is secret, or what stands in it after `=`."""
        shown, secret = [], False
        for word in words:
            flag, equals, rest = word.partition("=")
            if word.startswith("-"):
                secret = _secret(flag)
                shown.append(f"{flag}={self._taken(rest)}" if equals and secret else word)
            else:
                shown.append(self._taken(word) if secret else word)
        return shown

    def _taken(self, value: str) -> str:
        if len(value) >= _SHORTEST and value != REDACTED:
            self._values.add(value)
        return REDACTED if value else value


def _secret(name: str) -> bool:
    return bool(_SECRET.search(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()))
