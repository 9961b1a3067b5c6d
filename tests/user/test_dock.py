"""Docks as a user has them: a list, a look, a terminal there, and a shell whose docker commands go there."""

import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from support.dock import Dock, alone
from support.person import MakePerson, Person

pytestmark = pytest.mark.xdist_group("dock")


@dataclass(frozen=True)
class Docker:
    """Somebody who may go to the dock."""

    person: Person
    dock: Dock
    env: dict[str, str]

    def run(self, *argv: str, code: int = 0) -> str:
        """A command's standard output."""
        done = self.person.run(*argv, env={**self.env, "DOCKER_HOST": None})
        assert done.code == code, str(done)
        return done.out

    def helpers(self) -> list[psutil.Process]:
        """What we have running for it: keepers, holders, ssh."""
        return [each for each in self.person.processes() if {"ssh", "workbench.docks"} & set(_words(each))]

    def wait_until_nothing_runs(self) -> None:
        deadline = time.monotonic() + 30
        while self.helpers():
            assert time.monotonic() < deadline, [_words(each) for each in self.helpers()]
            time.sleep(0.1)


def _words(process: psutil.Process) -> list[str]:
    try:
        words = process.cmdline()
    except psutil.Error:
        return []
    modules = ["workbench.docks" for word in words if word.startswith("workbench.docks")]
    return [process.name(), *modules]


@pytest.fixture
def me(somebody: MakePerson) -> Iterator[Docker]:
    person = somebody("docker", normal=True)
    with alone() as dock:
        yield Docker(person, dock, dock.give_ssh(person))


def test_the_list(me: Docker) -> None:
    me.run("register-dock", "box", "dock")
    me.run("workbench", "dock", "add", "away", "nowhere.invalid")
    assert "is a dock already" in me.person.run("workbench", "dock", "add", "box", "other").fails(2)
    rows = {line.split()[0]: line for line in me.run("ls-dock").splitlines()}
    assert "ready" in rows["box"] and "docker 20.10" in rows["box"]
    assert "Could not resolve" in rows["away"] and "ready" not in rows["away"]
    [found] = [each for each in me.person.run("ls-dock", "--json", env=me.env).ok().json() if each["dock"] == "box"]
    assert found["user"] == me.person.name
    me.run("unregister-dock", "away")
    assert "away" not in me.run("ls-dock")
    assert "not on the list" in me.person.run("unregister-dock", "away").fails(2)


def test_names_of_the_ssh_configuration_need_no_entry(me: Docker) -> None:
    assert "ready" in me.run("ls-dock", "dock")
    assert me.run("ssh-dock", "dock", "hostname").strip() == "dock"
    assert me.run("ssh-dock", "dock", "echo", "a  b; c").rstrip("\n") == "a  b; c"
    me.run("ssh-dock", "dock", "exit 7", code=127)
    me.run("ssh-dock", "dock", "sh", "-c", "exit 7", code=7)


def test_the_doctor(me: Docker) -> None:
    said = me.run("workbench", "dock", "doctor", "dock")
    assert "✓ engine: docker 20.10" in said
    assert "✓ clock: as here" in said
    said = me.run("workbench", "dock", "doctor", "nowhere.invalid", code=6)
    assert "✗ ssh" in said


SOURCE = 'source "$(command -v dock)" dock'
SHELLS = {
    "bash": ('PS1="$ "', SOURCE, 'echo "$PS1"', "compgen -v"),
    "zsh": ('PS1="$ "', SOURCE, 'echo "$PS1"', "print -l ${(k)parameters}"),
    "fish": (
        "function fish_prompt; echo -n '$ '; end",
        "workbench dock env --shell fish dock | source",
        "fish_prompt; echo",
        "begin; set -n; functions -n | string split ,; end",
    ),
}
"""How each shell sets a prompt, goes to the dock, shows the prompt, and lists its names."""


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("before", [None, "unix:///before"])
def test_a_shell_goes_there_and_comes_back(me: Docker, shell: str, before: str | None) -> None:
    prompt, go, show, names = SHELLS[shell]
    lines = [
        *(prompt, "env | sort > before", go, show, "docker info --format '{{.Name}}'"),
        *("castoff", show, "env | sort > after", "comm -3 before after"),
        f"{names} | grep '_wb_\\|castoff\\|_workbench_\\|WORKBENCH_DOCK' || echo clean",
    ]
    script = me.person.folder / f"script.{shell}"
    me.person.write(script, "\n".join(lines) + "\n")
    done = me.person.run(shell, script, env={**me.env, "DOCKER_HOST": before}).ok()
    assert [line.rstrip() for line in done.out.splitlines()] == ["(dock) $", "dock", "$", "clean"], str(done)
    me.wait_until_nothing_runs()


def test_an_image_is_built_and_run_there(me: Docker) -> None:
    project = me.person.project(name="there")
    me.person.write(
        project / "docker/app/Dockerfile", 'FROM python:3.11-slim-bookworm\nCOPY word /\nCMD ["cat", "/word"]\n'
    )
    me.person.write(project / "word", "here\n")
    script = (
        'source "$(command -v dock)" dock && build-image app && run-image app && workbench images && build-image clean'
    )
    done = me.person.run("bash", "-c", script, cwd=project, env={**me.env, "DOCKER_HOST": None}).ok()
    assert "here" in done.out.splitlines()
    assert "as built" in done.out
    me.wait_until_nothing_runs()


def test_it_ends_with_the_shell_that_was_killed(me: Docker) -> None:
    script = 'source "$(command -v dock)" dock; echo ready; sleep 100'
    child = me.person.start("bash", "-c", script, env={**me.env, "DOCKER_HOST": None})
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    assert me.helpers()
    child.send_signal(signal.SIGKILL)
    child.wait()
    me.wait_until_nothing_runs()


@pytest.mark.parametrize("seconds", [3, 9, 20])
def test_it_is_there_again_after_a_cut(me: Docker, seconds: float) -> None:
    asked = "until docker version --format '{{.Server.Version}}' > answer 2> /dev/null; do sleep 0.1; done"
    script = f'source "$(command -v dock)" dock; echo ready; read line; timeout 10 sh -c "{asked}"; echo $?'
    import subprocess

    child = subprocess.Popen(
        [
            "setpriv",
            f"--reuid={me.person.ids[0]}",
            f"--regid={me.person.ids[1]}",
            "--init-groups",
            "--",
            "bash",
            "-c",
            script,
        ],
        env=me.person.environment({**me.env, "DOCKER_HOST": None}),
        cwd=me.person.home,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None and child.stdin is not None
    assert child.stdout.readline() == "ready\n"
    with me.dock.cut():
        time.sleep(seconds)
    # Within ten seconds of the network's return.
    out, _ = child.communicate("\n", timeout=60)
    assert out.strip() == "0"
    assert len([each for each in me.person.processes() if each.name() == "ssh"]) <= 2
    me.wait_until_nothing_runs()


def test_a_host_key_that_changed_is_refused(me: Docker) -> None:
    known = me.person.home / ".ssh/known_hosts"
    wrong = known.read_text().replace("AAAA", "AAAB", 1)
    me.person.write(known, wrong)
    script = f'source {_installed(me)} dock || echo "rc $?"; echo "[$DOCKER_HOST]"'
    done = me.person.run("bash", "-c", script, env={**me.env, "DOCKER_HOST": None})
    assert "[]" in done.out
    assert "Host key verification failed" in done.err
    assert "→" in done.err
    me.wait_until_nothing_runs()


def _installed(me: Docker) -> Path:
    return Path(me.run("which", "dock").strip())
