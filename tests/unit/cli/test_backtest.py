"""Usage of `breakeven backtest`; what it decides is tested on a real Prometheus."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from breakeven.cli.main import app

SPEC = """
apiVersion: breakeven.dev/v1alpha1
kind: SpeculativeDeployment
metadata: {name: llama}
spec:
  replicas: 2
  engine: {image: "vllm/vllm-openai:v0.33.0"}
  target: {model: m}
"""
DRAFT = "  draft: {method: NGram}\n"


@pytest.mark.parametrize(
    ("spec", "arguments", "message"),
    [
        (SPEC, ("--start", "1h"), "spec.draft is absent"),
        (SPEC + DRAFT, ("--start", "soon"), "is not a duration"),
        (SPEC + DRAFT, ("--start", "1h", "--end", "2h"), "--start must lie before --end"),
        (SPEC + DRAFT, ("--start", "2026-01-01T00:00:00"), "no time zone"),
        (SPEC + DRAFT, ("--start", "1h", "--on", "up"), "no label selector"),
        ("kind: Pod\n", ("--start", "1h"), "no SpeculativeDeployment"),
    ],
)
def test_wrong_usage_exits_2_and_names_what_to_change(
    tmp_path: Path, spec: str, arguments: tuple[str, ...], message: str
) -> None:
    file = tmp_path / "spd.yaml"
    file.write_text(spec)
    command = ["backtest", "-f", str(file), "--prometheus", "http://127.0.0.1:1", *arguments]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_prometheus_that_cannot_be_read_exits_2(tmp_path: Path) -> None:
    file = tmp_path / "spd.yaml"
    file.write_text(SPEC + DRAFT)
    command = ["backtest", "-f", str(file), "--prometheus", "http://127.0.0.1:1", "--start", "1h"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2
    assert "127.0.0.1:1 cannot be reached" in result.stderr
