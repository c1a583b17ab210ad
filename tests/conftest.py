"""Options of the whole test suite."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support import faults


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let golden files be written anew, and pictures of pages be kept."""
    parser.addoption("--update-golden", action="store_true", help="Write golden files anew; read the diff.")
    parser.addoption(
        "--screenshots", type=Path, metavar="DIR", help="Keep pictures of the live page there: docs/images."
    )


FIRST = ("test_warm.py", "test_bad_days.py", "test_loop.py", "test_adoption.py", "test_pages.py", "test_scenarios.py")
"""Files that wait for minutes on a lab: with several workers, whichever is begun last is waited for by the others."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest; the order within a file stays."""
    places = {name: place for place, name in enumerate(FIRST)}
    items.sort(key=lambda item: places.get(item.path.name, len(FIRST)) if "e2e" in item.path.parts else len(FIRST))


@pytest.fixture
def fault() -> Callable[..., None]:
    """Record a row of the fault table: what was broken, what held, and seconds until it was over."""
    return faults.record


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the fault table, where there is one; workers of a parallel run keep theirs to themselves."""
    if faults.ROWS:
        terminalreporter.section("faults")
        faults.table(faults.ROWS, terminalreporter.write_line)
