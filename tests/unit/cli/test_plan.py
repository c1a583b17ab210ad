"""`breakeven plan` and `breakeven score` as commands: exit codes, streams, JSON only where asked."""

import json
from pathlib import Path

import pytest
from tests.support.configs import LLAMA_8B
from typer.testing import CliRunner

from breakeven.cli.main import app

ROOT = Path(__file__).parents[3]
SAMPLES = sorted((ROOT / "manifests" / "samples").glob("*.yaml"))
CASES = ROOT / "benchmarks" / "data" / "benchmark-cases.csv"
SPD = """
apiVersion: breakeven.dev/v1alpha1
kind: SpeculativeDeployment
metadata: {name: x}
spec:
  engine: {image: "vllm/vllm-openai:v0.26.0"}
  target: {model: meta-llama/Llama-3.1-8B-Instruct, maxModelLen: 8192}
  draft: {method: Eagle3, model: yuhuili/EAGLE3-LLaMA3.1-Instruct-8B, numSpeculativeTokens: 3}
  hardware: {accelerators: [H200]}
"""


@pytest.fixture
def spd(tmp_path: Path) -> Path:
    path = tmp_path / "spd.yaml"
    path.write_text(SPD, encoding="utf-8")
    return path


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_every_sample_can_start(sample: Path) -> None:
    found = CliRunner().invoke(app, ["plan", "-f", str(sample), "-o", "json"])
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout)["starts"] == "Yes"


def test_a_refused_plan_exits_with_one_and_still_prints_it(spd: Path) -> None:
    spd.write_text(SPD.replace("maxModelLen: 8192", "maxModelLen: 90000000"), encoding="utf-8")
    found = CliRunner().invoke(app, ["plan", "-f", str(spd)])
    assert found.exit_code == 1
    assert "REFUSED" in found.stdout and "maxModelLen" in found.stdout


def test_what_the_engine_version_cannot_do_is_refused_with_the_versions_that_can(spd: Path) -> None:
    text = SPD.replace("v0.26.0", "v0.12.0").replace("method: Eagle3, model: y", "method: DraftModel, model: y")
    alternative = "  alternatives: [{method: NGram}, {method: DFlash, model: acme/head}]\n"
    spd.write_text(text + alternative, encoding="utf-8")
    found = CliRunner().invoke(app, ["plan", "-f", str(spd), "-o", "json"])
    said = json.loads(found.stdout)
    refused = {r["field"]: r["message"] for r in said["remarks"] if r["severity"] == "Refusal"}
    assert (found.exit_code, said["starts"]) == (1, "No")
    assert "0.15.1 and newer" in refused["draft.method"]
    assert "0.20.0 and newer" in refused["alternatives[1].method"]


def test_an_image_that_does_not_tell_its_version_is_refused(spd: Path) -> None:
    spd.write_text(SPD.replace("v0.26.0", "latest"), encoding="utf-8")
    found = CliRunner().invoke(app, ["plan", "-f", str(spd)])
    assert found.exit_code == 1
    assert "REFUSED  engine.version" in found.stdout


@pytest.mark.parametrize(
    ("extra", "named"),
    [
        (["--batch", "1,many"], "--batch"),
        (["--config-json", "/does/not/exist"], "--config-json"),
        (["--profile", "/does/not/exist.csv"], "--profile"),
    ],
)
def test_what_cannot_be_read_is_named_on_the_error_stream(spd: Path, extra: list[str], named: str) -> None:
    found = CliRunner().invoke(app, ["plan", "-f", str(spd), *extra])
    assert found.exit_code == 2
    assert named in found.stderr and found.stdout == ""


def test_a_field_that_does_not_exist_is_named(spd: Path) -> None:
    spd.write_text(SPD.replace("maxModelLen", "maxLength"), encoding="utf-8")
    found = CliRunner().invoke(app, ["plan", "-f", str(spd)])
    assert found.exit_code == 1 and "target.maxLength" in found.stderr


def test_a_supplied_profile_decides_the_prediction(spd: Path, tmp_path: Path) -> None:
    profile = tmp_path / "mine.csv"
    profile.write_text("batch,k,plain_ms,speculating_ms\n1,3,10,20\n64,3,10,40\n", encoding="utf-8")
    found = CliRunner().invoke(
        app, ["plan", "-f", str(spd), "--profile", str(profile), "--batch", "1,64", "--acceptance", "0.7", "-o", "json"]
    )
    by_batch = json.loads(found.stdout)["accelerators"][0]["outlook"]["byBatch"]
    assert [row["stepInflation"] for row in by_batch] == [2.0, 4.0]


def test_a_local_config_makes_an_unknown_model_known(spd: Path, tmp_path: Path) -> None:
    spd.write_text(SPD.replace("meta-llama/Llama-3.1-8B-Instruct", "acme/secret"), encoding="utf-8")
    config = tmp_path / "config.json"
    config.write_text(json.dumps(LLAMA_8B), encoding="utf-8")
    without = CliRunner().invoke(app, ["plan", "-f", str(spd), "-o", "json"])
    assert json.loads(without.stdout)["starts"] == "Unknown"
    found = CliRunner().invoke(app, ["plan", "-f", str(spd), "--config-json", str(config), "-o", "json"])
    assert json.loads(found.stdout)["starts"] == "Yes"


def test_the_corrected_table_refuses_what_the_article_calls_tight() -> None:
    found = CliRunner().invoke(app, ["plan", "--article-table", "-o", "json"])
    rows = json.loads(found.stdout)
    first = rows[0]
    assert (first["gpu"], first["target"], first["draft"], first["starts"]) == ("H100", "BF16", "BF16", False)
    assert len(rows) == 18


def test_the_score_leaves_fitted_rows_out_and_beats_both_rules_on_balance() -> None:
    found = CliRunner().invoke(app, ["score", "--cases", str(CASES), "-o", "json"])
    made = json.loads(found.stdout)
    total = made["groups"][0]
    assert made["leftOut"]["fitted"] == 17
    assert total["model"]["balancedAccuracy"] > max(
        total["fixedHalfRule"]["balancedAccuracy"], total["alwaysOn"]["balancedAccuracy"]
    )
    assert len(total["missedSlowDowns"]) == total["slowDowns"] - total["model"]["slowDownsRight"]


def test_a_cases_file_that_is_not_there_is_a_usage_error() -> None:
    found = CliRunner().invoke(app, ["score", "--cases", "/does/not/exist.csv"])
    assert found.exit_code == 2 and "--cases" in found.stderr


def test_a_plan_for_another_engine_version_is_asked_for_by_option(spd: Path) -> None:
    found = CliRunner().invoke(app, ["plan", "-f", str(spd), "--engine-version", "v0.9.0", "-o", "json"])

    said = json.loads(found.stdout)
    assert (found.exit_code, said["engine"]) == (1, "0.9.0")
    assert any("0.9.1 and newer can" in remark["message"] for remark in said["remarks"])


def test_one_of_several_resources_is_planned_by_name(spd: Path) -> None:
    spd.write_text(f"{SPD}---\n{SPD.replace('name: ', 'name: other-', 1)}", encoding="utf-8")

    first = CliRunner().invoke(app, ["plan", "-f", str(spd), "-o", "yaml"])
    named = CliRunner().invoke(app, ["plan", "-f", str(spd), "--name", "absent"])

    assert "note: planning" in first.stderr and first.stdout.startswith("variant: ")
    assert named.exit_code == 2 and "--name" in named.stderr


def test_a_file_without_the_columns_is_a_usage_error_that_names_them(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("name,speed\na,1.2\n", encoding="utf-8")
    found = CliRunner().invoke(app, ["score", "--cases", str(path), "-o", "json"])

    assert (found.exit_code, found.stdout) == (2, "")
    assert "no column target, method, measured_speedup" in found.stderr


def test_a_file_without_a_row_that_can_be_scored_says_so_and_fails(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("id,target,method,measured_speedup\na,secret,ngram,1.2\n", encoding="utf-8")
    found = CliRunner().invoke(app, ["score", "--cases", str(path), "-o", "json"])

    assert found.exit_code == 1 and "count as empty: source" in found.stderr
    assert json.loads(found.stdout)["leftOutIds"]["sizeOfTargetUnknown"] == ["a"]


def test_a_plan_begins_with_its_answer_and_marks_what_does_not_fit(spd: Path) -> None:
    found = CliRunner().invoke(app, ["plan", "-f", str(spd), "--batch", "1,1024", "--context", "4000"])
    assert found.exit_code == 0, found.output
    assert found.stdout.startswith("Use it: likely faster")
    assert "does not fit into the KV cache" in found.stdout and "requests of 8,192 tokens at once" in found.stdout
    assert "advice   bound by time to first token?" in found.stdout


def test_a_plan_as_json_has_the_interval_of_every_prediction(spd: Path) -> None:
    found = CliRunner().invoke(app, ["plan", "-f", str(spd), "-o", "json", "--drafting-share", "0.5"])
    said = json.loads(found.stdout)
    (row, *_) = said["accelerators"][0]["outlook"]["byBatch"]
    assert row["speedupLow"] < row["speedup"] < row["speedupHigh"]
    assert row["verdict"] in {"likely pays", "unsure", "likely does not"} and row["fits"] is True
    assert said["answer"]["answer"] in {"Use it", "Leave it off", "Measure first"} and len(said["advice"]) == 2
    assert said["acceptance"]["draftingShare"] == 0.5


def test_a_score_says_how_often_its_verdicts_are_right() -> None:
    found = CliRunner().invoke(app, ["score", "--cases", str(CASES), "-o", "json", "--rows"])
    said = json.loads(found.stdout)
    everything = said["trust"][0]
    assert everything["rows"] == said["rowsScored"]
    assert sum(v["rows"] for v in everything["verdicts"].values()) == everything["rows"]
    assert all(row["low"] < row["predicted"] < row["high"] for row in said["rows"])
