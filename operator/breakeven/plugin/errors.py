"""What went wrong, in words for people, and the exit code that says what kind it is."""

FAILED = 1
"""The cluster refused, did not answer, or the answer is no."""
USAGE = 2
"""Wrong usage."""
NOT_FOUND = 3
"""No such resource, or the kind is not installed."""
ATTENTION = 4
"""`status --exit-code`: a person is needed."""


class PluginError(Exception):
    """A command cannot go on; the text says what to do."""

    code = FAILED


class UsageError(PluginError):
    """The command was given something it cannot read; the text names the option."""

    code = USAGE


class NotFound(PluginError):
    """What was asked for is not there."""

    code = NOT_FOUND
