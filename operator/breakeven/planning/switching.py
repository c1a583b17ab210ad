"""What a switch costs: minutes in which a replica does not serve."""

from dataclasses import dataclass

START_MINUTES = 2.0
"""Process start, compilation and graph capture without weights: 13 s to 125 s in measured starts with dummy weights."""
LOAD_BYTES_PER_SECOND = 0.2e9
"""Reading weights from network storage, planning value: a 141 GB checkpoint then loads in 14 minutes, within the 10
to 16 that
operators report for a 70B model. Local disks are several times faster; a measured loading time replaces both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchCost:
    """What changing every replica once costs."""

    loading_minutes: float
    """From pod start to ready, one replica."""
    replica_minutes: float
    """The same for all replicas, one after the other: serving capacity lost without a surge."""
    measured: bool


def switch_cost(
    weight_bytes: float | None, *, replicas: int, measured_minutes: float | None = None
) -> SwitchCost | None:
    """Cost of a switch; None when neither weights nor a measurement are known."""
    if measured_minutes is not None:
        minutes = measured_minutes
    elif weight_bytes is not None:
        minutes = START_MINUTES + weight_bytes / LOAD_BYTES_PER_SECOND / 60.0
    else:
        return None
    return SwitchCost(
        loading_minutes=minutes, replica_minutes=minutes * replicas, measured=measured_minutes is not None
    )
