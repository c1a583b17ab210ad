"""Which Prometheus a resource may have asked: the operator's own, or one of its allow-list."""

from urllib.parse import urlsplit

from breakeven.api.vocabulary import Reason
from breakeven.domain.counters.observation import Outage


def allowed_address(url: str, *, own: str, allowed: tuple[str, ...]) -> str | None:
    """The address to ask for a resource that names `url`, possibly none; None when it may not choose that one."""
    if not url or url == own:
        return own or None
    return url if any(_covers(entry, url) for entry in allowed) else None


def refusal(url: str) -> Outage:
    """Why no address is asked for a resource that names `url`."""
    if not url:
        return Outage(
            reason=Reason.NO_PROMETHEUS,
            message="the operator has no Prometheus of its own; give it one (BREAKEVEN_PROMETHEUS_URL), set "
            "spec.metrics.prometheusURL to an address of its allow-list (BREAKEVEN_PROMETHEUS_ALLOWED), or "
            "spec.metrics.source to Pods, whose own pages are then read",
        )
    return Outage(
        reason=Reason.PROMETHEUS_NOT_ALLOWED,
        message=f"spec.metrics.prometheusURL {_bare(url)} is not in the operator's allow-list; "
        "add it there (BREAKEVEN_PROMETHEUS_ALLOWED), or leave the field empty for the operator's own Prometheus",
    )


def _bare(url: str) -> str:
    """Without credentials, query and fragment; what is no URL is not repeated."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(no URL)"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _covers(entry: str, url: str) -> bool:
    """Whether an entry of the allow-list covers an address: same scheme, host and port, and path below it."""
    try:
        granted, asked = urlsplit(entry.rstrip("/")), urlsplit(url)
    except ValueError:  # neither an address that the schema takes nor one that could be asked
        return False
    if (granted.scheme, granted.netloc.lower()) != (asked.scheme, asked.netloc.lower()):
        return False
    if asked.query or asked.fragment or any(part in asked.path for part in ("..", "%", "\\")):
        return False
    return asked.path == granted.path or asked.path.startswith(f"{granted.path}/")
