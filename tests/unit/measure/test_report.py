"""The report in its three forms, and the files for planner and operator."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from tests.support.measured import cell, measured, pair, speedup

from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.cli.manifests import Resource
from breakeven.cli.measure_files import fits, write
from breakeven.domain.measures.verdict import Bounds
from breakeven.measure.advice import advice, profile_csv
from breakeven.measure.figures import CellFigures, Slo
from breakeven.measure.grid import Arm, grid
from breakeven.measure.interval import Figure
from breakeven.measure.preflight import Identity
from breakeven.measure.report.content import Report
from breakeven.measure.report.html import as_html
from breakeven.measure.report.markdown import as_markdown
from breakeven.measure.verdict import verdict

BOUNDS = Bounds(promote=1.05, leave=0.98)
FIGURES = [
    cell(t, load, speedup(s))
    for t, values in ((0.0, (1.5, 1.3, 0.8)), (1.0, (0.9, 0.8, 0.7)))
    for load, s in zip((1, 8, 32), values, strict=True)
]
SPEC = SpeculativeDeploymentSpec.model_validate(
    {
        "replicas": 2,
        "engine": {"image": "vllm/vllm-openai:v0.33.0"},
        "target": {"model": "meta-llama/Llama-3.1-8B-Instruct"},
        "draft": {"model": "meta-llama/Llama-3.2-1B-Instruct", "numSpeculativeTokens": 3},
    }
)


def report(figures: list[CellFigures] = FIGURES, title: str = "Speculative decoding on llama") -> Report:
    made = verdict(figures, BOUNDS)
    return Report(
        title=title,
        verdict=made,
        figures=figures,
        bounds=BOUNDS,
        advice=advice(figures, made, BOUNDS),
        remarks=["--on: something <odd>."],
        ending="every cell is precise",
        identities={Arm.OFF: Identity(model="llama", version="0.33.0"), Arm.ON: Identity(model="llama")},
        addresses={Arm.OFF: "http://a"},
        method={"command": "breakeven measure --off a --on b"},
    )


class Outline(HTMLParser):
    """Tags in order, and whether each is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_html_needs_nothing_from_elsewhere_and_is_well_formed() -> None:
    text = as_html(report())
    outline = Outline(text)
    assert outline.open == []
    assert {"script", "link", "img", "iframe"}.isdisjoint(tag for tag, _ in outline.tags)
    assert not re.search(r"(?:src|href)=|url\(|@import", text)


def test_html_has_light_dark_and_paper_and_a_language() -> None:
    text = as_html(report())
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
    assert '<html lang="en">' in text


def test_every_picture_is_announced_and_no_cell_says_its_verdict_by_colour_alone() -> None:
    text = as_html(report())
    pictures = [attrs for tag, attrs in Outline(text).tags if tag == "svg"]
    assert pictures
    assert all(p.get("role") == "img" and p.get("aria-label") for p in pictures)
    assert text.count("<title>") == len(pictures) + 1
    assert "▲ pays" in text and "▼ loses" in text


def test_the_verdict_comes_first_and_how_it_was_measured_last() -> None:
    for text in (as_html(report()), as_markdown(report())):
        assert text.index("Use it only below") < text.index("Where it pays") < text.index("How it was measured")


def test_what_a_server_says_is_escaped() -> None:
    text = as_html(report(title="<script>alert(1)</script>"))
    assert "<script>" not in text
    assert "&lt;odd&gt;" in text


def test_a_report_without_bounds_or_percentiles_can_be_written() -> None:
    bare = [cell(0.0, 1, Figure(value=1.2))]
    assert "no bounds yet" in as_html(report(bare))
    assert "1.20 (no bounds)" in as_markdown(report(bare))


def test_markdown_tables_are_whole() -> None:
    lines = as_markdown(report()).splitlines()
    tables = [line for line in lines if line.startswith("| ")]
    assert tables
    heads = [i for i, line in enumerate(lines) if line.startswith("| ---")]
    for i in heads:
        assert lines[i].count("|") == lines[i - 1].count("|") == lines[i + 1].count("|")


def test_json_profile_and_resource_are_written_and_read_back(tmp_path: Path) -> None:
    written = write(report(), Resource(name="llama", namespace="x", spec=SPEC), tmp_path)
    assert {path.name for path in written} == {
        "report.html",
        "report.json",
        "report.md",
        "profile.csv",
        "speculativedeployment.yaml",
    }
    document = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert document["verdict"]["kind"] == "OnlyBelowLoadAndTemperature"
    assert document["cells"][0]["speedup"] == {"value": 1.5, "lower": 1.48, "upper": 1.52}
    made = yaml.safe_load((tmp_path / "speculativedeployment.yaml").read_text(encoding="utf-8"))
    spec = SpeculativeDeploymentSpec.model_validate(made["spec"])
    assert spec.draft is not None
    assert spec.draft.disable_above_batch_size == 17
    assert float(spec.thresholds.acceptance.caution or 0) == pytest.approx(0.33)


def test_a_limit_that_the_engine_cannot_keep_is_left_out_of_the_resource() -> None:
    old = SPEC.model_copy(update={"engine": SPEC.engine.model_copy(update={"image": "vllm/vllm-openai:v0.16.0"})})
    kept = fits(Resource(name="llama", namespace="x", spec=old), report().advice)
    assert kept.disable_above is None
    assert kept.caution is not None
    assert fits(Resource(name="llama", namespace="x", spec=SPEC), report().advice).disable_above == 17


def test_a_warning_above_the_users_own_threshold_is_left_out_of_the_resource() -> None:
    thresholds = {"acceptance": {"healthy": "0.2"}}
    own = SpeculativeDeploymentSpec.model_validate(
        SPEC.model_dump(mode="json", by_alias=True, exclude_unset=True) | {"thresholds": thresholds}
    )
    assert fits(Resource(name="llama", namespace="x", spec=own), report().advice).caution is None


def test_without_a_resource_the_fields_that_follow_are_a_patch(tmp_path: Path) -> None:
    write(report(), None, tmp_path)
    patch = yaml.safe_load((tmp_path / "spec-patch.yaml").read_text(encoding="utf-8"))
    assert patch["spec"]["draft"] == {"numSpeculativeTokens": 3, "disableAboveBatchSize": 17}


def test_the_planner_reads_the_profile() -> None:
    import csv
    import io

    from breakeven.planning.measured import supplied

    text = profile_csv(FIGURES, {"target": "llama"})
    profile = supplied(csv.DictReader(io.StringIO(text)), source="measured")
    assert profile.span(3) == (1, 32)
    assert profile.inflation(8, 3) == pytest.approx(2.0)


def test_a_shorter_draft_is_advised_where_late_positions_are_hardly_accepted() -> None:
    from dataclasses import replace

    late = [
        replace(c, on=replace(c.on, acceptance_at=tuple(Figure(value=v) for v in (0.8, 0.05, 0.01))))
        for c in [cell(0.0, 1, speedup(1.2), inflation=1.5)]
        if c.on is not None
    ]
    made = verdict(late, BOUNDS)
    found = advice(late, made, BOUNDS)
    assert found.better_k == 1
    assert found.gain is not None and found.gain > 1.03


def test_speculation_that_pays_nowhere_is_written_off() -> None:
    hopeless = [cell(1.0, 1, speedup(0.7))]
    assert advice(hopeless, verdict(hopeless, BOUNDS), BOUNDS).mode == "Off"


def test_a_real_measurement_makes_a_whole_report(tmp_path: Path) -> None:
    _, figures, _ = measured(pair(), tmp_path, cells=grid((0.0, 1.0), (1, 4), ()), slo=Slo(tpot=0.01))
    text = as_html(report(figures))
    assert Outline(text).open == []
    assert text.count("<svg") >= 4
