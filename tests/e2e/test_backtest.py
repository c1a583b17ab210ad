"""`breakeven backtest` over blocks that promtool made from generated history, served by a real Prometheus."""

import json
import random
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.support.prometheus import Point, openmetrics, prometheus
from typer.testing import CliRunner

from breakeven.cli.main import app

pytestmark = pytest.mark.lab

START = 1_790_000_040.0
MINUTES = 240
TURN = 120
"""Minute from which speculation does not pay any more."""
SPEC = """
apiVersion: breakeven.dev/v1alpha1
kind: SpeculativeDeployment
metadata: {name: llama, namespace: inference}
spec:
  replicas: 4
  engine: {image: "vllm/vllm-openai:v0.33.0"}
  target: {model: meta-llama/Llama-3.1-70B-Instruct}
  draft: {method: DraftModel, model: meta-llama/Llama-3.1-8B-Instruct, numSpeculativeTokens: 4}
  evidence: {warmup: 2m}
  policy: {holdback: {mode: Always}}
"""


def engine(pod: str, *, job: str, step: float, emitted: Callable[[int], float], speculating: bool) -> Iterator[Point]:
    """One replica scraped every 15 s: 600 steps a minute, a step of so many seconds, so many tokens emitted in each."""
    noise = random.Random(pod)
    steps = seconds = tokens = requests = accepted = 0.0
    labels = {"namespace": "inference", "pod": pod, "job": job, "engine": "0", "model_name": "m"}
    key = tuple(sorted(labels.items()))
    stop = tuple(sorted({**labels, "finished_reason": "stop"}.items()))
    for count in range(MINUTES * 4):
        at = START + 3 + 15 * count
        a_step = emitted(count // 4) * (1 + 0.02 * noise.gauss(0, 1))
        steps, seconds = steps + 150, seconds + 150 * step * (1 + 0.02 * noise.gauss(0, 1))
        # Both arms serve requests of one length: the faster arm serves more of them in the same time.
        served = 5 * emitted(count // 4)
        requests, tokens = requests + served, tokens + round(150 * a_step) + served
        accepted += round(150 * max(0.0, a_step - 1))
        values = {
            ("vllm:generation_tokens_total", key): tokens,
            ("vllm:time_to_first_token_seconds_count", key): requests,
            ("vllm:time_to_first_token_seconds_sum", key): requests * 0.2,
            ("vllm:inter_token_latency_seconds_count", key): steps,
            ("vllm:inter_token_latency_seconds_sum", key): seconds,
            ("vllm:num_requests_running", key): 8.0,
            ("vllm:num_requests_waiting", key): 0.0,
            ("vllm:kv_cache_usage_perc", key): 0.3,
            ("vllm:num_preemptions_total", key): 0.0,
            ("vllm:request_success_total", stop): requests,
        }
        if speculating:
            values["vllm:spec_decode_num_drafts_total", key] = steps
            values["vllm:spec_decode_num_draft_tokens_total", key] = steps * 4
            values["vllm:spec_decode_num_accepted_tokens_total", key] = accepted
        yield at, values


def emitted_with_speculation(minute: int) -> float:
    return 2.6 if minute < TURN else 1.2


def recorded(*, gap: range = range(0)) -> str:
    points = [
        *engine("spec-a", job="v", step=0.030, emitted=emitted_with_speculation, speculating=True),
        *engine("spec-b", job="v", step=0.030, emitted=emitted_with_speculation, speculating=True),
        *engine("plain-a", job="v", step=0.020, emitted=lambda minute: 1.0, speculating=False),
        *engine("plain-b", job="v", step=0.020, emitted=lambda minute: 1.0, speculating=False),
    ]
    return openmetrics(p for p in points if int((p[0] - START) // 60) not in gap)


def run(tmp_path: Path, url: str, *arguments: str, expect: int = 0) -> Any:
    resource = tmp_path / "spd.yaml"
    resource.write_text(SPEC)
    times = [datetime.fromtimestamp(START + 60 * m, UTC).isoformat() for m in (5, MINUTES)]
    result = CliRunner().invoke(
        app,
        ["backtest", "-f", str(resource), "--prometheus", url, "--start", times[0], "--end", times[1], *arguments],
    )
    assert result.exit_code == expect, result.output
    return result


ARMS = ("--on", 'pod=~"spec-.*"', "--off", 'namespace="inference",pod=~"plain-.*"')


def minute(record: dict[str, Any]) -> float:
    at: float = (datetime.fromisoformat(record["at"]).timestamp() - START) / 60
    return at


def test_it_would_have_gone_on_while_it_paid_and_off_when_it_no_longer_did(tmp_path: Path) -> None:
    with prometheus(tmp_path, recorded=recorded()) as url:
        document = json.loads(run(tmp_path, url, *ARMS, "-o", "json").stdout)
        table = run(tmp_path, url, *ARMS).stdout
    assert document["arms"]["on"]["replicas"] == ["inference/spec-a", "inference/spec-b"]
    actions = [d["action"] for d in document["decisions"]]
    assert actions[:4] == ["Begin", "StartTrial", "Promote", "Disable"]
    promote = document["decisions"][2]
    assert minute(promote) < TURN
    assert float(promote["evidence"]["speedup"]) == pytest.approx(2.6 * 20 / 30, rel=0.02)
    assert float(promote["evidence"]["speedupLower"]) > 1.05
    off = document["decisions"][3]
    assert TURN < minute(off) < TURN + 40
    assert off["reason"] == "BelowBreakEven"
    said = re.search(r"S (\d\.\d+) \[", off["message"])
    assert said is not None and float(said[1]) == pytest.approx(1.2 * 20 / 30, rel=0.02)
    assert "acceptance 0.050, and it was 0.4" in off["message"], "the cause, although a minute was enough to switch off"
    assert document["speculating"] is False
    assert "StartTrial" in table
    assert "assumed: replicas of both arms" in table


def test_an_hour_without_samples_holds_and_toggles_nothing(tmp_path: Path) -> None:
    gap = range(70, 110)
    with prometheus(tmp_path, recorded=recorded(gap=gap)) as url:
        document = json.loads(run(tmp_path, url, *ARMS, "-o", "json").stdout)
    assert [d for d in document["decisions"] if gap.start + 2 < minute(d) < gap.stop] == []
    silent = [h for h in document["holds"] if h["reason"] == "NoData" and "either arm" in h["message"]]
    spans = [(datetime.fromisoformat(h["until"]) - datetime.fromisoformat(h["since"])).total_seconds() for h in silent]
    assert max(spans) > 35 * 60


def test_the_same_history_gives_the_same_decisions_twice(tmp_path: Path) -> None:
    with prometheus(tmp_path, recorded=recorded()) as url:
        first = run(tmp_path, url, *ARMS, "-o", "json").stdout
        assert run(tmp_path, url, *ARMS, "-o", "json").stdout == first


def test_selectors_that_find_nothing_or_are_no_matchers_are_named(tmp_path: Path) -> None:
    with prometheus(tmp_path, recorded=recorded()) as url:
        nothing = run(tmp_path, url, expect=1)
        assert "no vLLM series for --on" in nothing.stderr
        assert 'pod=~"llama-' in nothing.stderr
        bad = run(tmp_path, url, "--on", 'pod=~"x"} or vector(1)', expect=2)
        assert "is no label selector" in bad.stderr
    gone = run(tmp_path, url, *ARMS, expect=2)
    assert "cannot be reached" in gone.stderr
