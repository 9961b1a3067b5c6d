"""Docker's contexts as docks, and docks as Docker's contexts."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.dock import alone
from support.person import MakePerson, Person
from support.require import require

from workbench.docks.contexts import by_ssh, host_of
from workbench.ssh import Host

pytestmark = pytest.mark.xdist_group("dock")


def _context(person: Person, name: str, host: str) -> None:
    folder = person.home / ".docker/contexts/meta" / hashlib.sha256(name.encode()).hexdigest()
    known = {"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": False}}}
    person.write(folder / "meta.json", json.dumps(known))
    person.give(person.home / ".docker")


@pytest.fixture
def me(somebody: MakePerson) -> Iterator[tuple[Person, dict[str, str | None]]]:
    person = somebody("docker", normal=True)
    with alone() as dock, dock.online():
        path = dock.give_ssh(person)["PATH"]
        docker = f"{require('docker-cli')}{os.pathsep}{path}"
        yield person, {"PATH": docker, "DOCKER_HOST": None, "WORKBENCH_ENGINE": None}
        for line in dock.docker("ps", "--all", "--quiet", "--filter", "label=io.workbench.dock").split():
            dock.docker("rm", "--force", "--volumes", line)
        shutil.rmtree(dock.home(person) / ".local", ignore_errors=True)


def test_a_context_by_ssh_is_a_dock(me: tuple[Person, dict[str, str | None]]) -> None:
    person, env = me
    _context(person, "far", "ssh://dock")
    _context(person, "near", "unix:///var/run/docker.sock")
    listed = person.run("workbench", "dock", "ls", env=env).ok().out
    assert "far" in listed
    assert "near" not in listed
    assert person.run("ssh-dock", "far", "hostname", env=env).ok().out.strip() == "dock"
    project = person.project("notebooks-only", name="in a context")
    # By name, and as the context in use.
    by_name = person.run("run-notebook", "--dock", "far", "-d", "--json", cwd=project, env=env).ok().json()
    assert by_name["dock"] == "far"
    used = person.run("run-notebook", "-d", "--json", cwd=project, env={**env, "DOCKER_CONTEXT": "far"}).ok().json()
    assert (used["url"], used["dock"]) == (by_name["url"], "far")
    person.run("workbench", "rm", "--force", "--copy", cwd=project, env=env).ok()


def test_an_address_by_ssh_goes_through_the_tunnel(me: tuple[Person, dict[str, str | None]]) -> None:
    person, env = me
    project = person.project(name="there")
    person.write(project / "docker/app/Dockerfile", 'FROM python:3.11-slim-bookworm\nCMD ["hostname"]\n')
    there = {**env, "DOCKER_HOST": "ssh://dock"}
    person.run("build-image", "app", cwd=project, env=there).ok()
    assert "as built" in person.run("workbench", "images", cwd=project, env=there).ok().out
    person.run("build-image", "clean", cwd=project, env=there).ok()
    said = person.run("workbench", "images", cwd=project, env={**env, "DOCKER_HOST": "ssh://-oProxyCommand=x"}).fails(3)
    assert "reached by ssh" in said


def test_who_does_not_answer_by_ssh_keeps_nobody_from_the_others(me: tuple[Person, dict[str, str | None]]) -> None:
    person, env = me
    _context(person, "away", "ssh://nowhere.invalid")
    person.write(person.home / ".docker/config.json", '{"currentContext": "away"}')
    # The context in use is nobody's word for this command.
    person.run("workbench", "ps", env=env).ok()
    said = person.run("workbench", "images", env={**env, "DOCKER_HOST": "ssh://nowhere.invalid"}).fails(3)
    assert "nowhere.invalid cannot be reached by ssh" in said
    assert "nowhere.invalid" in person.run("workbench", "ps", env={**env, "DOCKER_CONTEXT": "away"}).ok().err


def test_a_name_that_is_another_docks_is_refused(me: tuple[Person, dict[str, str | None]]) -> None:
    """What follows (the copy of the project, `stop`) finds the machine by its name: it must be the same one."""
    person, env = me
    person.run("workbench", "dock", "add", "dock", "nowhere.invalid", env=env).ok()
    said = person.run("workbench", "images", env={**env, "DOCKER_HOST": "ssh://dock"}).fails(3)
    assert "dock is a dock already, nowhere.invalid" in said
    person.run("workbench", "dock", "add", "box", "dock", env=env).ok()
    person.run("workbench", "images", cwd=person.project(name="p"), env={**env, "DOCKER_HOST": "ssh://dock"}).ok()


def test_a_context_that_cannot_be_a_dock_says_why(me: tuple[Person, dict[str, str | None]]) -> None:
    person, env = me
    _context(person, "rootless", "ssh://dock/run/user/1000/docker.sock")
    _context(person, "evil", f"ssh://-oProxyCommand=touch%20{person.home}/hacked")
    _context(person, "evil2", f"ssh://-oProxyCommand=touch${{IFS}}{person.home}/hacked")
    for name in ("rootless", "evil", "evil2"):
        assert f"context {name} goes to ssh://" in person.run("workbench", "dock", "ssh", name, "true", env=env).fails(
            6
        )
        used = {**env, "DOCKER_CONTEXT": name}
        assert "none that can be reached by ssh" in person.run("workbench", "images", env=used).fails(3)
    assert not (person.home / "hacked").exists()
    assert "No docks" in person.run("workbench", "dock", "ls", env=env).ok().err


def test_a_shell_goes_to_a_context(me: tuple[Person, dict[str, str | None]]) -> None:
    person, env = me
    _context(person, "far", "ssh://dock")
    script = 'source "$(command -v dock)" far && docker info --format "{{.Name}}" && castoff'
    assert person.run("bash", "-c", script, env=env).ok().out.strip() == "dock"


def test_a_dock_is_made_a_context(me: tuple[Person, dict[str, str | None]]) -> None:
    person, env = me
    said = person.run("workbench", "dock", "context", "dock", env=env).ok().err
    assert "docker context create dock --docker host=ssh://dock" in said
    asked = ("docker", "--context", "dock", "version", "--format", "{{.Server.Version}}")
    assert person.run(*asked, env=env).ok().out.startswith("20.10")
    assert "already" in person.run("workbench", "dock", "context", "dock", env=env).ok().err
    person.run("workbench", "dock", "add", "box", "elsewhere", env=env).ok()
    person.run("docker", "context", "create", "box", "--docker", "host=ssh://other", env=env).ok()
    assert "goes to ssh://other" in person.run("workbench", "dock", "context", "box", env=env).fails(2)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("ssh://ada@gpubox:2222", Host("ada@gpubox", 2222)),
        ("ssh://gpubox", Host("gpubox")),
        ("ssh://gpubox/run/user/1000/docker.sock", None),
        ("ssh://-oProxyCommand=touch", None),
        ("ssh://a b", None),
        ("ssh://ada:secret@gpubox", None),
        ("ssh://", None),
        ("unix:///var/run/docker.sock", None),
        ("tcp://gpubox:2376", None),
        ("ssh://[::1", None),
    ],
)
def test_addresses(url: str, host: Host | None) -> None:
    assert host_of(url) == host


@pytest.mark.parametrize("text", ["", "[]", "null", "{", '{"Name": 1}', '{"Name": "a", "Endpoints": []}', "\x00"])
def test_contexts_that_cannot_be_read_are_none(text: str, tmp_path: Path) -> None:
    folder = tmp_path / "contexts/meta/x"
    folder.mkdir(parents=True)
    (folder / "meta.json").write_text(text)
    assert by_ssh({"DOCKER_CONFIG": str(tmp_path)}) == {}
