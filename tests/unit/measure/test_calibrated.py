"""What a measurement without speculation says to the operator's stored control."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.measured import cell, measured, pair, speedup
from tests.unit.measure.test_report import SPEC, report

from breakeven.api.calibration import CalibrationSpec
from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.cli.manifests import Resource
from breakeven.cli.measure_files import write
from breakeven.measure.calibrated import calibration
from breakeven.measure.figures import CellFigures
from breakeven.measure.grid import Arm, grid
from breakeven.measure.interval import Figure
from breakeven.measure.preflight import Identity

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def spec(**changes: Any) -> SpeculativeDeploymentSpec:
    body = SPEC.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return SpeculativeDeploymentSpec.model_validate(body | {"hardware": {"accelerators": ["H200"]}} | changes)


def timed(temperature: float, load: float, *, ms: float, served: float, half: float = 0.02) -> CellFigures:
    """A cell whose server without speculation took so many milliseconds a token and served so many tokens a second."""
    made = cell(temperature, load, speedup(1.2))
    assert made.off is not None
    tpot = Figure(value=ms / 1000, lower=ms / 1000 * (1 - half), upper=ms / 1000 * (1 + half))
    return replace(made, off=replace(made.off, tpot=tpot, load=served))


def made(figures: list[CellFigures], declared: SpeculativeDeploymentSpec | None = None) -> CalibrationSpec | str:
    return calibration(figures, declared or spec(), version="0.33.0", measured_at=NOW)


def test_concurrency_is_converted_to_what_the_server_without_speculation_served() -> None:
    found = made([timed(0.0, 1, ms=10, served=100), timed(0.0, 8, ms=12, served=650)])
    assert isinstance(found, CalibrationSpec)
    assert [(float(each.load), float(each.plain_ms)) for each in found.loads] == [(100, 10), (650, 12)]
    assert (found.engine_version, found.accelerator, found.draft) == ("0.33.0", "H200", SPEC.draft and SPEC.draft.model)
    assert found.measured_at == NOW


def test_temperatures_of_one_load_are_one_figure_whose_error_has_their_distance() -> None:
    found = made([timed(0.0, 8, ms=10, served=800), timed(1.0, 8, ms=12, served=700)])
    assert isinstance(found, CalibrationSpec)
    (only,) = found.loads
    assert float(only.plain_ms) == pytest.approx(11)
    assert float(only.error) == pytest.approx(0.0915, abs=0.001)


def test_a_time_without_bounds_is_not_written() -> None:
    vague = timed(0.0, 1, ms=10, served=100)
    assert vague.off is not None
    vague = replace(vague, off=replace(vague.off, tpot=Figure(value=0.010)))
    assert made([vague]) == "times without speculation were not measured well enough"


@pytest.mark.parametrize(
    ("changes", "version", "says"),
    [
        ({"hardware": {"accelerators": ["H100", "H200"]}}, "0.33.0", "spec.hardware.accelerators, not H100, H200"),
        ({"draft": None}, "0.33.0", "spec.draft is missing"),
        ({}, "", "does not tell its vLLM version"),
    ],
)
def test_what_it_was_measured_for_must_be_known(changes: dict[str, Any], version: str, says: str) -> None:
    found = calibration([timed(0.0, 1, ms=10, served=100)], spec(**changes), version=version, measured_at=NOW)
    assert isinstance(found, str)
    assert says in found


def test_a_measurement_writes_the_load_and_time_of_its_server_into_the_resource(tmp_path: Path) -> None:
    _, figures, _ = measured(pair(), tmp_path, cells=grid((0.0,), (1, 4), ()))
    identities = {Arm.OFF: Identity(model="llama", version="0.33.0")}
    write(replace(report(figures), identities=identities), Resource(name="llama", namespace="x", spec=spec()), tmp_path)
    document = yaml.safe_load((tmp_path / "speculativedeployment.yaml").read_text(encoding="utf-8"))
    written = SpeculativeDeploymentSpec.model_validate(document["spec"]).calibration
    assert written is not None
    for own, each in zip(figures, written.loads, strict=True):
        assert own.off is not None
        assert own.off.tpot is not None
        assert own.off.running is not None
        assert float(each.plain_ms) == pytest.approx(1000 * own.off.tpot.value, rel=0.001)
        # Little's law: what runs at a time is what is served a second times what one token takes, but for first tokens
        assert float(each.load) * own.off.tpot.value == pytest.approx(own.off.running, rel=0.2)
