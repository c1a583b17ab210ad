"""YAML as kubectl reads it, so that a file means offline what it means in the cluster.

kubectl reads YAML 1.1 with Go's parser and turns it into JSON: `Off`, `y` and `on` are booleans, `1e3` and `017` are
numbers, `22:30` and `2026-11-22` are text, and every key is text (sigs.k8s.io/yaml, goyaml.v2/resolve.go). PyYAML alone
differs in half of them.
"""

import json
import math
import re
from typing import Any

import yaml

_TAG = "tag:yaml.org,2002:"
_WORDS = {
    form: meaning
    for meaning, words in {"bool": ["y", "n", "yes", "no", "on", "off", "true", "false"], "null": ["null"]}.items()
    for word in words
    for form in (word, word.capitalize(), word.upper())
} | {"": "null", "~": "null", "<<": "merge"}
_TRUE = ("y", "yes", "on", "true")
_WHOLE = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)")
_REAL = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)


def read_yaml(text: str) -> list[Any]:
    """Return the documents of a YAML or JSON text.

    Raises
    ------
    ValueError, yaml.YAMLError, RecursionError
        If it is neither, holds a number that JSON cannot hold, or is nested too deeply.
    """
    if text.lstrip().startswith("{"):
        try:
            return [json.loads(text)]
        except ValueError:
            pass  # a flow mapping of YAML
    return list(yaml.load_all(text, Loader=_Reader))  # a SafeLoader: nothing but plain data is made


class _Reader(yaml.SafeLoader):
    """Takes plain scalars for what Go's parser takes them for."""

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> str:
        if kind is yaml.ScalarNode and implicit[0]:
            return _TAG + _meaning(value)
        return str(super().resolve(kind, value, implicit))  # type: ignore[no-untyped-call] # the stubs have no types there

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        # Not the base's: 1 and true are one key of a dict, and two of a file.
        self.flatten_mapping(node)
        pairs = [(self.construct_object(key, deep=True), value) for key, value in node.value]
        return {_key(key): self.construct_object(value, deep=deep) for key, value in pairs}


def _meaning(plain: str) -> str:
    if plain in _WORDS:
        return _WORDS[plain]
    bare = plain.replace("_", "") if plain[:1] != "_" else plain
    return "float" if _WHOLE.fullmatch(bare) or _REAL.fullmatch(bare) else "str"


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    if key is None or isinstance(key, dict | list):
        raise ValueError(f"{key!r} is a key: write text")
    return str(key)


def _text(reader: _Reader, node: yaml.ScalarNode) -> str:
    return str(reader.construct_scalar(node))


def _bool(reader: _Reader, node: yaml.ScalarNode) -> bool:
    return _text(reader, node).lower() in _TRUE


def _number(reader: _Reader, node: yaml.ScalarNode) -> int | float:
    bare = _text(reader, node).replace("_", "")
    if _WHOLE.fullmatch(bare):
        whole = int(re.sub(r"^([-+]?)0(?=[0-7])", r"\g<1>0o", bare), 0)
        if -(2**63) <= whole < 2**63:
            return whole
    number = float(re.sub(r"\.(?=[in])", "", bare, flags=re.IGNORECASE))
    if not math.isfinite(number):
        raise ValueError(f"{bare} is no number that JSON can hold")
    return int(number) if number.is_integer() else number


_Reader.add_constructor(_TAG + "bool", _bool)
_Reader.add_constructor(_TAG + "float", _number)
_Reader.add_constructor(_TAG + "int", _number)
_Reader.add_constructor(_TAG + "merge", _text)
_Reader.add_constructor(_TAG + "timestamp", _text)
