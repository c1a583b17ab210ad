"""What krew installs: the archive has what its manifest says, and the script says what is missing."""

import hashlib
import importlib.util
import os
import subprocess
import tarfile
import tomllib
from pathlib import Path
from types import ModuleType

import yaml

import breakeven

ROOT = Path(__file__).parents[3]
KREW = ROOT / "manifests" / "krew"


def packaging() -> ModuleType:
    spec = importlib.util.spec_from_file_location("krew_package", KREW / "package.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def packed(folder: Path) -> tuple[Path, Path]:
    wheel = folder / f"breakeven-{breakeven.__version__}-py3-none-any.whl"
    wheel.write_bytes(b"wheel")
    archive, manifest = packaging().package(wheel, "https://example.com/v/", folder)
    return archive, manifest


def test_the_archive_is_the_one_that_the_manifest_names(tmp_path: Path) -> None:
    archive, manifest = packed(tmp_path)
    spec = yaml.safe_load(manifest.read_text(encoding="utf-8"))["spec"]
    (platform,) = spec["platforms"]
    assert platform["sha256"] == hashlib.sha256(archive.read_bytes()).hexdigest()
    assert platform["uri"] == f"https://example.com/v/{archive.name}"
    assert spec["version"] == f"v{breakeven.__version__}"
    with tarfile.open(archive) as opened:
        names = {member.name: member.mode for member in opened}
    assert platform["bin"] in names and names[platform["bin"]] & 0o111
    assert any(name.endswith(".whl") for name in names)


def test_the_script_runs_the_program_that_the_wheel_installs(tmp_path: Path) -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        assert "kubectl-breakeven" in tomllib.load(file)["project"]["scripts"]
    archive, _ = packed(tmp_path)
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path / "plugin", filter="data")
    home = tmp_path / "data" / "breakeven" / f"breakeven-{breakeven.__version__}-py3-none-any"
    (home / "bin").mkdir(parents=True)
    (home / ".installed").touch()
    program = home / "bin" / "kubectl-breakeven"
    program.write_text('#!/bin/sh\necho "called with $*"\n')
    program.chmod(0o755)
    (tmp_path / "kubectl-breakeven").symlink_to(tmp_path / "plugin" / "kubectl-breakeven")  # as krew does
    done = subprocess.run(
        [tmp_path / "kubectl-breakeven", "status", "-A"],
        env=os.environ | {"XDG_DATA_HOME": str(tmp_path / "data")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "called with status -A\n", "")
