"""Reads the pods' own metric pages once a second, as `curl` would, so that a figure can be checked against them."""

import re
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass

NAMES = {
    "generated": "vllm:generation_tokens_total",
    "first_tokens": "vllm:time_to_first_token_seconds_count",
    "step_seconds": "vllm:inter_token_latency_seconds_sum",
    "steps": "vllm:inter_token_latency_seconds_count",
    "drafted": "vllm:spec_decode_num_draft_tokens_total",
    "accepted": "vllm:spec_decode_num_accepted_tokens_total",
}


def read_page(address: str) -> dict[str, float]:
    """Sum of each counter over the series of one page."""
    with urllib.request.urlopen(f"http://{address}:8000/metrics", timeout=5) as page:
        text = page.read().decode()
    found: dict[str, float] = {}
    for short, name in NAMES.items():
        values = re.findall(rf"^{re.escape(name)}(?:\{{[^}}]*\}})? (\S+)$", text, flags=re.MULTILINE)
        if values:
            found[short] = sum(float(v) for v in values)
    return found


@dataclass(frozen=True, slots=True)
class Reading:
    """One page of one pod."""

    at: float
    pod: str
    totals: Mapping[str, float]


class PageRecorder:
    """Records in the background until it is closed."""

    def __init__(self, pods: Callable[[], Mapping[str, str]]) -> None:
        """`pods` gives addresses by pod name; it is asked every time."""
        self._pods = pods
        self._stop = threading.Event()
        self._readings: list[Reading] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def close(self) -> None:
        """Stop and wait for the thread."""
        self._stop.set()
        self._thread.join()

    def increase(self, pod: str, start: float, end: float) -> dict[str, float]:
        """Increase between the pages nearest to two times."""
        own = [r for r in self._readings if r.pod == pod]
        first = min(own, key=lambda r: abs(r.at - start))
        last = min(own, key=lambda r: abs(r.at - end))
        return {name: value - first.totals.get(name, 0.0) for name, value in last.totals.items()}

    def _run(self) -> None:
        while not self._stop.wait(0.5):
            for pod, address in self._pods().items():
                try:
                    self._readings.append(Reading(time.time(), pod, read_page(address)))
                except OSError:
                    continue  # starting or stopping: no page at this moment
