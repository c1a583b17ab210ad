"""What kubectl says becomes a sentence with what to do, and a kind of exit."""

from pathlib import Path

import pytest

from breakeven.plugin.errors import FAILED, NOT_FOUND, PluginError
from breakeven.plugin.kubectl import Kubectl, Where


def program(folder: Path, script: str) -> str:
    path = folder / "kubectl"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ('Error from server (NotFound): spd "a" not found', NOT_FOUND, '"a" not found'),
        ("error: context was not found for specified context: nope", FAILED, "context: nope"),
        ('error: the server doesn\'t have a resource type "speculativedeployments"', NOT_FOUND, "install the chart"),
        ('Error from server (Forbidden): spd is forbidden: User "u" cannot list', FAILED, "rbac.aggregate"),
        ("Unable to connect to the server: dial tcp: lookup x: no such host", FAILED, "cluster-info"),
        (
            "E1126 04:45:03.123456   99 memcache.go:265] boom\nThe connection was refused",
            FAILED,
            "connection was refused",
        ),
        ("error: context \x1b[31mnope\x1b[0m does not exist", FAILED, "context nope does not exist"),
        ("", FAILED, "without a word"),
    ],
)
def test_an_error_of_kubectl_says_what_to_do(tmp_path: Path, words: str, code: int, says: str) -> None:
    (tmp_path / "words").write_text(words)
    kubectl = Kubectl(Where(), program=program(tmp_path, f"cat {tmp_path}/words >&2; exit 1"))
    with pytest.raises(PluginError) as caught:
        kubectl.run("get", "spd")
    assert caught.value.code == code
    assert says in str(caught.value)
    assert str(caught.value).isprintable()


def test_cluster_and_namespace_are_kubectls_options(tmp_path: Path) -> None:
    where = Where(namespace="a", context="c", kubeconfig="/k")
    kubectl = Kubectl(where, program=program(tmp_path, 'echo "$@"'))
    assert kubectl.run("get", *where.scope()) == "--context=c --kubeconfig=/k --request-timeout=20s get --namespace=a\n"
    assert Where(namespace="a", everywhere=True).scope() == ["--all-namespaces"]
    assert Where().scope() == []


def test_a_kubectl_that_hangs_prints_no_json_or_is_not_there_is_an_error_like_any_other(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="did not end within"):
        Kubectl(Where(), program=program(tmp_path, "exec sleep 60")).run("get", timeout_s=0.2)
    with pytest.raises(PluginError, match="printed no JSON: hello"):
        Kubectl(Where(), program=program(tmp_path, "echo hello")).json("get")
    with pytest.raises(PluginError, match="cannot be run"):
        Kubectl(Where(), program=str(tmp_path / "none")).run("get")


def test_without_kubectl_on_path_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PluginError, match="not on PATH"):
        Kubectl(Where())
