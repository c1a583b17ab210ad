"""Programs from Debian's packages: which one is taken, and what is said where there is none."""

from pathlib import Path

import pytest

from breakeven.lab.tools import debian
from breakeven.lab.tools.debian import CHROMIUM, HAPROXY, PROGRAMS, Program, cached, find, take
from breakeven.lab.tools.pins import ToolsMissingError


def answering(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{text}'\n")
    path.chmod(0o755)
    return path


def test_one_on_path_comes_before_the_cache_where_it_fits(tmp_path: Path) -> None:
    environment = {"PATH": str(tmp_path / "bin"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    assert find(HAPROXY, environment) is None
    unpacked = answering(cached(HAPROXY, environment), "")
    assert find(HAPROXY, environment) == unpacked
    on_path = answering(tmp_path / "bin" / "haproxy", "HAProxy version 3.2.1\nFeature list : -DEVICEATLAS +LUA")
    assert find(HAPROXY, environment) == on_path


@pytest.mark.parametrize("said", ["HAProxy version 2.4.1\n+LUA", "HAProxy version 3.0.0\n-LUA", "nothing of use"])
def test_one_that_is_too_old_or_without_lua_is_passed_over(tmp_path: Path, said: str) -> None:
    answering(tmp_path / "haproxy", said)
    assert find(HAPROXY, {"PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}) is None


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_where_it_cannot_be_had_the_message_says_what_to_install(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(ToolsMissingError, match=rf"without apt-get .*install {program.name}"):
        take(program)
    answering(tmp_path / "bin" / "dpkg-deb", "")
    refusing = answering(tmp_path / "bin" / "apt-get", "")
    refusing.write_text(f"#!/bin/sh\necho 'E: Unable to locate package {program.name}' >&2\nexit 100\n")
    monkeypatch.setattr(debian.shutil, "which", lambda name, path=None: str(tmp_path / "bin" / name))
    monkeypatch.setattr(debian, "find", lambda program: None)
    with pytest.raises(ToolsMissingError, match=rf"Unable to locate package {program.name}\n.*apt-get update"):
        take(program)


def test_a_browser_of_another_kind_is_passed_over(tmp_path: Path) -> None:
    answering(tmp_path / CHROMIUM.name, "Mozilla Firefox 140.0")
    assert find(CHROMIUM, {"PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}) is None
