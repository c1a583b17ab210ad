"""Building, with a stand-in for Go."""

from pathlib import Path

import pytest

from breakeven.lab.tools.build import build, progress
from breakeven.lab.tools.estimate import Estimate, compiled
from breakeven.lab.tools.pins import Pins, ToolsMissingError, load

GO = """#!/bin/sh
if [ "$1" = env ]; then printf 'go{version}\\nlocal\\n'; exit 0; fi
echo "$@ in $PWD with CGO_ENABLED=$CGO_ENABLED" >> {log}
while [ "$1" != -o ]; do shift; done
printf '#!/bin/sh\\necho built\\n' > "$2"; chmod +x "$2"; {end}
"""


def install_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, version: str = "1.26.8", end: str = "exit 0"
) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    log = tmp_path / "go.log"
    (folder / "go").write_text(GO.format(version=version, log=log, end=end))
    (folder / "go").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    return log


@pytest.fixture
def pins() -> Pins:
    return load()


def test_what_is_missing_is_built_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pins: Pins) -> None:
    log = install_go(tmp_path, monkeypatch)
    path = build(pins, "promtool")["promtool"]
    assert path.is_relative_to(tmp_path / "cache" / "breakeven" / "tools")
    command = log.read_text()
    assert "build -v -mod=readonly -trimpath" in command
    assert "-tags remove_all_sd,enable_kubernetes_sd" in command
    assert "CGO_ENABLED=0" in command
    assert build(pins, "promtool") == {"promtool": path}
    assert log.read_text() == command


def test_a_failed_build_leaves_nothing_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pins: Pins
) -> None:
    install_go(tmp_path, monkeypatch, end="echo 'checksum mismatch'; exit 1")
    with pytest.raises(ToolsMissingError, match="checksum mismatch"):
        build(pins, "kubeconform")
    left = [path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert left == [".lock"]


def test_without_go_it_says_which_version_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pins: Pins
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(ToolsMissingError, match=r"install Go 1\.26"):
        build(pins, "kubeconform")


def test_a_go_that_is_too_old_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pins: Pins) -> None:
    install_go(tmp_path, monkeypatch, version="1.24.1")
    with pytest.raises(ToolsMissingError, match=r"go1\.24\.1 is too old"):
        build(pins, "kubeconform")


def left(elapsed: float, share: float) -> float:
    return round(Estimate(elapsed_s=elapsed, share=share, expected_s=270).left_s)


def test_the_estimate_follows_the_progress_and_not_the_pinned_seconds() -> None:
    assert left(0, 0) == 270
    assert left(100, 0) == 170
    assert left(1905, 0) == 1905  # far past what was expected, and not a word from Go: no end is in sight
    assert left(1905, 0.5) > 1905
    assert left(1905, 0.9) < left(1905, 0.8) < left(1905, 0.5)
    assert left(30, 1.0) > 0  # linking


def test_builds_that_follow_are_expected_to_be_as_slow(pins: Pins) -> None:
    binary = pins.binaries["kube-apiserver"]
    line = progress(binary, 10 * binary.seconds, binary.compiles // 2, rest=100)
    assert line.startswith("  kube-apiserver 45:00: 899 of at most 1799 packages, about 49:47 left, ")
    assert "84:53 in all" in line


def test_packages_are_counted_and_errors_are_not(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("golang.org/x/sys/unix\nk8s.io/api/core/v1\n# k8s.io/api: no such thing\n")
    assert compiled(tmp_path / "log") == 2
