"""Figures about the operator and its resources."""

import json
import logging
import platform
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from aiohttp import ClientSession
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

import breakeven
from breakeven import __version__
from breakeven.api.price import Price
from breakeven.api.spec import EngineSpec, TargetSpec
from breakeven.api.status import Condition, Details, EvidenceStatus, Memory, Role, State, Status, VariantStatus
from breakeven.api.value import ValueStatus, ValueSums
from breakeven.api.variant import Variant
from breakeven.control.ports import Key
from breakeven.telemetry.figures import Figures
from breakeven.telemetry.health import Age, HealthServer
from breakeven.telemetry.logs import JsonFormatter, TextFormatter

KEY = Key("inference", "llama")
PACKAGE = Path(breakeven.__file__).parent
EVIDENCE = (
    "speedup", "speedup_lower", "speedup_upper", "tokens_per_step", "inflation", "acceptance", "break_even_acceptance",
)  # fmt: skip
WHO = {"namespace": "inference", "name": "llama"}


def status(**changes: object) -> Status:
    variant = Variant(engine=EngineSpec(image="vllm/vllm-openai:v0.11.0"), target=TargetSpec(model="m"))
    stable = VariantStatus(name="a", role=Role.STABLE, speculation="off", wanted=3, ready=2)
    details = Details(variants=[stable]).model_copy(update=changes)
    return Status(state=State.SPECULATING, memory=Memory(stable=variant), details=details)


def value(figures: Figures, name: str, labels: dict[str, str]) -> float | None:
    """A sample of the page, read as Prometheus would."""
    families = text_string_to_metric_families(figures.page().decode())
    found = [s.value for family in families for s in family.samples if (s.name, s.labels) == (name, labels)]
    assert len(found) < 2
    return found[0] if found else None


def test_absent_figure_is_no_series_and_never_zero() -> None:
    figures = Figures(CollectorRegistry())
    figures.reports(KEY, status(evidence=EvidenceStatus(speedup=Decimal("1.25"))), None)
    assert value(figures, "breakeven_speedup_ratio", WHO) == 1.25
    assert value(figures, "breakeven_acceptance_ratio", WHO) is None
    figures.reports(KEY, status(), None)
    assert value(figures, "breakeven_speedup_ratio", WHO) is None


def test_sums_of_value_go_with_the_resource() -> None:
    figures = Figures(CollectorRegistry())
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    sums = ValueStatus(counted_until=noon, since=noon, since_verdict=ValueSums(tokens=-7), day=ValueSums(tokens=9))
    figures.reports(KEY, status(value=sums), None)
    assert value(figures, "breakeven_value_tokens", WHO | {"over": "verdict"}) == -7
    assert value(figures, "breakeven_value_tokens", WHO | {"over": "day"}) == 9
    figures.forgot(KEY)
    assert value(figures, "breakeven_value_tokens", WHO | {"over": "day"}) is None


def test_hours_are_told_in_money_only_where_a_gpu_hour_has_a_price() -> None:
    figures = Figures(CollectorRegistry())
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    day = ValueSums(replica_hours=Decimal("10"), cost_replica_hours=Decimal("1.5"))
    sums = ValueStatus(counted_until=noon, since=noon, day=day)
    price = Price(gpu_hour=Decimal("2.50"), currency="EUR", gpus=4)
    figures.reports(KEY, status(value=sums, price=price), None)
    euros = WHO | {"over": "day", "currency": "EUR"}
    assert value(figures, "breakeven_value_money", euros) == 100
    assert value(figures, "breakeven_control_cost_money", euros) == 15
    figures.reports(KEY, status(value=sums), None)
    assert value(figures, "breakeven_value_money", euros) is None


def test_conditions_can_be_alerted_on_whatever_somebody_wrote_into_them() -> None:
    figures = Figures(CollectorRegistry())
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)

    def report(kind: str, state: str, reason: str) -> None:
        found = Condition(type=kind, status=state, reason=reason, last_transition_time=noon)
        figures.reports(KEY, status().model_copy(update={"conditions": [found]}), None)

    report("ConfigurationValid", "False", "UnsupportedByEngine")
    refused = WHO | {"type": "ConfigurationValid", "status": "False", "reason": "UnsupportedByEngine"}
    assert value(figures, "breakeven_condition", refused) == 1
    report("ConfigurationValid", "True", "Valid")
    assert value(figures, "breakeven_condition", refused) is None
    forged = 'a"} 1\nbreakeven_resources 9 \\'
    report("ConfigurationValid", "True", forged)
    assert value(figures, "breakeven_condition", refused | {"status": "True", "reason": forged}) == 1
    assert value(figures, "breakeven_resources", {}) is None


def test_the_page_follows_the_conventions_and_the_documents_have_every_series() -> None:
    registry = CollectorRegistry()
    figures = Figures(registry)
    figures.total("prometheus_queries", "Queries sent.", lambda: 7.0)
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    evidence = EvidenceStatus.model_validate(dict.fromkeys(EVIDENCE, Decimal("1.25")))
    price = Price(gpu_hour=Decimal("2.50"), currency="EUR", gpus=4)
    found = Condition(type="Ready", status="True", reason="Serving", last_transition_time=noon)
    full = status(evidence=evidence, value=ValueStatus(counted_until=noon, since=noon), price=price)
    figures.reports(KEY, full.model_copy(update={"conditions": [found]}), None)
    families = {family.name: family for family in text_string_to_metric_families(figures.page().decode())}
    assert value(figures, "breakeven_build_info", {"version": __version__, "python": platform.python_version()}) == 1
    assert value(figures, "breakeven_prometheus_queries_total", {}) == 7
    assert "process_resident_memory_bytes" in families
    assert not [name for name in families if name.endswith("_created")]
    # What the operator adds at its start (`_Operator._health`) is read from there.
    composed = (PACKAGE / "app.py").read_text(encoding="utf-8")
    added = {f"breakeven_{name}" for name in re.findall(r'figures\.watch\("([a-z_]+)"', composed)}
    added |= {f"breakeven_{name}_total" for name in re.findall(r'figures\.total\(\s*"([a-z_]+)"', composed)}
    own = {f"{name}_total" if f.type == "counter" else name for name, f in families.items()} | added
    page = (PACKAGE.parents[1] / "docs" / "metrics.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"`(breakeven_[a-z_]+)(?:\{[a-z,]+\})?`", page))
    assert {name for name in own if name.startswith("breakeven_")} == listed


def test_state_and_replicas_follow_the_status() -> None:
    figures = Figures(CollectorRegistry())
    figures.reports(KEY, status(), None)
    assert value(figures, "breakeven_state", WHO | {"state": "Speculating"}) == 1
    assert value(figures, "breakeven_state", WHO | {"state": "Trial"}) == 0
    assert value(figures, "breakeven_ready_replicas", WHO | {"role": "Stable"}) == 2
    figures.reports(KEY, status(variants=[]), None)
    assert value(figures, "breakeven_replicas", WHO | {"role": "Stable"}) is None


def test_series_of_a_deleted_resource_are_gone() -> None:
    figures = Figures(CollectorRegistry())
    figures.reports(KEY, status(), None)
    figures.forgot(KEY)
    assert value(figures, "breakeven_speculation_active", WHO) is None


def test_page_has_each_family_once_with_all_its_resources() -> None:
    figures = Figures(CollectorRegistry())
    for name in ("a", "b"):
        figures.reports(Key("inference", name), status(evidence=EvidenceStatus(speedup=Decimal("1.25"))), None)
    figures.passed(KEY, seconds=0.1, error="")
    families = [family.name for family in text_string_to_metric_families(figures.page().decode())]
    assert len(families) == len(set(families))
    for name in ("a", "b"):
        assert value(figures, "breakeven_speedup_ratio", WHO | {"name": name}) == 1.25
    assert value(figures, "breakeven_passes_total", {"outcome": "ok"}) == 1


def test_failed_pass_does_not_count_as_a_good_one() -> None:
    registry = CollectorRegistry()
    figures = Figures(registry, clock=lambda: 5.0)
    figures.passed(KEY, seconds=0.1, error="retry")
    assert figures.last_good_pass is None
    figures.passed(KEY, seconds=0.1, error="")
    assert figures.last_good_pass == 5.0
    assert registry.get_sample_value("breakeven_passes_total", {"outcome": "retry"}) == 1


def test_decisions_are_counted_with_their_reason() -> None:
    registry = CollectorRegistry()
    Figures(registry).decided(KEY, action="Disable", reason="BelowBreakEven")
    labels = WHO | {"action": "Disable", "reason": "BelowBreakEven"}
    assert registry.get_sample_value("breakeven_decisions_total", labels) == 1


def test_decisions_end_with_their_resource_and_with_no_other() -> None:
    registry = CollectorRegistry()
    figures = Figures(registry)
    other = Key("inference", "other")
    for key in (KEY, other):
        figures.decided(key, action="Disable", reason="BelowBreakEven")
    figures.forgot(KEY)
    figures.forgot(KEY)  # one that decided nothing, or is gone already
    labels = {"namespace": "inference", "action": "Disable", "reason": "BelowBreakEven"}
    assert registry.get_sample_value("breakeven_decisions_total", labels | {"name": "llama"}) is None
    assert registry.get_sample_value("breakeven_decisions_total", labels | {"name": "other"}) == 1


@pytest.mark.parametrize(("last", "expected"), [(None, 200), (95.0, 200), (80.0, 503)])
async def test_health_fails_when_the_last_good_turn_is_too_old(last: float | None, expected: int) -> None:
    ages = (Age(name="passes", last=lambda: last, limit_s=10),)
    server = HealthServer(lambda: b"", ages=ages, ready=lambda: False, clock=lambda: 100.0)
    port = await server.start("127.0.0.1", 0)
    async with ClientSession(f"http://127.0.0.1:{port}") as session:
        answer = await session.get("/healthz")
        assert answer.status == expected
        assert ("STALE" in await answer.text()) == (expected == 503)
        assert (await session.get("/readyz")).status == 503
        assert (await session.get("/metrics")).status == 200
    await server.stop()


def record(name: str = "breakeven.control") -> logging.LogRecord:
    made = logging.LogRecord(name, logging.INFO, "f", 1, "%s: %s", ("Promote", "S 1.25"), None)
    made.key = "inference/llama"
    made.settings = object()
    return made


def test_log_line_is_one_json_object_with_what_was_given_beside() -> None:
    made = record()
    del made.settings
    line = json.loads(JsonFormatter().format(made))
    assert (line["message"], line["key"], line["level"]) == ("Promote: S 1.25", "inference/llama", "info")
    assert TextFormatter().format(made).endswith("Promote: S 1.25 key=inference/llama")


def test_what_libraries_hang_on_their_records_stays_out() -> None:
    assert "settings" not in json.loads(JsonFormatter().format(record("kopf.objects")))


async def test_metrics_with_a_token_are_for_who_has_it_and_probes_need_none(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("s3cret\n")
    server = HealthServer(lambda: b"", ages=(), ready=lambda: True, token_file=token)
    port = await server.start("127.0.0.1", 0)

    async def status_of(path: str, authorization: str = "") -> int:
        headers = {"Authorization": authorization} if authorization else {}
        async with ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}", headers=headers) as answer:
            return answer.status

    try:
        refused = ["", "Bearer", "Bearer wrong", "s3cret", "Basic s3cret", "Bearer s3cret2", "Bearer \u00e9"]
        assert [await status_of("/metrics", text) for text in refused] == [401] * len(refused)
        assert await status_of("/metrics", "Bearer s3cret") == 200
        assert [await status_of(path) for path in ("/healthz", "/readyz")] == [200, 200]
        token.write_text("rotated")
        assert [await status_of("/metrics", f"Bearer {text}") for text in ("s3cret", "rotated")] == [401, 200]
        token.write_text("")
        assert await status_of("/metrics", "Bearer ") == 401
        token.unlink()
        assert await status_of("/metrics", "Bearer rotated") == 401
    finally:
        await server.stop()
