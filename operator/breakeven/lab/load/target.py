"""Which addresses load may be sent to."""

import ipaddress
from urllib.parse import urlsplit


class RemoteTarget(ValueError):
    """The target is not on this machine."""


def check_target(url: str, *, allow_remote: bool = False) -> str:
    """The URL without a trailing slash. Raises ValueError when it is none, RemoteTarget when it leaves this machine."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url!r} is no URL; write one such as http://127.0.0.1:8000")
    if not allow_remote and not _loopback(parts.hostname):
        raise RemoteTarget(
            f"{parts.hostname} is not a loopback address: load is only sent to this machine unless remote targets are "
            "allowed explicitly (--allow-remote)"
        )
    return url.rstrip("/")


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
