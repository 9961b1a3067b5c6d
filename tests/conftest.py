"""Shared by all tests: the import path, and at the end what the set-up (`tests/run.py`) had to leave out."""

import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
for folder in (HERE, HERE.parent):
    # `support` lies beside this file; the package under test is the checkout's.
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what was left out and which checks failed, before pytest's own last line."""
    for variable, title in (("WORKBENCH_TEST_LEFT_OUT", "left out"), ("WORKBENCH_TEST_FAILED", "failed before pytest")):
        if lines := os.environ.get(variable):
            terminalreporter.section(title)
            terminalreporter.write_line(lines)
