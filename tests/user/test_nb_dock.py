"""`nb-dock`: JupyterLab on the second machine without its engine, and the project here."""

import json
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.dock import Dock, alone
from support.kernel import Jupyter
from support.person import MakePerson, Person

pytestmark = pytest.mark.xdist_group("dock")
PATIENCE = 60.0


@pytest.fixture
def somebody_there(somebody: MakePerson) -> Iterator[tuple[Person, Dock, dict[str, str]]]:
    person = somebody("docker", normal=True)
    with alone() as dock, dock.online():
        yield person, dock, dock.give_ssh(person)
        shutil.rmtree(dock.home(person) / ".local", ignore_errors=True)


def _install(person: Person, dock: Dock) -> None:
    """Workbench where `pipx install` has it: below the home of there."""
    # The way to packages, as a person of there would have configured it.
    kinds = ("UV_", "PIP_", "SSL_", "REQUESTS_", "CURL_", "HTTP", "NO_PROXY")
    ways = {name: value for name, value in person.environment({}).items() if name.startswith(kinds)}
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in ways.items())
    for name in ("run-notebook", "workbench"):
        program = dock.home(person) / ".local/bin" / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f'#!/bin/sh\n{exports}PATH="{Path(sys.executable).parent}:$PATH" exec {name} "$@"\n')
        program.chmod(0o755)
    person.give(dock.home(person) / ".local")


def test_it_runs_on_the_bare_machine_until_ctrl_c(somebody_there: tuple[Person, Dock, dict[str, str]]) -> None:
    person, dock, env = somebody_there
    _install(person, dock)
    project = person.project("setup-only", name="bare")
    person.write(project / "here.txt", "from here")
    child = person.start("nb-dock", "dock", "--json", cwd=project, env=env)
    assert child.stdout is not None
    line = child.stdout.readline()
    assert line, person.wait(child)
    found = json.loads(line)
    assert "error" not in found, found
    assert found["dock"] == "dock"
    jupyter = Jupyter(f"http://127.0.0.1:{found['port']}/", found["token"])
    said = jupyter.run("import socket; print(open('here.txt').read(), 'on', socket.gethostname())")
    assert "from here on dock" in said
    jupyter.run("open('there.txt', 'w').write('from there')")
    child.send_signal(signal.SIGINT)
    person.wait(child).ok()
    assert (project / "there.txt").read_text() == "from there"
    deadline = time.monotonic() + PATIENCE
    while left := [each for each in person.processes() if each.name() in ("ssh", "unison")]:
        assert time.monotonic() < deadline, left
        time.sleep(0.1)
    there = person.run("ssh-dock", "dock", ".local/bin/workbench", "ps", "--json", env=env).ok().json()
    assert [each["status"] for each in there if each["engine"] == "local"] == ["stopped"]


def test_without_workbench_there_it_says_how_to_install_it(somebody_there: tuple[Person, Dock, dict[str, str]]) -> None:
    person, _, env = somebody_there
    project = person.project("notebooks-only", name="bare")
    said = person.run("nb-dock", "dock", cwd=project, env=env).fails(6)
    assert "not installed on dock" in said
    assert "ssh dock" in said
