"""Health probes of an engine. Nothing listens until the model is loaded: `/health` is start-up and readiness alike."""

import math
from dataclasses import dataclass
from datetime import timedelta

from breakeven.render.names import Manifest

_LONGEST_PERIOD_S = 10
_LOOKS = 30
"""Fewest looks within the start-up time, so that a short one is noticed soon."""
_TIMEOUT_S = 5
_UNREADY_AFTER = 3
_DEAD_AFTER = 6
"""Failures in a row; `/health` is 503 once the engine is dead, and slow only while the API process is starved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probes:
    """Start-up, readiness and liveness probe, as in a container."""

    startup: Manifest
    readiness: Manifest
    liveness: Manifest


def probes(startup_timeout: timedelta, port: str) -> Probes:
    """Probes that give an engine this long to load, at the port of this name."""
    seconds = max(1, math.ceil(startup_timeout.total_seconds()))
    period = min(_LONGEST_PERIOD_S, max(1, seconds // _LOOKS))
    return Probes(
        startup=_health(port, period, math.ceil(seconds / period)),
        readiness=_health(port, min(period, 5), _UNREADY_AFTER),
        liveness=_health(port, _LONGEST_PERIOD_S, _DEAD_AFTER),
    )


def _health(port: str, period: int, failures: int) -> Manifest:
    return {
        "httpGet": {"path": "/health", "port": port},
        "periodSeconds": period,
        "timeoutSeconds": _TIMEOUT_S,
        "failureThreshold": failures,
    }
