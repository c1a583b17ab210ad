"""What is mounted into pods runs there: with no package of ours, and nothing but the standard library."""

import ast
import subprocess
import sys
from pathlib import Path

from breakeven.render.warm_programs import programs


def test_the_programs_start_from_a_folder_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "warm").mkdir()
    for name, text in programs().items():
        (tmp_path / "warm" / name).write_text(text)
    command = [sys.executable, "-I", "-c", "import sys, runpy; sys.path.insert(0, '.'); sys.argv[1:] = ['--help']; "]
    command[-1] += "runpy.run_module('warm', run_name='__main__')"
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "--slots" in done.stdout


def test_they_import_the_standard_library_alone() -> None:
    for name, text in programs().items():
        if not name.endswith(".py"):
            continue
        for node in ast.walk(ast.parse(text)):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                modules = [node.module or ""]
            for module in modules:
                assert module.partition(".")[0] in sys.stdlib_module_names, f"{name}: {module}"
