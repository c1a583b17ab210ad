"""Which binaries are taken and which are passed over."""

from pathlib import Path

import pytest

from breakeven.lab.tools.find import cached_path, find
from breakeven.lab.tools.pins import Binary, ToolsMissingError, load


def answering(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{text}'\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def kubectl() -> Binary:
    return load().binaries["kubectl"]


def test_assets_come_before_path_and_path_before_the_cache(tmp_path: Path, kubectl: Binary) -> None:
    environment = {"KUBEBUILDER_ASSETS": str(tmp_path / "assets"), "PATH": str(tmp_path / "bin")}
    environment["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    assert find(kubectl, environment) is None
    built = answering(cached_path(kubectl, environment), "")
    assert find(kubectl, environment) == built
    on_path = answering(tmp_path / "bin" / "kubectl", "Client Version: v1.35.1")
    assert find(kubectl, environment) == on_path
    asset = answering(tmp_path / "assets" / "kubectl", "Client Version: v1.36.0")
    assert find(kubectl, environment) == asset


def test_a_kubectl_more_than_one_minor_away_is_passed_over(tmp_path: Path, kubectl: Binary) -> None:
    answering(tmp_path / "kubectl", "Client Version: v1.32.4")
    assert find(kubectl, {"PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}) is None


@pytest.mark.parametrize(
    ("name", "text", "fits"),
    [
        ("kube-apiserver", "Kubernetes v1.36.3", True),
        ("kube-apiserver", "Kubernetes v1.35.0", False),
        ("kube-apiserver", "Kubernetes v0.0.0-master+$Format:%H$", False),
        ("etcd", "etcd Version: 3.6.16", True),
        ("etcd", "etcd Version: 3.4.30", False),
        ("prometheus", "prometheus, version 3.15.0 (branch: HEAD)", True),
        ("prometheus", "prometheus, version 2.55.1 (branch: HEAD)", False),
        ("helm", "v4.3.1", True),
        ("helm", "v3.17.0+g301108e", False),
    ],
)
def test_versions_that_fit(tmp_path: Path, name: str, text: str, fits: bool) -> None:
    answering(tmp_path / name, text)
    found = find(load().binaries[name], {"PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")})
    assert (found is not None) is fits


def test_a_binary_that_cannot_say_its_version_is_passed_over(tmp_path: Path, kubectl: Binary) -> None:
    (tmp_path / "kubectl").write_text("not a program")
    (tmp_path / "kubectl").chmod(0o755)
    assert find(kubectl, {"PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}) is None


def test_the_demo_builds_only_what_it_needs() -> None:
    pins = load()
    assert {binary.name for binary in pins.select("demo")} < {binary.name for binary in pins.select("test")}
    assert not {"promtool", "helm", "kubeconform"} & {binary.name for binary in pins.select("demo")}
    with pytest.raises(ToolsMissingError, match="nonsense"):
        pins.select("nonsense")


def test_every_pinned_module_names_its_package_as_tool() -> None:
    for binary in load().binaries.values():
        assert binary.package in (binary.source / "go.mod").read_text()
        assert binary.seconds > 0
