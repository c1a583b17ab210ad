"""One lab for all end-to-end tests of a session; each test has a namespace of its own."""

import secrets
from collections.abc import Iterator

import pytest
from tests.support.lab import lab_settings

from breakeven.demo.operator import define
from breakeven.lab.handle import RunningLab


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """A lab with 8 fake H100 and 8 fake H200; goes down with the session, however that ends."""
    name = f"test-{secrets.token_hex(3)}"
    with RunningLab.start(lab_settings(name), directory=tmp_path_factory.mktemp("lab") / name) as running:
        yield running


@pytest.fixture(scope="session")
def server(lab: RunningLab) -> RunningLab:
    """The lab's API server with the definition on it: whichever file comes first must not have to rely on another."""
    define(lab)
    return lab


@pytest.fixture
def namespace(lab: RunningLab) -> Iterator[str]:
    """A fresh namespace; its pods are gone, and its GPUs free again, when the test is over."""
    name = f"t-{secrets.token_hex(3)}"
    lab.kubectl("create", "namespace", name)
    yield name
    lab.kubectl("delete", "deployments,replicasets,pods,services", "--all", "-n", name, "--grace-period=1")
    lab.kubectl("delete", "namespace", name, "--wait=false")
