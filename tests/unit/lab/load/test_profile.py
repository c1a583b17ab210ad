"""Profiles: what YAML may say, and what is told when it is wrong."""

from pathlib import Path

import pytest

from breakeven.lab.load.profile import Profile, Rate, load_profile, packaged_profiles


@pytest.mark.parametrize("name", packaged_profiles())
def test_packaged_profile_is_valid(name: str) -> None:
    assert load_profile(name).duration > 0


def test_greedy_then_sampled_changes_only_the_temperature() -> None:
    phases = load_profile("greedy-then-sampled").phases
    assert [phase.mix[0].temperature for phase in phases] == [0.0, 1.0, 0.0]
    assert len({(phase.rate, phase.mix[0].prompt, phase.mix[0].output) for phase in phases}) == 1


def test_plain_numbers_mean_constant_rate_and_fixed_length() -> None:
    profile = Profile.model_validate({"phases": [{"name": "a", "duration": 1, "rate": 3, "mix": [{"prompt": 7}]}]})
    phase = profile.phases[0]
    assert (phase.rate.at(0.0), phase.rate.at(1.0)) == (3, 3)
    assert (phase.mix[0].prompt.median, phase.mix[0].prompt.spread) == (7, 0)


def test_rate_changes_evenly_over_the_phase() -> None:
    rate = Rate(start=2, end=10)
    assert [rate.at(share) for share in (-1, 0, 0.5, 1, 2)] == [2, 2, 6, 10, 10]


def test_file_is_read_by_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("phases: [{name: a, duration: 5, rate: 1}]\n")
    assert load_profile(str(path)).duration == 5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("phases: [{name: a, duration: 5, rate: 1, tempreature: 1}]", "tempreature"),
        ("phases: []", "at least 1 item"),
        ("phases: [{name: a, duration: 5, rate: 1}, {name: a, duration: 5, rate: 1}]", "phase names must differ"),
        ("phases: [", "while parsing"),
    ],
)
def test_wrong_profile_is_refused_with_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        load_profile(str(path))


def test_missing_profile_lists_the_packaged_ones() -> None:
    with pytest.raises(ValueError, match="packaged profiles: greedy, greedy-then-sampled"):
        load_profile("no-such-profile")
