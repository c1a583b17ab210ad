"""Errors of the loop: each says what the caller should do next."""


class ControlError(Exception):
    """Base of the errors that adapters raise."""


class Retry(ControlError):
    """The world is not answering as it should; the same pass may work later."""

    def __init__(self, message: str, after_s: float | None = None) -> None:
        super().__init__(message)
        self.after_s = after_s


class Conflict(Retry):
    """Somebody else wrote first; read again."""


class Gone(ControlError):
    """The object does not exist."""


class Refused(ControlError):
    """The API server will not take this, now or later: a bug or a missing right; needs a change."""
