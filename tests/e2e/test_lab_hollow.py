"""Hollow nodes: pods Ready without a process, and series that carry their names."""

import json
import urllib.request
from pathlib import Path

import pytest
from tests.support.lab import deployment, lab_settings, pod_spec

from breakeven.lab.handle import RunningLab
from breakeven.lab.settings import H200, NodeSettings

pytestmark = pytest.mark.lab

SPECULATIVE = ["serve", "some/model", "--speculative-config", '{"method":"ngram","num_speculative_tokens":3}']


def test_hollow_pods_are_ready_and_their_series_carry_their_names(tmp_path: Path) -> None:
    nodes = (NodeSettings(name="hollow", product=H200, gpus=100, pods=110, hollow=True, count=2),)
    settings = lab_settings("hollow", nodes=nodes, scrape_hollow_interval_seconds=1.0)
    with RunningLab.start(settings, directory=tmp_path / "hollow") as lab:
        on = pod_spec(image="vllm/vllm-openai:v0.25.1", product=H200, arguments=SPECULATIVE)
        off = pod_spec(image="vllm/vllm-openai:v0.25.1", product=H200, arguments=["serve", "some/model"])
        lab.kubectl("apply", "-f", "-", input=deployment("default", "on", on, replicas=20))
        lab.kubectl("apply", "-f", "-", input=deployment("default", "off", off, replicas=20))
        for name in ("on", "off"):
            lab.kubectl("wait", "--for=condition=Available", f"deployment/{name}", "--timeout=60s")

        def rates() -> dict[str, float]:
            found = lab.query('rate(vllm:generation_tokens_total{job="hollow",namespace="default"}[10s])')
            return {one["metric"]["pod"]: float(one["value"][1]) for one in found}

        measured = lab.wait_for("40 rates", lambda: len(found := rates()) == 40 and found)
        speculating = [rate for pod, rate in measured.items() if pod.startswith("on-")]
        plain = [rate for pod, rate in measured.items() if pod.startswith("off-")]
        assert sum(speculating) / sum(plain) == pytest.approx(settings.hollow.speedup, rel=0.1)
        assert len(lab.query("vllm:spec_decode_num_drafts_total")) == 20
        assert lab.query('up{job="pods"}') == []

        lab.set_hollow(acceptance=0.1)
        recent = "increase(vllm:spec_decode_num_accepted_tokens_per_pos_total{position='0'}[5s])"
        drafts = "increase(vllm:spec_decode_num_drafts_total[5s])"
        lab.wait_for(
            "the new acceptance",
            lambda: float(lab.query(f"sum({recent}) / sum({drafts})")[0]["value"][1]) == pytest.approx(0.1, rel=0.05),
        )

        answered(lab)
        lab.kubectl("delete", "deployment", "on", "off", "--cascade=foreground", "--timeout=60s")
        assert json.loads(lab.kubectl("get", "pods", "-o", "json").stdout)["items"] == []
        lab.wait_for("no series", lambda: lab.query("vllm:generation_tokens_total") == [])


def answered(lab: RunningLab) -> None:
    address = lab.kubectl("get", "pods", "-o", "jsonpath={.items[0].status.podIP}").stdout
    request = urllib.request.Request(
        f"http://{address}:8000/v1/completions",
        data=json.dumps({"model": "some/model", "prompt": "x", "max_tokens": 4}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=5) as answer:
        assert json.load(answer)["usage"]["completion_tokens"] == 4
