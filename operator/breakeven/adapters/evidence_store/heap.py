"""Giving memory back to the system after a large answer: glibc keeps what was freed in the middle of its heaps."""

import ctypes
from collections.abc import Callable
from typing import Any


def _trim_of_libc() -> Callable[[int], Any] | None:
    try:
        trim: Callable[[int], Any] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):  # no glibc: musl, or another system
        return None
    return trim


_TRIM = _trim_of_libc()


def give_back() -> None:
    """Give freed memory back to the system; does nothing where the C library cannot. Lets other threads run."""
    if _TRIM is not None:
        _TRIM(0)
