"""A Prometheus that is played by plain values, and what a resource asks it for."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from breakeven.adapters.prometheus.answers import RawSeries
from breakeven.adapters.prometheus.client import Endpoint
from breakeven.adapters.prometheus.errors import QueryFailed
from breakeven.control.ports import Key, MetricsQuery, Pod

START = 1_800_000_000.0
KEY = Key("inference", "llama")


def moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


class FakePrometheus:
    """Series with samples; answers range selectors and the query that looks for names."""

    def __init__(self) -> None:
        self.series: dict[tuple[tuple[str, str], ...], list[tuple[float, str]]] = {}
        self.asked: list[str] = []
        self.fails: Exception | None = None
        self.names_by_pattern: bool | None = True
        """False: such queries are refused; None: nothing is found by them."""
        self.endpoints: list[Endpoint] = []

    def connect(self, endpoint: Endpoint) -> "FakePrometheus":
        self.endpoints.append(endpoint)
        return self

    def close(self) -> None:
        return

    def put(self, name: str, labels: Mapping[str, str], at: float, value: float | str) -> None:
        key = tuple(sorted({"__name__": name, **labels}.items()))
        self.series.setdefault(key, []).append((at, str(value)))

    def engine(self, pod: str, at: float, tokens: float, *, prefix: str = "vllm:", **changes: Any) -> None:
        labels = {"namespace": "inference", "pod": pod, "engine": "0", "model_name": "m", "job": "vllm"}
        labels = changes.get("labels", labels)
        steps = changes.get("steps", tokens / 2)
        values: dict[str, float | str] = {
            "generation_tokens_total": tokens,
            "time_to_first_token_seconds_count": tokens / 100,
            "inter_token_latency_seconds_count": steps,
            "inter_token_latency_seconds_sum": changes.get("seconds", steps * 0.02),
            "spec_decode_num_drafts_total": steps,
            "spec_decode_num_draft_tokens_total": steps * 4,
            "spec_decode_num_accepted_tokens_total": changes.get("accepted", steps),
            "num_requests_running": 4,
        }
        for name, value in values.items():
            self.put(f"{prefix}{name}", labels, at, value)
        self.put(f"{prefix}request_success_total", {**labels, "finished_reason": "stop"}, at, tokens / 100)

    def run(self, pod: str, start: float, end: float, *, every: float = 15.0, rate: float = 100.0, **kw: Any) -> None:
        at = start
        while at <= end:
            self.engine(pod, at, (at - kw.get("born", START)) * rate, **{k: v for k, v in kw.items() if k != "born"})
            at += every

    def query(self, text: str, *, at: float) -> Sequence[RawSeries]:
        self.asked.append(text)
        if self.fails is not None:
            raise self.fails
        if self.names_by_pattern is False and "__name__=~" in text:
            raise QueryFailed("HTTP 400: =~ is an unsupported matchtype for the __name__ label", 400)
        match = re.fullmatch(r"([\w:]*)\{(.*)\}(?:\[(\d+)ms\])?", text)
        assert match is not None, text
        matchers = [(k.strip('"'), v) for k, v in re.findall(r'([\w]+|"[^"]+")=~"((?:[^"\\]|\\.)*)"', match[2])]
        matchers += [("__name__", re.escape(match[1]))] if match[1] else []
        if self.names_by_pattern is None:  # a pattern is taken for the name itself, as GreptimeDB did
            matchers = [(k, re.escape(v) if k == "__name__" and not match[1] else v) for k, v in matchers]
        oldest = at - (int(match[3]) / 1000 if match[3] else 300)
        found = []
        for key, samples in self.series.items():
            labels = dict(key)
            if all(re.fullmatch(v.replace("\\\\", "\\"), labels.get(k, "")) for k, v in matchers):
                inside = [(t, float(v)) for t, v in samples if oldest < t <= at]
                if inside:
                    found.append(RawSeries(labels, inside))
        return found


def pod(name: str, ready: float | None = START - 3600, started: float = START - 3600) -> Pod:
    return Pod(
        namespace="inference",
        name=name,
        ready_since=moment(ready) if ready is not None else None,
        started_at=moment(started),
    )


def query(pods: Mapping[str, Sequence[Pod]], **changes: Any) -> MetricsQuery:
    values: dict[str, Any] = {
        "url": "",
        "prefix": None,
        "namespace_label": None,
        "pod_label": None,
        "batch": timedelta(seconds=60),
        "history": timedelta(minutes=10),
        "warmup": timedelta(0),
    }
    return MetricsQuery(pods=pods, **{**values, **changes})
