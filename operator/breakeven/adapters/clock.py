"""Time."""

from datetime import UTC, datetime


class SystemClock:
    """`control.ports.Clock` on the system's clock."""

    def now(self) -> datetime:
        """Aware, UTC, whole milliseconds: what is written to a status reads back the same."""
        now = datetime.now(UTC)
        return now.replace(microsecond=now.microsecond // 1000 * 1000)
