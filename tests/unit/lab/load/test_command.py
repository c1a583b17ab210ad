"""`breakeven load`."""

from typer.testing import CliRunner

from breakeven.cli.main import app


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["load", *arguments])
    return result.exit_code, result.stdout, result.stderr


def test_remote_target_ends_with_2_and_names_the_option() -> None:
    code, out, err = run("--url", "http://10.1.2.3:8000", "--profile", "greedy")
    assert (code, out) == (2, "")
    assert "not a loopback address" in err
    assert "--allow-remote" in err


def test_missing_profile_ends_with_2() -> None:
    code, _, err = run("--url", "http://127.0.0.1:1", "--profile", "nowhere.yaml")
    assert code == 2
    assert "packaged profiles" in err


def test_server_that_never_answers_ends_with_1_and_still_gives_the_summary() -> None:
    code, out, err = run("--url", "http://127.0.0.1:1", "--profile", "greedy", "--duration", "1.0")
    assert code == 1
    assert '"sent"' in out
    assert "no request was answered" in err
