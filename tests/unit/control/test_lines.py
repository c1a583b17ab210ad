"""One line for each part of the report that people read."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from tests.support.reports import full_reports

from breakeven.api.status import DecisionRecord, EvidenceStatus, Role, Source, State, StayStatus, VariantStatus
from breakeven.control.lines import arm_line, decision_line, figures_line, waiting_line

SPEC = {
    "replicas": 4,
    "engine": {"image": "vllm/vllm-openai:v0.33.0"},
    "target": {"model": "meta-llama/Llama-3.1-70B-Instruct", "quantization": "FP8", "maxModelLen": 32768},
    "hardware": {"accelerators": ["H200"], "gpusPerReplica": 2},
    "draft": {"method": "DraftModel", "model": "meta-llama/Llama-3.1-8B-Instruct"},
}


def test_an_arm_is_its_role_its_draft_its_replicas_and_its_name() -> None:
    arm = VariantStatus(name="a2a326466e", role=Role.STABLE, speculation="NGram k=3", wanted=3, ready=2)
    assert arm_line(arm) == "Stable: NGram k=3, 2/3 ready (a2a326466e)"


def test_a_decision_is_cut_to_its_first_sentence() -> None:
    message = "Switched off: 29 % slower with the draft. Accepted 12 %, needs 30 %. S 0.714"
    at = datetime(2026, 3, 2, 2, 23, 59, 922000, tzinfo=UTC)
    decision = DecisionRecord(at=at, action="Disable", reason="BelowBreakEven", message=message, generation=1)
    assert decision_line(decision) == (
        "2026-03-02 02:23:59 Disable BelowBreakEven: Switched off: 29 % slower with the draft."
    )


@pytest.mark.parametrize(
    ("evidence", "line"),
    [
        (None, ""),
        (EvidenceStatus(source=Source.FIXED), "Fixed"),
        (
            EvidenceStatus(
                source=Source.MEASURED,
                speedup=Decimal("1.703"),
                speedup_lower=Decimal("1.655"),
                speedup_upper=Decimal("1.753"),
                acceptance=Decimal("0.655"),
                break_even_acceptance=Decimal("0.216"),
            ),
            "Measured: S 1.703 [1.655, 1.753], acceptance 0.655 against break-even 0.216",
        ),
    ],
)
def test_figures_that_were_not_measured_are_left_out(evidence: EvidenceStatus | None, line: str) -> None:
    assert figures_line(evidence) == line


def test_what_is_waited_for_begins_with_its_word() -> None:
    assert waiting_line(None) == ""
    assert waiting_line(StayStatus(reason="CoolingDown", message="Until noon")) == "CoolingDown: Until noon"


def test_the_report_has_a_line_of_each_kind_and_the_details_have_it_all() -> None:
    status = full_reports(SPEC)[State.SPECULATING]
    assert [arm.split(":")[0] for arm in status.arms] == ["Stable", "Holdback"]
    assert len(status.history) == 3
    assert len(status.details.decisions) == 5
    assert status.gain.startswith("In 24 h 1204000 tokens (at least 991000)")
    assert status.details.evidence is not None
    assert status.details.evidence.latency is not None
    assert [c.type for c in status.conditions] == ["SpeculationActive", "Ready", "MetricsAvailable"]
