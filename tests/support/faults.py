"""The table that the fault suite prints: what was broken, what held, how long recovery took."""

from collections.abc import Callable, Sequence

ROWS: list[tuple[str, str, str]] = []
"""Filled by the tests in the order in which they end."""
HEAD = ("fault", "held", "recovery")


def record(fault: str, held: str, recovery_s: float | None = None) -> None:
    """Add a row; only a test that got as far as this has one."""
    ROWS.append((fault, held, "–" if recovery_s is None else f"{recovery_s:.1f} s"))


def table(rows: Sequence[tuple[str, str, str]], write: Callable[[str], None]) -> None:
    """Write the rows below their head, in columns."""
    lines = [HEAD, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(3)]
    for line in lines:
        write("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
