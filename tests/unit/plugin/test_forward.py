"""The way to the live page: which operator, and what is said when there is no way."""

from pathlib import Path
from typing import Any

import pytest
from tests.support.fake_kubectl import Cluster, deployment

from breakeven.plugin.errors import NotFound, PluginError
from breakeven.plugin.forward import Operator, forwarded, operator
from breakeven.plugin.kubectl import Kubectl, Where

HERE = Operator("breakeven-system", "breakeven", "8081")


def looked_for(*deployments: dict[str, Any]) -> Operator:
    return operator(Cluster(objects={"deployments": list(deployments)}).kubectl(Where()), None)


def test_the_operator_that_serves_a_page_is_found() -> None:
    assert looked_for(deployment("breakeven-system", "8081"), deployment("b", None)) == HERE


def test_where_there_is_none_it_is_said_what_to_do() -> None:
    with pytest.raises(NotFound, match="is the operator installed"):
        looked_for()
    with pytest.raises(PluginError, match=r"set page\.enabled in the chart"):
        looked_for(deployment("a", None))
    with pytest.raises(PluginError, match="operators in a, b: say which with --operator-namespace"):
        looked_for(deployment("b", "8081"), deployment("a", "8081"))
    with pytest.raises(PluginError, match=r"serves no page"):
        looked_for({"metadata": {}, "spec": {"template": {"spec": None}}})


def program(folder: Path, script: str) -> Kubectl:
    file = folder / "kubectl"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return Kubectl(Where(context="c"), program=str(file))


def test_a_forwarding_ends_with_who_asked_for_it(tmp_path: Path) -> None:
    script = f'echo "$@" > {tmp_path}/asked; echo "Forwarding from 127.0.0.1:4000 -> 8081"; exec sleep 600'
    with forwarded(program(tmp_path, script), HERE, 4000) as (address, process):
        assert address == "127.0.0.1:4000" and process.poll() is None
    assert process.poll() is not None
    asked = (tmp_path / "asked").read_text().split()
    assert asked[:2] == ["--context=c", "port-forward"]
    assert asked[-2:] == ["deployment/breakeven", "4000:8081"] and "--address=127.0.0.1" in asked


def test_what_kubectl_says_when_it_cannot_forward_is_told(tmp_path: Path) -> None:
    words = 'Error from server (Forbidden): pods "x" is forbidden: User "u" cannot create resource "pods/portforward"'
    with (
        pytest.raises(PluginError, match="the page takes the right to create pods/portforward"),
        forwarded(program(tmp_path, f"echo '{words}' >&2; exit 1"), HERE, 0),
    ):
        pass
