"""A server that crashes comes back by itself as it was, under a restart policy; what was stopped stays stopped."""

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import psutil
import pytest
from support.images import project, tidied
from support.person import MakePerson, Person, Workbench

PATIENCE = 60.0
SOON = 30.0
"""Seconds in which one is back, on a machine that has other things to do. One whose delivery nobody brings takes 60."""
SECRET = "only handed over"
CONFIGURED = '[tool.workbench]\nrestart = "{}"\nlog-max-size = "5m"\nlog-max-file = 2\npass-env = ["SECRET"]\n'
ENV = {"SECRET": SECRET}
STRIKE = """
import os, pathlib
for each in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
    if b"workbench.inside.server" in each.read_bytes():
        os.kill(int(each.parent.name), 9)
"""
CONTAINERS = ("docker", "podman")


def until(true: Callable[[], object], patience: float = PATIENCE) -> None:
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def launch(me: Person, policy: str) -> Workbench:
    project = me.project("notebooks-only")
    me.write(project / "pyproject.toml", CONFIGURED.format(policy))
    return me.launch(project, "--trust", env=ENV)


def crash(me: Person, bench: Workbench) -> None:
    """Kill the server as the kernel does when memory runs out, and see it gone."""
    begun = me.engine.inspect(bench.container)["State"]["StartedAt"]
    me.run("workbench", "exec", bench.name, "--", "/opt/workbench/bin/python", "-c", STRIKE)
    until(lambda: me.engine.inspect(bench.container)["State"]["StartedAt"] != begun)


def answers(bench: Workbench) -> bool:
    try:
        bench.jupyter.call("GET", "api/status")
    except (OSError, AssertionError):
        return False
    return True


def agents(me: Person) -> list[psutil.Process]:
    """The agents of this person that run detached."""
    found = []
    for each in me.processes():
        try:
            found += [each] if "workbench.agent" in each.cmdline() else []
        except psutil.Error:
            # Ended meanwhile.
            continue
    return found


def kill_agent(me: Person) -> None:
    until(lambda: agents(me))
    for each in agents(me):
        each.kill()
        each.wait(PATIENCE)


def secret(bench: Workbench) -> str:
    """What a kernel sees of the variable that was handed over and is nowhere else."""
    return bench.jupyter.run("import os; print(os.environ.get('SECRET'), end='')")


def host_config(me: Person, bench: Workbench) -> dict[str, Any]:
    found: dict[str, Any] = me.engine.inspect(bench.container)["HostConfig"]
    return found


@pytest.mark.parametrize("engine", CONTAINERS)
def test_it_comes_back_as_it_was(engine: str, somebody: MakePerson) -> None:
    me = somebody(engine)
    bench = launch(me, "on-failure:5")
    host = host_config(me, bench)
    assert (host["RestartPolicy"]["Name"], host["RestartPolicy"]["MaximumRetryCount"]) == ("on-failure", 5)
    if engine == "docker":
        assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "5m", "max-file": "2"}}
    # Podman tells of limits of the log in its own words only.
    assert (bench.project / "pyproject.toml").exists() and secret(bench) == SECRET
    (before,) = me.containers()
    with bench.jupyter.kernel(path="open.ipynb") as kernel:
        kernel.run("x = 1").ok()
        opened = bench.jupyter.call("GET", "api/sessions")
        for _ in range(2):
            crash(me, bench)
            began = time.monotonic()
            until(lambda: answers(bench), SOON)
            print(f"{engine}: back after {time.monotonic() - began:.1f} s")
            # The open notebook finds its kernel under the same id, and so connects to it again.
            until(lambda: bench.jupyter.call("GET", "api/sessions"))
            again = bench.jupyter.call("GET", "api/sessions")
            assert [(each["path"], each["kernel"]["id"]) for each in again] == [
                (each["path"], each["kernel"]["id"]) for each in opened
            ]
    assert secret(bench) == SECRET
    assert me.containers() == [before]
    assert me.run("workbench", "url", bench.name).ok().out.strip() == bench.url
    assert len(agents(me)) == 1
    told = me.engine.docker("inspect", bench.container) + me.engine.docker("logs", bench.container)
    assert SECRET not in told and bench.token not in told


@pytest.mark.parametrize("engine", CONTAINERS)
def test_what_was_stopped_stays_stopped(engine: str, somebody: MakePerson) -> None:
    me = somebody(engine)
    bench = launch(me, "always")
    assert host_config(me, bench)["RestartPolicy"]["Name"] == "unless-stopped"
    crash(me, bench)
    until(lambda: answers(bench), SOON)
    me.run("workbench", "stop", bench.name).ok()
    time.sleep(5)
    assert [each["status"] for each in me.listed()] == ["stopped"]
    until(lambda: not agents(me))
    assert me.launch(bench.project, env=ENV).url == bench.url
    assert secret(bench) == SECRET


@pytest.mark.parametrize("engine", CONTAINERS)
@pytest.mark.parametrize("command", ["run-notebook -d --json", "workbench panel --repair"])
def test_without_an_agent_the_next_command_hands_over(engine: str, command: str, somebody: MakePerson) -> None:
    me = somebody(engine)
    bench = launch(me, "unless-stopped")
    kill_agent(me)
    crash(me, bench)
    assert not answers(bench)
    done = me.run(*command.split(), cwd=bench.project, env=ENV).ok()
    assert done.seconds < SOON
    until(lambda: answers(bench), SOON)
    assert secret(bench) == SECRET
    assert me.run("workbench", "url", bench.name).ok().out.strip() == bench.url


@pytest.mark.parametrize("engine", CONTAINERS)
def test_in_the_foreground_it_comes_back_too(engine: str, somebody: MakePerson) -> None:
    me = somebody(engine)
    project = me.project("notebooks-only")
    me.write(project / "pyproject.toml", CONFIGURED.format("on-failure"))
    foreground = me.start("run-notebook", "--no-browser", cwd=project, env=ENV)
    assert foreground.stdout is not None
    assert foreground.stdout.readline().startswith("http://")
    bench = me.launch(project, env=ENV)
    crash(me, bench)
    until(lambda: answers(bench), SOON)
    assert foreground.poll() is None and not agents(me)
    os.kill(foreground.pid, signal.SIGINT)
    assert me.wait(foreground, timeout=PATIENCE).code == 0
    time.sleep(3)
    assert [each["status"] for each in me.listed()] == ["stopped"]


@pytest.mark.parametrize("engine", CONTAINERS)
def test_a_start_that_fails_is_not_tried_again_and_again(engine: str, somebody: MakePerson) -> None:
    me = somebody(engine)
    project = me.project("notebooks-only")
    me.write(project / "pyproject.toml", CONFIGURED.format("on-failure"))
    me.launch(project, env=ENV)
    me.run("workbench", "rm", cwd=project).ok()
    failed = me.run("run-notebook", "-d", "--", "--ServerApp.token=x", cwd=project, env=ENV)
    failed.fails(5)
    assert failed.seconds < SOON
    assert not me.containers()


def test_a_project_cannot_have_itself_started_after_a_reboot_unseen(somebody: MakePerson) -> None:
    me = somebody("docker")
    project = me.project("notebooks-only")
    me.write(project / "pyproject.toml", '[tool.workbench]\nrestart = "always"\n')
    asked = me.run("run-notebook", "-d", cwd=project).fails(2)
    assert "always" in asked and "--trust" in asked
    assert not me.containers()
    # What the user says is not asked.
    (project / "pyproject.toml").unlink()
    bench = me.launch(project, env={"WORKBENCH_RESTART": "always"})
    assert host_config(me, bench)["RestartPolicy"]["Name"] == "unless-stopped"


@pytest.mark.parametrize("engine", CONTAINERS)
def test_the_log_of_an_image_is_limited_unless_something_is_said_of_it(engine: str, somebody: MakePerson) -> None:
    with tidied(somebody(engine)) as me:
        images = project(me, f"logs-{engine}", {"docker/dev/Dockerfile": 'FROM BASE\nCMD ["sleep", "60"]\n'})
        images.build("dev").ok()
        started = images.run("dev", "--detach").ok().out.strip()
        log = me.engine.inspect(started)["HostConfig"]["LogConfig"]
        if engine == "docker":
            assert log == {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}
        assert log["Type"] == {"docker": "json-file", "podman": "k8s-file"}[engine]
        assert "--log-opt max-size=10m" in images.run("dev", "--dry-run").ok().out
