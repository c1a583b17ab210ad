"""How a replica starts and stops: seconds before, during and after the drain."""

import math
from datetime import timedelta

LEAVE_S = 5
"""Seconds between "terminating" and SIGTERM: the pod leaves the endpoints first, for a draining engine answers new
requests with HTTP 500."""
LAST_WORDS_S = 20
"""Seconds an engine takes to exit after its last request: 10 measured, plus room."""
SCHEDULING_S = 300
"""Seconds that scheduling and pulling an image may take before a Deployment counts as not progressing."""


def pre_stop_s(shutdown_timeout: timedelta, *, drains: bool) -> int:
    """Seconds to sleep before SIGTERM. Releases without a drain (before 0.18.0) cut requests off at SIGTERM, so for
    them the time for requests in flight is slept."""
    return LEAVE_S + (0 if drains else _whole(shutdown_timeout))


def grace_s(shutdown_timeout: timedelta) -> int:
    """Seconds until SIGKILL. An engine can hang in its shutdown, so they may all be used up."""
    return LEAVE_S + _whole(shutdown_timeout) + LAST_WORDS_S


def progress_deadline_s(startup_timeout: timedelta) -> int:
    """Seconds without progress after which a Deployment says so: longer than an engine may load."""
    return _whole(startup_timeout) + SCHEDULING_S


def _whole(time: timedelta) -> int:
    return math.ceil(time.total_seconds())
