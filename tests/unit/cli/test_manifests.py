"""A resource is read offline as strictly as the API server reads it, and a slip is answered with the right word."""

from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from tests.support.refusals import Refusal, accepted, merged, refusals

from breakeven.cli.manifests import REFUSED, read_resources


def refused(resource: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What is said about it on stderr."""
    file = tmp_path / "spd.yaml"
    file.write_text(yaml.safe_dump(resource))
    with pytest.raises(typer.Exit) as ended:
        read_resources(file)
    assert ended.value.exit_code == REFUSED
    return capsys.readouterr().err


@pytest.mark.parametrize("case", [*refusals("refused"), *refusals("types")], ids=lambda case: case.name)
def test_what_the_api_server_refuses_is_refused_offline(
    case: Refusal, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(case.resource, tmp_path, capsys)

    assert case.field.rpartition(".")[2].partition("[")[0] in said
    assert case.says in said


def test_what_the_api_server_takes_as_absent_is_absent(tmp_path: Path) -> None:
    resource = accepted()
    resource["spec"] |= {"policy": None, "hardware": {"gpusPerReplica": None}, "draft": None}
    file = tmp_path / "spd.yaml"
    file.write_text(yaml.safe_dump(resource))
    (read,) = read_resources(file)

    assert (read.spec.hardware.gpus_per_replica, read.spec.draft) == (1, None)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"paused": True}, "spec.paused: there is no such field; did you mean spec.policy.paused?"),
        ({"target": {"quantisation": "FP8"}}, "did you mean spec.target.quantization?"),
        ({"quantization": "FP8"}, "did you mean spec.target.quantization or spec.draft.quantization"),
        ({"target": {"quantize": "FP8"}}, "did you mean spec.target.quantization?"),
        ({"draft": {"num_speculative_tokens": 3}}, "did you mean spec.draft.numSpeculativeTokens?"),
        ({"draft": {"numTokens": 3}}, "did you mean spec.draft.numSpeculativeTokens?"),
        ({"gpus": 8}, "did you mean spec.hardware.gpusPerReplica"),
        ({"policy": {"coolDown": "1h"}}, "did you mean spec.policy.cooldown?"),
        ({"podTemplates": {}}, "did you mean spec.podTemplate?"),
        ({"engine": {"banana": 1}}, "there is no such field; spec.engine has env, extraArgs, image"),
    ],
)
def test_a_misspelt_or_misplaced_field_is_answered_with_the_right_one(
    changes: dict[str, Any], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(merged(accepted(), {"spec": changes}), tmp_path, capsys)

    assert says in said
    assert "remove it" not in said


def test_a_bare_off_is_answered_with_the_word_to_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "spd.yaml"
    file.write_text(yaml.safe_dump(accepted()) + "  policy: {mode: Off}\n")
    with pytest.raises(typer.Exit):
        read_resources(file)

    assert "spec.policy.mode: write AlwaysOff instead of Off" in capsys.readouterr().err
