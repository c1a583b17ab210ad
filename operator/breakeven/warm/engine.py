"""One `vllm serve` process on a loopback port: started, asked, put to sleep, woken, ended."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from .wanted import EngineSpec

ANSWER_S = 5.0
"""Deadline of what an engine answers at once: health, sleeping or not, its page."""
SLEEP_S = 180.0
"""Deadline of falling asleep once nothing runs: the first time pins host memory, 9–13 s for 15 GiB on an H100."""
WAKE_S = 180.0
"""Deadline of waking: 0.4 s for 15 GiB."""
SMOKE_S = 60.0
"""Deadline of a completion of one token."""
POLL_S = 0.2
LARGEST_PAGE = 16 << 20
"""Bytes read of an answer."""
LAST_LINES = 20
LONGEST_LINE = 4096
_STILL_IN_USE = re.compile(r"([\d.]+) GiB memory is still in use")
"""vLLM's own words after falling asleep (0.26.0 v1/worker/gpu_worker.py:221)."""


_REFERENCE = re.compile(r"\$(?:\$|\(([A-Za-z_.-][A-Za-z0-9_.-]*)\))")


class EngineFailed(Exception):
    """The engine died, or did not do what it was asked; the message says what and adds its last words."""


class Engine:
    """A process group of its own; its output goes on to ours, each line marked with the variant."""

    def __init__(self, spec: EngineSpec, *, host: str, port: int, ended: Callable[[], None]) -> None:
        """Start it. `ended` is called, from another thread, when the process is gone."""
        self.spec = spec
        self.left_behind: int | None = None
        """Bytes in use on the GPU when it last fell asleep, as it said."""
        self._address = (host, port)
        self._ended = ended
        self._words: deque[str] = deque(maxlen=LAST_LINES)
        known = {**os.environ, **dict(spec.env)}
        command = [*(expanded(part, known) for part in spec.argv), f"--host={host}", f"--port={port}"]
        child = str(Path(__file__).with_name("child.py"))
        self._process = subprocess.Popen(
            [sys.executable, child, str(os.getpid()), *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # The developer routes are what puts it to sleep; the proxy lets nobody else reach them.
            env={**known, "VLLM_SERVER_DEV_MODE": "1"},
            start_new_session=True,
        )
        threading.Thread(target=self._relay, name=f"output of {spec.variant}", daemon=True).start()

    @property
    def pid(self) -> int:
        """Also its process group."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def until_ready(self, seconds: float) -> None:
        """Wait until it answers. Raises EngineFailed when it ends before, or takes longer."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not self.alive:
                raise self._failed(f"ended with {self._process.returncode} while it loaded")
            if self.healthy():
                return
            time.sleep(POLL_S)
        raise self._failed(f"did not answer within {seconds:g} s (engine.startupTimeout)")

    def healthy(self) -> bool:
        """Whether /health says so: also of one that sleeps."""
        try:
            return self._ask("GET", "/health", ANSWER_S)[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def sleep(self, mode: str) -> None:
        """Weights to host memory, KV cache dropped. Level 1 only: level 2 loses the draft's weights (vllm#52479).

        mode: `wait` for what runs, or `abort` it. Raises EngineFailed.
        """
        self._do("POST", f"/sleep?level=1&mode={mode}", SLEEP_S)

    def wake(self) -> None:
        """Back into GPU memory. Harmless when it is awake. Raises EngineFailed."""
        self._do("POST", "/wake_up", WAKE_S)

    def sleeping(self) -> bool:
        """Raises EngineFailed."""
        answer = self._do("GET", "/is_sleeping", ANSWER_S)
        try:
            return json.loads(answer)["is_sleeping"] is True
        except (ValueError, KeyError, TypeError) as error:
            raise self._failed(f"/is_sleeping: {answer[:200]!r}") from error

    def smoke(self, model: str) -> None:
        """One token from it. Raises EngineFailed."""
        asked = {"model": model, "prompt": "1 2 3", "max_tokens": 1, "temperature": 0}
        answer = self._do("POST", "/v1/completions", SMOKE_S, json.dumps(asked).encode())
        try:
            choices = json.loads(answer)["choices"]
        except (ValueError, KeyError, TypeError):
            choices = None
        if not isinstance(choices, list) or not choices:
            raise self._failed(f"a completion of one token was answered with {answer[:200]!r}")

    def page(self) -> bytes:
        """Its metrics. Raises EngineFailed."""
        return self._do("GET", "/metrics", ANSWER_S)

    def end(self, grace: float) -> None:
        """SIGTERM to the server, and after `grace` seconds SIGKILL to all of its processes."""
        if grace > 0 and self.alive:
            self._process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(grace)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def last_words(self) -> str:
        """Why it ended, as far as it said."""
        return str(self._failed(f"ended with {self._process.poll()}"))

    def _do(self, method: str, path: str, seconds: float, body: bytes = b"") -> bytes:
        try:
            status, answer = self._ask(method, path, seconds, body)
        except (OSError, http.client.HTTPException) as error:
            gone = "" if self.alive else f"; it ended with {self._process.returncode}"
            raise self._failed(f"{path}: {str(error) or type(error).__name__}{gone}") from error
        if status != 200:
            raise self._failed(f"{path} answered {status}: {answer[:200].decode(errors='replace')}")
        return answer

    def _ask(self, method: str, path: str, seconds: float, body: bytes = b"") -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(*self._address, timeout=seconds)
        headers = {"Content-Type": "application/json"} if body else {}
        if key := os.environ.get("VLLM_API_KEY"):
            headers["Authorization"] = f"Bearer {key}"
        try:
            connection.request(method, path, body=body, headers=headers)
            response = connection.getresponse()
            return response.status, response.read(LARGEST_PAGE)
        finally:
            connection.close()

    def _failed(self, what: str) -> EngineFailed:
        said = " | ".join(list(self._words)[-3:])
        return EngineFailed(f"{self.spec.variant}: {what}" + (f" (last words: {said})" if said else ""))

    def _relay(self) -> None:
        assert self._process.stdout is not None
        mark = f"[{self.spec.variant}] ".encode()
        while line := self._process.stdout.readline(LONGEST_LINE):
            with suppress(OSError):
                sys.stdout.buffer.write(mark + line.rstrip(b"\n") + b"\n")
                sys.stdout.buffer.flush()
            text = line.decode(errors="replace").strip()
            if text:
                self._words.append(text)
            if found := _STILL_IN_USE.search(text):
                self.left_behind = round(float(found.group(1)) * 2**30)
        self._process.wait()
        self._ended()


def expanded(text: str, known: Mapping[str, str]) -> str:
    """`$(NAME)` and `$$` as Kubernetes replaces them in a container's arguments; an unknown name stays as written."""

    def replace(found: re.Match[str]) -> str:
        return "$" if found.group(1) is None else known.get(found.group(1), found.group(0))

    return _REFERENCE.sub(replace, text)
