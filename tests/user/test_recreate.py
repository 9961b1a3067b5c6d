"""A restart with a change: the new one takes the place of the old one, or the old one is there as before."""

from pathlib import Path

import pytest
from support.person import MakePerson, Person, Workbench
from support.require import require

RESTART = ("run-notebook", "-d", "--json", "--restart")
REFUSED = (".", "--", "--ServerApp.port_retries=many")
"""An option with which Jupyter does not start."""
WAS_INSTALLED = "import iniconfig; print(iniconfig.__name__)"


def with_package(me: Person, project: Path) -> Workbench:
    """A workbench in which somebody has installed a package by hand."""
    bench = me.launch(project)
    me.run("workbench", "exec", "--", "pip", "install", "-q", "iniconfig==2.1.0", cwd=project).ok()
    assert bench.jupyter.run(WAS_INSTALLED) == "iniconfig\n"
    return bench


def is_as_before(me: Person, first: Workbench) -> None:
    assert first.jupyter.run(WAS_INSTALLED) == "iniconfig\n"
    assert me.run("workbench", "url", cwd=first.project).ok().out.strip() == first.url
    assert [each["status"] for each in me.listed()] == ["running"]
    assert [each.name for each in me.containers()] == ([first.container] if me.engine.host else [])


def test_one_that_does_not_come_up_leaves_the_old_one(me: Person) -> None:
    first = with_package(me, me.project("notebooks-only"))
    before = me.containers()
    told = me.run(*RESTART, *REFUSED, cwd=first.project)
    assert told.code == 5, str(told)
    assert told.json()["hint"].endswith("The workbench runs again as it was before."), str(told)
    is_as_before(me, first)
    assert me.containers() == before
    # Nothing has changed since it was started, so it is simply opened again, and restarts as it was.
    assert "Changed since" not in me.run("run-notebook", "-d", "--json", cwd=first.project).ok().err
    me.run("workbench", "restart", cwd=first.project).ok()
    is_as_before(me, first)


def test_an_image_without_jupyter_leaves_the_old_one(somebody: MakePerson) -> None:
    me = somebody("docker")
    first = with_package(me, me.project("notebooks-only"))
    text = me.run("run-notebook", "-d", "--restart", "--as-is", "--image", require("base-image"), cwd=first.project)
    assert "runs again as it was before" in text.fails(5)
    is_as_before(me, first)


def test_a_stopped_one_stays_when_the_new_one_does_not_come_up(me: Person) -> None:
    first = with_package(me, me.project("notebooks-only"))
    me.run("workbench", "stop", cwd=first.project).ok()
    assert me.run(*RESTART, *REFUSED, cwd=first.project).code == 5
    assert [each["status"] for each in me.listed()] == ["stopped"]
    me.launch(first.project)
    is_as_before(me, first)


@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_another_memory_limit_replaces_it(engine: str, somebody: MakePerson) -> None:
    me = somebody(engine)
    first = with_package(me, me.project("notebooks-only"))
    me.run("workbench", "exec", "--", "sh", "-c", "echo mine > ~/kept.txt", cwd=first.project).ok()
    (before,) = me.containers()
    second = me.launch(first.project, "--restart", "--memory", "1g")
    assert (second.url, second.token, second.container) == (first.url, first.token, first.container)
    (after,) = me.containers()
    assert after.id != before.id and after.volumes == before.volumes
    assert me.engine.inspect(after.id)["HostConfig"]["Memory"] == 1 << 30
    assert (
        second.jupyter.run("import pathlib; print(pathlib.Path('~/kept.txt').expanduser().read_text())") == "mine\n\n"
    )
