"""When a story of warm replicas says that a switch is over, and that no request failed."""

import json
from typing import Any

import pytest

from breakeven.demo.switches import counted, serves


def status(state: str, *variants: dict[str, Any]) -> dict[str, Any]:
    return {"state": state, "details": json.dumps({"variants": list(variants)})}


def arm(*, speculates: bool, ready: int, awake: int | None = None) -> dict[str, Any]:
    return {"speculates": speculates, "ready": ready} | ({} if awake is None else {"awake": awake})


@pytest.mark.parametrize(
    ("on", "off", "speculating"),
    [
        (arm(speculates=True, ready=2, awake=2), arm(speculates=False, ready=2, awake=0), True),
        (arm(speculates=True, ready=2, awake=0), arm(speculates=False, ready=2, awake=2), False),
        (arm(speculates=True, ready=2, awake=1), arm(speculates=False, ready=2, awake=1), None),
        (arm(speculates=True, ready=1), arm(speculates=False, ready=0), True),
        (arm(speculates=True, ready=1), arm(speculates=False, ready=1), None),
        (arm(speculates=True, ready=0), arm(speculates=False, ready=0), None),
    ],
)
def test_a_switch_is_over_when_every_replica_serves_the_other_variant(
    on: dict[str, Any], off: dict[str, Any], speculating: bool | None
) -> None:
    assert serves(status("Speculating", on, off), speculating=True) is (speculating is True)
    assert serves(status("Baseline", on, off), speculating=False) is (speculating is False)


def test_what_is_awake_in_turns_is_no_switch_that_was_ordered() -> None:
    awake = arm(speculates=False, ready=1, awake=1)
    assert not serves(status("Speculating", awake), speculating=False)


def test_nothing_serves_before_the_first_report() -> None:
    assert not serves({}, speculating=True)


def test_requests_are_counted_from_the_last_words_of_the_load_generator() -> None:
    said = "sending\n" + json.dumps({"total": {"finished": 40, "failed": 2}})
    assert counted(said) == (42, 2)
    assert counted("killed before its end") == (0, 0)
