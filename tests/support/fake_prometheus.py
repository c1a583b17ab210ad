"""A Prometheus that is played by plain values, and what a resource asks it for."""

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from operator import itemgetter
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
        self.subqueries = True
        """False: they are refused."""
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
        ends = re.fullmatch(r"last_over_time\((.*)\)\[(\d+)ms:(\d+)ms\]", text)
        if ends is not None and not self.subqueries:
            raise QueryFailed("HTTP 400: subqueries are not supported", 400)
        if ends is not None:
            return self._at_ends(ends[1], at, int(ends[2]), int(ends[3]))
        span, matching = self._matching(text)
        return [RawSeries(labels, found) for labels, s in matching if (found := _inside(s, at - span, at))]

    def _at_ends(self, text: str, at: float, back: int, step: int) -> Sequence[RawSeries]:
        """A subquery, evaluated at multiples of its step."""
        span, matching = self._matching(text)
        newest, found = round(at * 1000), []
        moments = [n * step / 1000 for n in range((newest - back) // step + 1, newest // step + 1)]
        for labels, samples in matching:
            values = [(m, seen[-1][1]) for m in moments if (seen := _inside(samples, m - span, m))]
            found += [RawSeries(labels, values)] if values else []
        return found

    def _matching(self, text: str) -> tuple[float, list[tuple[dict[str, str], list[tuple[float, str]]]]]:
        """Seconds of the range, and the series that match."""
        match = re.fullmatch(r"([\w:]*)\{(.*)\}(?:\[(\d+)ms\])?", text)
        assert match is not None, text
        matchers = [(k.strip('"'), v) for k, v in re.findall(r'([\w]+|"[^"]+")=~"((?:[^"\\]|\\.)*)"', match[2])]
        matchers += [("__name__", re.escape(match[1]))] if match[1] else []
        if self.names_by_pattern is None:  # a pattern is taken for the name itself, as GreptimeDB did
            matchers = [(k, re.escape(v) if k == "__name__" and not match[1] else v) for k, v in matchers]
        found = []
        for key, samples in self.series.items():
            labels = dict(key)
            if all(re.fullmatch(v.replace("\\\\", "\\"), labels.get(k, "")) for k, v in matchers):
                found.append((labels, samples))
        return int(match[3]) / 1000 if match[3] else 300, found


def _inside(samples: Sequence[tuple[float, str]], after: float, until: float) -> list[tuple[float, float]]:
    first, last = (bisect_right(samples, at, key=itemgetter(0)) for at in (after, until))
    return [(at, float(value)) for at, value in samples[first:last]]


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
