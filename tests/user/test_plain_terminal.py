"""What is written to a terminal of 80 columns, one without colours, one that can do nothing, and to a pipe."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.person import Environment, MakePerson, Person
from support.require import require
from support.terminal import terminal

COLUMNS = 80
COLOUR = re.compile(r"\x1b\[(?!0?m)[\d;]+m")
LONG = "a-folder-with-a-name-of-which-nobody-would-say-that-it-is-too-short-for-a-name"


def shown(me: Person, *argv: str, cwd: Path, env: Environment | None = None) -> str:
    """All that a command writes to a terminal."""
    line = f"{shlex.join(argv)}; echo fin''ished $?"
    with terminal(me, "bash", "-c", line, cwd=cwd, env=env, columns=COLUMNS) as (screen, _):
        found = screen.wait_for(r"(?s).*finished \d+", 120)
    text, _, code = found.rpartition("finished ")
    assert code == "0", found
    assert "Traceback" not in text
    return text.replace("\r\n", "\n")


@pytest.fixture
def notebooks(somebody: MakePerson) -> Iterator[tuple[Person, Path]]:
    me = somebody("local")
    yield me, me.project("notebooks-only")


def test_bars_have_colours_only_where_they_are_liked(notebooks: tuple[Person, Path]) -> None:
    me, project = notebooks
    for env, colours in (({"NO_COLOR": None}, True), ({"NO_COLOR": "1"}, False)):
        text = shown(me, "workbench", "diffs", cwd=project, env=env)
        assert bool(COLOUR.search(text)) == colours
        assert "\x1b[2K" in text and "━" in text  # it is a bar, which moves


@pytest.mark.parametrize("dumb", ["dumb", ""])
def test_a_terminal_that_can_do_nothing_has_lines(notebooks: tuple[Person, Path], dumb: str) -> None:
    me, project = notebooks
    text = shown(me, "workbench", "diffs", cwd=project, env={"TERM": dumb})
    assert "Converting" in text and "written" in text
    assert not re.search(r"[\x00-\x08\x0b-\x1f]", text)


def test_a_pipe_has_lines(notebooks: tuple[Person, Path]) -> None:
    me, project = notebooks
    done = me.run("workbench", "diffs", cwd=project, env={"TERM": "xterm-256color", "COLORTERM": "truecolor"}).ok()
    assert not re.search(r"[\x00-\x08\x0b-\x1f]", done.out + done.err)


def check(me: Person, *argv: str, cwd: Path) -> str:
    """A table has a terminal's width there, and a line for each row in a pipe; what the terminal shows."""
    text = shown(me, *argv, cwd=cwd)
    assert max(map(len, text.splitlines())) <= COLUMNS, text
    piped = me.run(*argv, cwd=cwd).ok().out
    assert LONG in piped and LONG not in text
    assert max(map(len, piped.splitlines())) > COLUMNS
    return text


def test_tables_of_settings_and_docks(somebody: MakePerson) -> None:
    me = somebody("local")
    project = me.project(name="p")
    (me.home / LONG).mkdir()
    me.write(project / "workbench.toml", f'mounts = ["~/{LONG}:/{LONG}"]\n')
    check(me, "workbench", "config", "show", cwd=project)
    me.run("workbench", "dock", "add", LONG[:60], f"ada@{LONG[:60]}.invalid").ok()
    text = shown(me, "workbench", "dock", "ls", cwd=project)
    assert "ada@" in text and max(map(len, text.splitlines())) <= COLUMNS


@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_tables_of_what_an_engine_has(engine: str, somebody: MakePerson) -> None:
    me = somebody(engine)
    project = me.project("notebooks-only", f"{LONG}/analysis")
    me.write(project / "docker/dev/Dockerfile", "FROM scratch\nLABEL a=b\n")
    bench = me.launch(project)
    # What one types again stays in one piece.
    assert f"\n{bench.name}  " in check(me, "workbench", "ps", cwd=project)
    text = shown(me, "workbench", "images", cwd=project)
    assert "analysis-dev:" in text and max(map(len, text.splitlines())) <= COLUMNS


def test_tables_of_services(somebody: MakePerson) -> None:
    require("compose")
    me = somebody("docker")
    project = me.project(name="p")
    services = "".join(f"  {LONG[:50]}-{number}:\n    image: nothing\n" for number in range(2))
    me.write(project / "compose.yaml", f"services:\n{services}")
    text = shown(me, "workbench", "services", cwd=project)
    assert f"\n{LONG[:50]}-1" in text and max(map(len, text.splitlines())) <= COLUMNS
