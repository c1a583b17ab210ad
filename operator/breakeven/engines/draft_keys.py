"""Keys of `--speculative-config` without a field of their own: what each takes, and for which methods it is."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from breakeven.api.choices import WITHOUT_MODEL, DraftMethod

WITH_WEIGHTS = frozenset(DraftMethod) - frozenset(WITHOUT_MODEL)
"""Methods whose drafter has weights."""


class Takes(StrEnum):
    """The kind of value a key takes."""

    SWITCH = "switch"
    COUNT = "count"
    """A whole number, 1 or more."""
    NUMBER = "number"
    """A number, 0 or more."""
    SHARE = "share"
    """A number from 0 to 1."""
    TEXT = "text"
    KV_CACHE_DTYPE = "kv_cache_dtype"
    """A value of `--kv-cache-dtype`."""


_WANTED = {
    Takes.SWITCH: "write true or false",
    Takes.COUNT: "write a whole number, 1 or more",
    Takes.NUMBER: "write a number, 0 or more",
    Takes.SHARE: "write a number from 0 to 1",
    Takes.TEXT: "write a text",
    Takes.KV_CACHE_DTYPE: "write a format of the KV cache, such as fp8",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftKey:
    """One key that `draft.extraKeys` may hold."""

    name: str
    takes: Takes
    methods: frozenset[DraftMethod]
    """Methods it does something with."""

    @property
    def wanted(self) -> str:
        """What to write, in words."""
        return _WANTED[self.takes]

    def fits(self, value: Any) -> bool:
        """Whether a value is of the right kind and within bounds."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        match self.takes:
            case Takes.SWITCH:
                return isinstance(value, bool)
            case Takes.COUNT:
                return number and isinstance(value, int) and value >= 1
            case Takes.NUMBER:
                return number and value >= 0
            case Takes.SHARE:
                return number and 0 <= value <= 1
            case Takes.TEXT | Takes.KV_CACHE_DTYPE:
                return isinstance(value, str) and bool(value.strip())
