"""HAProxy, told on its socket where requests go: to slot a or b, nowhere for now (held), or back (closed)."""

from __future__ import annotations

import csv
import io
import socket
import threading
from pathlib import Path

SLOTS = ("a", "b")
CLOSED = "closed"
"""New requests are answered with 503."""
HELD = "held"
"""New requests wait; also what a proxy does that has just started and was told nothing."""
DEADLINE_S = 5.0
LARGEST_ANSWER = 1 << 20


class ProxyFailed(Exception):
    """It is there and does not do what it is told."""


class Proxy:
    """Remembers where requests should go, so that a proxy that died and came back is told again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self.wanted = CLOSED

    def point(self, to: str) -> None:
        """Send new requests there; those under way stay where they are. Raises ProxyFailed.

        A proxy that is not there sends nothing anywhere, and is told when it comes (`remind`).
        """
        with self._lock:
            self.wanted = to
            self._tell()

    def remind(self) -> bool:
        """Tell a proxy that has forgotten. Returns whether there is one that does as told."""
        with self._lock:
            try:
                return self._points() == self.wanted or (self._tell() and self._points() == self.wanted)
            except ProxyFailed:
                return False

    def in_flight(self, slot: str) -> int:
        """Requests that a slot's engine is answering; 0 where there is no proxy. Raises ProxyFailed."""
        servers = self._servers()
        return int(servers[slot]["scur"]) if servers else 0

    def _points(self) -> str | None:
        servers = self._servers()
        if not servers:
            return None
        return next((name for name in (CLOSED, *SLOTS) if servers[name]["status"] != "MAINT"), HELD)

    def _tell(self) -> bool:
        ready = [name for name in (*SLOTS, CLOSED) if name == self.wanted]
        commands = [f"set server {name}/{name} state maint" for name in (*SLOTS, CLOSED) if name not in ready]
        commands += [f"set server {name}/{name} state ready" for name in ready]
        answer = self._command("; ".join(commands))
        if answer is not None and answer.strip():
            raise ProxyFailed(f"the proxy answered {answer.strip()[:200]!r}")
        return answer is not None

    def _servers(self) -> dict[str, dict[str, str]]:
        answer = self._command("show stat -1 4 -1")
        if answer is None:
            return {}
        rows = csv.DictReader(io.StringIO(answer.lstrip("# ")))
        servers = {row["pxname"]: row for row in rows if row["pxname"] == row["svname"]}
        if not {*SLOTS, CLOSED} <= servers.keys():
            raise ProxyFailed(f"the proxy knows no servers {', '.join((*SLOTS, CLOSED))}: another configuration?")
        return servers

    def _command(self, line: str) -> str | None:
        """The answer, or None where nobody listens. Raises ProxyFailed."""
        answer = b""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(DEADLINE_S)
                try:
                    connection.connect(str(self._path))
                except (FileNotFoundError, ConnectionRefusedError):
                    return None
                connection.sendall(line.encode() + b"\n")
                while (part := connection.recv(65536)) and len(answer) < LARGEST_ANSWER:
                    answer += part
        except ConnectionError:
            return None  # it died while it was asked
        except OSError as error:
            raise ProxyFailed(f"{self._path}: {error}") from error
        return answer.decode(errors="replace")
