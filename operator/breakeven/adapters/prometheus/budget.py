"""Memory that answers may take together: a limit for each alone would be multiplied by the number of addresses."""

import threading


class Budget:
    """Bytes to share between answers that are read at the same time; for several threads."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._left = total
        self._lock = threading.Lock()

    @property
    def left(self) -> int:
        """Bytes that are not taken."""
        return self._left

    def take(self, count: int) -> bool:
        """Take so many bytes, all of them or none; answers whether they were there."""
        with self._lock:
            if count > self._left:
                return False
            self._left -= count
            return True

    def give_back(self, count: int) -> None:
        """Return bytes that were taken."""
        with self._lock:
            self._left += count
