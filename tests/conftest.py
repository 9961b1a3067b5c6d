"""Shared by all tests: the import path, people at work, and what the set-up (`tests/run.py`) had to leave out."""

import sys
from pathlib import Path

# The package under test is the checkout's; what people run is the installed one.
sys.path.insert(0, str(Path(__file__).parent.parent))

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from support.engines import engine
from support.person import MakePerson, Person, person
from support.require import require

SLOW = ("user", "browser", "contract", "engines", "inside")
"""Folders whose tests take long, the longest first: started first, they do not keep the end waiting."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have the slow tests begin first. Within a folder the order stays."""
    rank = {name: number for number, name in enumerate(SLOW)}
    items.sort(key=lambda item: rank.get(item.path.parent.name, len(rank)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what was left out and which checks failed, before pytest's own last line."""
    for variable, title in (("WORKBENCH_TEST_LEFT_OUT", "left out"), ("WORKBENCH_TEST_FAILED", "failed before pytest")):
        if lines := os.environ.get(variable):
            terminalreporter.section(title)
            terminalreporter.write_line(lines)


def _maker(people: ExitStack) -> MakePerson:
    """Make people in folders that every account may enter; short ones, for the sake of unix sockets."""

    def make(engine_name: str, *, normal: bool = False) -> Person:
        # Who runs the tests without being root is a normal user already.
        name = require("user") if normal and os.geteuid() == 0 else None
        folder = Path(tempfile.mkdtemp(prefix="p-", dir=os.environ.get("WORKBENCH_TEST_WORK")))
        return people.enter_context(person(folder, engine(engine_name), name))

    return make


@pytest.fixture
def somebody() -> Iterator[MakePerson]:
    """Make people: `somebody("docker")` is who runs the tests, `somebody("docker", normal=True)` a normal user.

    Their traces are removed at the end of the test.
    """
    with ExitStack() as people:
        yield _maker(people)


@pytest.fixture(scope="module")
def somebody_for_long() -> Iterator[MakePerson]:
    """The same for all tests of a module."""
    with ExitStack() as people:
        yield _maker(people)


@pytest.fixture(params=["docker", "podman", "local"])
def me(request: pytest.FixtureRequest, somebody: MakePerson) -> Person:
    """Who runs the tests, with each of the engines."""
    return somebody(request.param)


@pytest.fixture(params=["docker", "local"])
def user(request: pytest.FixtureRequest, somebody: MakePerson) -> Person:
    """A normal user, with a container and without one."""
    return somebody(request.param, normal=True)
