"""Simulation settings and where they come from."""

from pathlib import Path

import pytest

from breakeven.lab.engine.knobs import Knobs, knobs_from


def test_options_win_over_environment_and_environment_over_profile(tmp_path: Path) -> None:
    profile = tmp_path / "profile.yaml"
    profile.write_text("load_delay: 9\nspread: 0.2\nseed: 3\nacceptance: {0: 0.9, 1: 0.2}\n")
    knobs = knobs_from(
        {"BREAKEVEN_SIM_LOAD_DELAY": "7", "BREAKEVEN_SIM_SPREAD": "0.1"}, profile=profile, options={"load_delay": 5.0}
    )
    assert (knobs.load_delay, knobs.spread, knobs.seed) == (5.0, 0.1, 3)
    assert knobs.acceptance == ((0.0, 0.9), (1.0, 0.2))


def test_acceptance_is_read_from_json() -> None:
    assert knobs_from({"BREAKEVEN_SIM_ACCEPTANCE": '{"1": 0.3, "0": 0.8}'}).acceptance == ((0.0, 0.8), (1.0, 0.3))


def test_unreadable_setting_is_named() -> None:
    with pytest.raises(ValueError, match="BREAKEVEN_SIM_SEED: cannot read 'x'"):
        knobs_from({"BREAKEVEN_SIM_SEED": "x"})


def test_unknown_profile_key_is_named(tmp_path: Path) -> None:
    profile = tmp_path / "profile.yaml"
    profile.write_text("speed: 9\n")
    with pytest.raises(ValueError, match="no such setting: speed"):
        knobs_from({}, profile=profile)


def test_nothing_set_gives_the_defaults() -> None:
    assert knobs_from({}, options={"seed": None}) == Knobs()
