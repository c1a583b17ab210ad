"""Options of the whole test suite."""

from collections.abc import Callable

import pytest
from tests.support import faults


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let golden files be written anew."""
    parser.addoption("--update-golden", action="store_true", help="Write golden files anew; read the diff.")


@pytest.fixture
def fault() -> Callable[..., None]:
    """Record a row of the fault table: what was broken, what held, and seconds until it was over."""
    return faults.record


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the fault table, where there is one; workers of a parallel run keep theirs to themselves."""
    if faults.ROWS:
        terminalreporter.section("faults")
        faults.table(faults.ROWS, terminalreporter.write_line)
