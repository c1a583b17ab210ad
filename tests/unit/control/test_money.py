"""A price of a GPU-hour turns replica-hours into money; without one nothing is said."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from tests.support.world import resource

from breakeven.api.names import GPU_HOUR_PRICE
from breakeven.api.price import GpuHour, Price, parse_gpu_hour
from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.api.value import ValueReport, ValueSums
from breakeven.control.inputs import price_of
from breakeven.control.lines import gain_line

WRONG = ("", "-1", "free", "1e9", "NaN", "2,50 EUR", '2 "', "2 EUR per hour", "9" * 5000, "2\n3")
DEFAULT = GpuHour(Decimal("2.5"), "EUR")


def asked(annotation: str | None, default: GpuHour | None = DEFAULT) -> tuple[Price | None, str]:
    body: dict[str, Any] = resource()
    if annotation is not None:
        body["metadata"]["annotations"] = {GPU_HOUR_PRICE: annotation}
    return price_of(body, SpeculativeDeploymentSpec.model_validate(body["spec"]), default)


def test_the_operators_price_holds_where_the_resource_names_none() -> None:
    assert asked(None) == (Price(gpu_hour=Decimal("2.5"), currency="EUR", gpus=4), "")
    assert asked(None, default=None) == (None, "")


def test_the_resources_own_price_wins_and_takes_the_currency_of_the_operator() -> None:
    assert asked("3") == (Price(gpu_hour=Decimal(3), currency="EUR", gpus=4), "")
    assert asked(" 3.10 USD", default=None) == (Price(gpu_hour=Decimal("3.10"), currency="USD", gpus=4), "")


@pytest.mark.parametrize("text", WRONG)
def test_a_price_that_cannot_be_read_is_passed_over_and_said(text: str) -> None:
    price, unread = asked(text)
    assert price is not None and price.gpu_hour == DEFAULT.amount
    assert GPU_HOUR_PRICE in unread and "2.50 EUR" in unread
    assert len(unread) < 200


def test_a_day_in_words_with_and_without_money() -> None:
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    day = ValueSums(tokens=1000, cost_tokens=100, replica_hours=Decimal("10"), cost_replica_hours=Decimal("1"))
    report = ValueReport(counted_until=noon, since=noon, day=day)
    plain = gain_line(report)
    assert "EUR" not in plain and "worth" not in plain
    line = gain_line(report, Price(gpu_hour=Decimal("2.5"), currency="EUR", gpus=4))
    assert ", worth 100.00 EUR; the live control cost 100 tokens, 10.00 EUR." in line
    assert "worth 100.00;" in gain_line(report, Price(gpu_hour=Decimal("2.5"), gpus=4))


def test_a_price_without_a_currency_is_an_amount() -> None:
    assert parse_gpu_hour("2.50") == GpuHour(Decimal("2.50"), "")
