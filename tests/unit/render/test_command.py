"""`breakeven render`: exit codes, and what goes to which stream."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from breakeven.cli.main import app
from breakeven.engines import load

SAMPLES = sorted((Path(__file__).parents[3] / "manifests" / "samples").glob("*.yaml"))
RESOURCE = """\
apiVersion: breakeven.dev/v1alpha1
kind: SpeculativeDeployment
metadata: {name: llama}
spec:
  replicas: 3
  engine: {image: "vllm/vllm-openai:v0.33.0"}
  target: {model: meta-llama/Llama-3.1-8B}
  draft: {method: DraftModel, model: /models/draft}
  alternatives: [{method: NGram}]
"""
BARE = "apiVersion: breakeven.dev/v1alpha1\nkind: SpeculativeDeployment\n"


def run(*arguments: str, stdin: str = RESOURCE) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["render", *arguments], input=stdin)
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_every_sample_renders(sample: Path) -> None:
    code, out, _ = run("-f", str(sample))

    assert code == 0
    mounted = {"ConfigMap"} if "mode: Warm" in sample.read_text() else set()
    assert {"Service", "Deployment"} | mounted == {o["kind"] for o in yaml.safe_load_all(out)}


def test_without_and_with_speculation_and_each_alternative_are_printed() -> None:
    code, out, err = run("-f", "-", "-o", "args")

    assert code == 0
    assert all(": caution: spec.draft.method: " in line for line in err.splitlines())
    titles = [line.partition(": ")[2] for line in out.splitlines() if line.startswith("#")]
    assert titles == ["no speculation", "DraftModel k=5", "NGram k=5"]


def test_json_alone_goes_to_stdout() -> None:
    code, out, _ = run("-f", "-", "-o", "json", "--speculation", "off")
    items = json.loads(out)["items"]

    assert code == 0
    assert [(i["kind"], i["spec"].get("replicas")) for i in items] == [("Service", None), ("Deployment", 3)]


@pytest.mark.parametrize("release", load().releases)
def test_the_engine_version_can_be_any_known_release(release: str) -> None:
    code, out, err = run("-f", "-", "--engine-version", release, "-o", "args", "--speculation", "off")

    assert (code, err) == (0, "")
    assert "--speculative" not in out


@pytest.mark.parametrize("tag", ["v0.19.0", "0.19.0-cu128", "0.19.0+cu130"])
def test_the_engine_version_is_read_as_a_tag_is(tag: str) -> None:
    assert run("-f", "-", "--engine-version", tag, "-o", "args") == run(
        "-f", "-", "--engine-version", "0.19.0", "-o", "args"
    )


@pytest.mark.parametrize(
    ("version", "says"),
    [
        ("0.19", "write 0.19.0 or 0.19.1"),
        ("v0.8.5x", "such as 0.33.0"),
        ("latest", "such as 0.33.0"),
        ("", "such as 0.33.0"),
    ],
)
def test_an_engine_version_that_is_no_release_is_a_usage_error(version: str, says: str) -> None:
    code, out, err = run("-f", "-", "--engine-version", version)

    assert (code, out) == (2, "")
    assert err.startswith("--engine-version:") and says in err


def test_a_refusal_names_the_field_and_the_versions_on_stderr() -> None:
    code, out, err = run("-f", "-", "--engine-version", "v0.12.0")

    assert (code, out) == (1, "")
    assert "refused: spec.draft.method:" in err
    assert "0.15.1 and newer can" in err


def test_a_resource_that_does_not_validate_names_the_field() -> None:
    code, out, err = run("-f", "-", stdin=RESOURCE.replace("replicas: 3", "replicas: many"))

    assert (code, out) == (1, "")
    assert "spec.replicas" in err


@pytest.mark.parametrize("stdin", ["kind: Other", "", "{", "- 1"])
def test_a_file_without_a_resource_is_a_usage_error(stdin: str) -> None:
    code, out, err = run("-f", "-", stdin=stdin)

    assert (code, out) == (2, "")
    assert err.startswith("-f -:")


def test_a_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    assert run("-f", str(tmp_path / "none.yaml"))[0] == 2


@pytest.mark.parametrize("command", ["render", "plan"])
@pytest.mark.parametrize(
    ("stdin", "code", "says"),
    [
        ("a: [1\n", 2, "is not YAML"),
        ("[" * 5000, 2, "is not YAML"),
        ("replicas: .inf\n", 2, "is not YAML"),
        ("", 2, "no SpeculativeDeployment"),
        ("kind: Deployment\n", 2, "but Deployment"),
        ("kind: SpeculativeDeployment\n", 1, "(no name): apiVersion: is missing: write breakeven.dev/v1alpha1"),
        (BARE, 1, "(no name): spec: write an object"),
        (BARE + "metadata: {name: 7}\n", 1, "metadata.name: write text, in quotes"),
        (BARE + "specs: {}\n", 1, "specs: there is no such field; did you mean spec?"),
        (RESOURCE.replace("breakeven.dev/v1alpha1", "apps/v1"), 1, "apiVersion: 'apps/v1'"),
        (RESOURCE.replace('v0.33.0"', 'v0.33.0", version: 0.11'), 1, "spec.engine.version: write text, in quotes"),
        (RESOURCE.replace("method: NGram", "method: Magic"), 1, "spec.alternatives[0].method: write DraftModel, NGram"),
        (
            RESOURCE.replace("replicas", "replica"),
            1,
            "spec.replica: there is no such field; did you mean spec.replicas?",
        ),
    ],
)
def test_what_cannot_be_read_ends_with_a_reason_and_no_traceback(
    command: str, stdin: str, code: int, says: str
) -> None:
    found = CliRunner().invoke(app, [command, "-f", "-"], input=stdin)

    assert (found.exit_code, found.stdout) == (code, "")
    assert says in found.stderr
    assert found.exception is None or isinstance(found.exception, SystemExit)


def test_a_folder_is_a_usage_error(tmp_path: Path) -> None:
    assert run("-f", str(tmp_path))[0] == 2


def test_a_tag_that_says_another_release_is_a_caution_only_where_it_was_declared() -> None:
    declared = RESOURCE.replace('v0.33.0"', 'v0.33.0", version: 0.24.0')

    assert "make them agree" in run("-f", "-", stdin=declared)[2]
    assert "make them agree" not in run("-f", "-", "--engine-version", "0.24.0")[2]


@pytest.mark.parametrize(
    "text", ["y", "N", "yes", "Off", "1e3", "0x1f", "0o17", "1_000", ".5", "+1", "~", "null", "2026-11-22", "a: b", ""]
)
def test_text_that_other_readers_take_for_something_else_is_quoted(text: str) -> None:
    variable = f"env: [{{name: ODD, value: {json.dumps(text)}}}]"
    code, out, _ = run(
        "-f", "-", "--speculation", "off", stdin=RESOURCE.replace('v0.33.0"}', f'v0.33.0", {variable}}}')
    )

    assert code == 0
    assert any(f"value: {quote}{text}{quote}\n" in out for quote in "'\"")
    assert text in [
        e.get("value") for e in list(yaml.safe_load_all(out))[1]["spec"]["template"]["spec"]["containers"][0]["env"]
    ]
