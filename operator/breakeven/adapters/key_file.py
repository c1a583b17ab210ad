"""`control.ports.SwitchKey` from a mounted Secret, read anew each time: it may come later, and it may change."""

from pathlib import Path

_MOST = 4096
"""Bytes of a key that are read."""


class KeyFile:
    """A file that holds the key; None: there is none."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def read(self) -> bytes:
        """The key as it is now. Raises ValueError when there is none, with what to do."""
        if self._path is None:
            raise ValueError("Warm needs the operator's switching key: set BREAKEVEN_SWITCH_KEY_FILE")
        try:
            with self._path.open("rb") as file:
                return file.read(_MOST).strip()
        except OSError as error:
            raise ValueError(
                f"Warm needs the operator's switching key, and its file cannot be read ({error.strerror}): "
                "create the Secret breakeven-switching in the namespace of the operator"
            ) from None
