"""What `breakeven measure` found stands in where no control was measured live, and never goes before one."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from breakeven.api.calibration import CalibrationSpec
from breakeven.api.scalars import format_time
from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.api.status import LoadBand, Memory, Source, State
from breakeven.api.variant import declared_variant
from breakeven.control.fitness import fitness
from breakeven.domain.evidence import calibration, control_profile
from breakeven.domain.evidence.loss_alarm import stored_inflation

Make = Callable[..., Any]
BEGIN = datetime.fromisoformat("2026-03-02T08:00:00Z")
SPEC = SpeculativeDeploymentSpec.model_validate(
    {
        "replicas": 2,
        "engine": {"image": "vllm/vllm-openai:v0.33.0"},
        "target": {"model": "org/target"},
        "draft": {"model": "org/draft", "numSpeculativeTokens": 3},
        "hardware": {"accelerators": ["H200"]},
    }
)
SERVING = declared_variant(SPEC)


def measured(measured_at: datetime = BEGIN, loads: dict[float, float] | None = None, **changes: Any) -> CalibrationSpec:
    return CalibrationSpec.model_validate(
        {
            "engineVersion": "0.33.0",
            "accelerator": "H200",
            "target": "org/target",
            "draft": "org/draft",
            "measuredAt": format_time(measured_at),
            "loads": [{"load": str(load), "plainMs": str(ms)} for load, ms in (loads or {400.0: 20.0}).items()],
        }
        | changes
    )


def live(load: float, ms: float, at: datetime = BEGIN) -> LoadBand:
    values = {"load": Decimal(str(load)), "off_tpot_ms": Decimal(str(ms)), "spread": Decimal("0.01")}
    return LoadBand(measured_at=at, variant="v", **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"engineVersion": "0.32.0"}, "vLLM 0.32.0 and not 0.33.0"),
        ({"accelerator": "H100"}, "H100 and not H200"),
        ({"gpusPerReplica": 2}, "gpusPerReplica 2 and not 1"),
        ({"target": "org/other"}, "target org/other and not org/target"),
        ({"draft": "org/other"}, "draft org/other and not org/draft"),
        ({"method": "Eagle3"}, "method Eagle3 and not DraftModel"),
    ],
)
def test_a_calibration_for_something_else_is_ignored_and_the_condition_says_what_differs(
    changes: dict[str, Any], says: str
) -> None:
    other = measured(**changes)
    bands, why = calibration.bands(other, SERVING, [], BEGIN)
    assert bands == []
    assert says in why
    found = fitness({}, SPEC.model_copy(update={"calibration": other}))
    (valid,) = [f for f in found.findings if f.type == "ConfigurationValid"]
    assert f"spec.calibration is ignored: it was measured for {says}" in valid.message


def test_nothing_is_remarked_about_a_calibration_that_fits() -> None:
    fitting = fitness({}, SPEC.model_copy(update={"calibration": measured()}))
    assert not any("calibration" in finding.message for finding in fitting.findings)


def test_a_calibration_for_an_alternative_is_no_mistake() -> None:
    for_another = measured(draft="org/other")
    spec = SPEC.model_copy(
        update={"calibration": for_another, "alternatives": [SPEC.draft.model_copy(update={"model": "org/other"})]}  # type: ignore[union-attr]
    )
    assert not any("calibration" in finding.message for finding in fitness({}, spec).findings)


def test_a_build_number_of_the_engine_makes_no_other_version() -> None:
    assert calibration.differs(measured(engineVersion="0.33.0+cu130"), SERVING) == ""


def test_a_replica_that_may_land_on_several_gpus_is_not_what_was_measured() -> None:
    either = SERVING.model_copy(
        update={"hardware": SPEC.hardware.model_copy(update={"accelerators": ["H100", "H200"]})}
    )
    assert "H200 and not any of H100, H200" in calibration.differs(measured(), either)


@pytest.mark.parametrize(
    ("age", "says"), [(timedelta(days=8), "older than 7 days"), (-timedelta(days=2), "lies in the future")]
)
def test_a_calibration_ages_as_everything_stored_and_has_no_date_ahead(age: timedelta, says: str) -> None:
    bands, why = calibration.bands(measured(BEGIN - age), SERVING, [], BEGIN)
    assert bands == []
    assert says in why


def test_what_was_measured_live_goes_before_the_calibration_of_the_same_load() -> None:
    profile = [live(400, 20.5, BEGIN - timedelta(days=6))]
    bands, why = calibration.bands(measured(), SERVING, profile, BEGIN)
    assert why == ""
    found = control_profile.find([*profile, *bands], 400, BEGIN)
    assert found is profile[0]


def test_live_traffic_that_contradicts_one_load_discards_the_calibration_of_all() -> None:
    both = measured(loads={400.0: 20.0, 4000.0: 30.0})
    bands, why = calibration.bands(both, SERVING, [live(400, 40)], BEGIN)
    assert bands == []
    assert "20 ms a token at 400" in why.replace(".0", "")


def test_loads_of_one_band_are_the_nearest_to_its_middle() -> None:
    middle = control_profile.middle(15)
    crowded = measured(loads={round(middle * 1.15, 2): 25.0, round(middle, 2): 20.0, round(middle * 0.9, 2): 15.0})
    bands, _ = calibration.bands(crowded, SERVING, [], BEGIN)
    assert [float(band.off_tpot_ms) for band in bands] == [20.0]


def test_no_alarm_and_no_limit_by_batch_size_can_rest_on_a_calibration() -> None:
    (band,), _ = calibration.bands(measured(), SERVING, [], BEGIN)
    assert (band.inflation, band.speedup, band.running) == (None, None, None)
    assert stored_inflation([band], SERVING.name, BEGIN) is None


def calibrated(w: Any, *, plain_ms: float, age: timedelta = timedelta(0)) -> None:
    """Give the resource of a small world a calibration for the load that it has."""
    served = w.requests_per_second * 200 / w.spec.replicas
    draft = w.spec.draft
    w.spec = w.spec.model_copy(
        update={
            "hardware": w.spec.hardware.model_copy(update={"accelerators": ["H200"]}),
            "calibration": measured(
                w.now - age, {served: plain_ms}, target=w.spec.target.model, draft=draft.model, method=draft.method
            ),
        }
    )


def serving_unmeasured(world: Make, **changes: Any) -> Any:
    """A resource whose speculation serves and whose control was never measured, as after AlwaysOn."""
    return world(replicas=2, policy={"holdback": {"mode": "Never"}}, **changes)


def speculate(w: Any) -> None:
    stable = declared_variant(w.spec)
    w.memory = Memory(generation=1, state=State.SPECULATING, since=w.now, stable=stable, mode="Auto")


def test_without_a_measured_control_speculation_is_judged_by_the_calibration_and_says_its_age(world: Make) -> None:
    w = serving_unmeasured(world)
    calibrated(w, plain_ms=20, age=timedelta(hours=5))
    speculate(w)
    w.run(timedelta(hours=1))
    evidence = w.last.evidence
    assert evidence is not None
    assert (evidence.source, evidence.verdict) == (Source.CALIBRATED, "Pays")
    assert "calibration of 6.0 h ago" in evidence.message
    assert w.memory.profile == []


def test_without_a_calibration_the_same_load_is_not_judged(world: Make) -> None:
    w = serving_unmeasured(world)
    speculate(w)
    w.run(timedelta(hours=1))
    assert w.last.hold.reason == "LoadNotMeasured"


def test_the_reason_for_an_ignored_calibration_stands_where_the_load_is_not_measured(world: Make) -> None:
    w = serving_unmeasured(world)
    calibrated(w, plain_ms=20, age=timedelta(days=8))
    speculate(w)
    w.run(timedelta(hours=1))
    assert "spec.calibration is ignored" in w.last.hold.message


@pytest.mark.parametrize(("plain_ms", "leaves"), [(14.5, False), (12.0, True)])
def test_only_a_loss_beyond_the_wider_bounds_switches_off_by_a_calibration(
    world: Make, plain_ms: float, leaves: bool
) -> None:
    w = serving_unmeasured(world)  # a token takes 20 / 1.3 = 15.4 ms: S is 0.94 or 0.78
    calibrated(w, plain_ms=plain_ms)
    speculate(w)
    w.run(timedelta(hours=2))
    assert ("Disable" in [action for action, _ in w.news]) is leaves
