"""What the lab raises."""


class LabError(RuntimeError):
    """The lab cannot do what was asked; the message says why and, where there is one, what to do."""
