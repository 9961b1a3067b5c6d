"""A launcher that is killed at any moment: the next command puts things right."""

import os
import signal
import time

import pytest
from support.person import MakePerson, Person

pytestmark = pytest.mark.xdist_group("killed")

MOMENTS = (0.15, 0.4, 0.7, 1.0, 1.4, 2.0, 3.0, 5.0)
"""Seconds after the command."""


def start_and_kill(me: Person, project: object, seconds: float, *options: str) -> bool:
    """Whether the launcher was still at work when it was killed."""
    call = me.start("run-notebook", "-d", "--json", *options, cwd=me.projects / str(project))
    time.sleep(seconds)
    working = call.poll() is None
    if working:
        os.kill(call.pid, signal.SIGKILL)
    me.wait(call)
    return working


def networks(me: Person) -> set[str]:
    found = me.engine.docker("network", "ls", "--filter", "label=io.workbench.version", "--format", "{{.Name}}")
    return set(found.split()) - {"workbench"}


@pytest.mark.parametrize("engine", ["docker", "local"])
def test_next_command_puts_things_right(engine: str, somebody: MakePerson) -> None:
    me = somebody(engine)
    project = me.project("requirements-only")
    struck = 0
    for seconds in MOMENTS:
        # A new environment each time: the kill then strikes in the build too.
        me.write(project / "requirements.txt", f"python-slugify==8.0.4\n# {seconds}\n")
        struck += start_and_kill(me, project, seconds)
        bench = me.launch(project, "--restart")
        bench.jupyter.run("import slugify")
        if engine == "docker":
            assert [each.state for each in me.containers()] == ["running"], seconds
        assert [each["status"] for each in me.listed()] == ["running"], seconds
        me.run("workbench", "stop", cwd=project).ok()
        me.run("workbench", "rm", cwd=project).ok()
        assert not me.containers()
        assert not [process for process in me.processes() if "workbench.inside" in " ".join(process.cmdline())]
    assert struck >= 3, "the launcher was hardly ever still at work: choose earlier moments"


RESTARTING = (0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.3, 1.6, 2.0, 3.0)
"""Seconds after `run-notebook --restart`: while it stops the old one, and makes and starts the new one."""


@pytest.mark.parametrize("engine", ["docker", "podman", "local"])
def test_killed_while_it_replaces_one_leaves_neither_two_nor_none(engine: str, somebody: MakePerson) -> None:
    me = somebody(engine)
    project = me.project("notebooks-only")
    first = me.launch(project)
    struck = 0
    for seconds in RESTARTING:
        struck += start_and_kill(me, project, seconds, "--restart", "--env", f"STRIKE={seconds}")
        assert len(me.listed()) == 1, seconds
        bench = me.launch(project)
        assert (bench.url, bench.token) == (first.url, first.token), seconds
        assert bench.jupyter.run("print(6 * 7)") == "42\n"
        assert [each["status"] for each in me.listed()] == ["running"], seconds
        if me.engine.host:
            assert [(each.name, each.state) for each in me.containers()] == [(first.container, "running")], seconds
    assert struck >= 3, "the launcher was hardly ever still at work: choose earlier moments"


def test_foreground_launcher_killed_leaves_a_workbench_that_is_found(somebody: MakePerson) -> None:
    me = somebody("docker")
    project = me.project("notebooks-only")
    first = me.launch(project)
    foreground = me.start("run-notebook", "--no-browser", cwd=project)
    time.sleep(2)
    os.kill(foreground.pid, signal.SIGKILL)
    me.wait(foreground)
    assert me.launch(project).url == first.url
