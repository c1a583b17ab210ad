"""YAML that every reader takes alike."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

_DOUBTFUL = re.compile(r"[-+.]?[0-9]|(?:y|n|yes|no|on|off|true|false|null|~)$", re.IGNORECASE)
"""Text that YAML 1.1 of one reader or another takes for a number or a boolean: kubectl reads `Y` and `1e3` so, where
PyYAML sees text and would not quote it."""


class _Dumper(yaml.SafeDumper):
    """Quotes what is doubtful."""


def _text(dumper: _Dumper, value: str) -> yaml.ScalarNode:
    style = "'" if _DOUBTFUL.match(value) and "\n" not in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def yaml_text(documents: Iterable[Mapping[str, Any]]) -> str:
    """Documents one after the other, keys in the given order."""
    text: str = yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=4096)
    return text
