"""The supervisor's side of the proxy's socket, where the proxy is absent, dies or says something else."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from breakeven.warm.proxy import HELD, Proxy, ProxyFailed


@contextmanager
def answering(path: Path, answer: bytes) -> Iterator[list[bytes]]:
    """A socket that answers every line with the same."""
    asked: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    asked.append(connection.recv(4096))
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield asked
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def test_a_proxy_that_is_not_there_holds_nothing_and_is_not_ready(tmp_path: Path) -> None:
    proxy = Proxy(tmp_path / "proxy.sock")
    proxy.point("a")
    assert proxy.in_flight("a") == 0
    assert not proxy.remind()


def test_one_server_is_made_ready_after_the_others_are_not(tmp_path: Path) -> None:
    with answering(tmp_path / "s", b"\n") as asked:
        Proxy(tmp_path / "s").point("b")
        Proxy(tmp_path / "s").point(HELD)
    assert asked[0].decode().strip().split("; ") == [
        "set server a/a state maint",
        "set server closed/closed state maint",
        "set server b/b state ready",
    ]
    assert b"ready" not in asked[1]


def test_an_answer_of_another_proxy_is_no_success(tmp_path: Path) -> None:
    with answering(tmp_path / "s", b"No such server.\n"):
        with pytest.raises(ProxyFailed, match="No such server"):
            Proxy(tmp_path / "s").point("a")
        with pytest.raises(ProxyFailed, match="another configuration"):
            Proxy(tmp_path / "s").in_flight("a")
        assert not Proxy(tmp_path / "s").remind()
