"""The agent as a person has it: asked from inside a real workbench, cut off, brought back."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.control import Control, inside
from support.person import Environment, MakePerson, Person, Workbench
from support.require import require

PATIENCE = 120.0
LIFE = ("run-notebook", "-d", "--json")
SMI = "import shutil; print(shutil.which('nvidia-smi'))"
CONTAINERS = ("docker", "podman")


def with_gpu(me: Person) -> Environment:
    """A machine with a driver and the container toolkit, which stand-ins play."""
    return {"PATH": os.pathsep.join((require("nvidia"), me.environment({})["PATH"]))}


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def agents(me: Person) -> list[psutil.Process]:
    """The agents of this person that run detached.

    One that is about to become another program, an agent's child, still has the words of the agent.
    """
    found = {each.pid: each for each in me.processes() if "workbench.agent" in _words(each)}
    return [each for each in found.values() if _parent(each) not in found]


def _parent(process: psutil.Process) -> int:
    try:
        return process.ppid()
    except psutil.Error:
        return 0


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def kill(me: Person) -> None:
    """Kill the agent, as a machine that runs out of memory does."""
    (agent,) = agents(me)
    agent.kill()
    agent.wait(PATIENCE)


def answered(control: Control, verb: str, **arguments: Any) -> Any:
    reply = control.ask(verb, **arguments)
    assert reply["ok"], reply
    return reply["result"]


@pytest.fixture
def talk() -> Iterator[Callable[[Person, Workbench], Control]]:
    """Talk to the agent of a workbench, from inside."""
    made: list[Control] = []

    def make(me: Person, bench: Workbench) -> Control:
        made.append(inside(me, bench))
        return made[-1]

    yield make
    for each in made:
        each.close()


Talk = Callable[[Person, Workbench], Control]


def test_it_tells_restarts_and_stops(me: Person, talk: Talk) -> None:
    bench = me.launch(me.project("notebooks-only"))
    control = talk(me, bench)
    assert answered(control, "hello")["protocol"] == 1
    status = answered(control, "status")
    assert (status["name"], status["engine"], status["port"]) == (bench.name, me.engine.name, bench.port)
    assert status["url"] == bench.url.partition("?")[0]
    assert (status["changes"], status["attached"], status["container"]) == ([], False, bench.container)
    assert status["image_created"] - 5 < status["started"]
    assert answered(control, "stats")["memory"] > 10_000_000
    assert any("serving" in line for line in answered(control, "logs", tail=50)["lines"])

    before = me.containers()
    assert control.done("restart")["ok"]
    assert [each.id for each in me.containers()] == [each.id for each in before]
    assert me.run("workbench", "url", bench.name).ok().out.strip() == bench.url
    assert bench.jupyter.run("print(6 * 7)") == "42\n"

    control.accepted("stop")
    until(lambda: [each["status"] for each in me.listed()] == ["stopped"] and not agents(me))
    assert all(bench.token.encode() not in line for line in control.lines)
    assert me.launch(bench.project).url == bench.url
    me.run("workbench", "stop", bench.name).ok()
    # Nobody serves any more; the process itself takes a moment to end.
    until(lambda: not me.processes())


CONFIGURED = '[tool.workbench]\nmemory = "2g"\nenv = {MARK = "approved"}\n'
TAMPERED: Mapping[str, Mapping[str, str]] = {
    "settings": {
        "pyproject.toml": "[tool.workbench]\nprivileged = true\nhost-network = true\nmemory = '1g'\nport = 80\n"
        "cap-add = ['SYS_ADMIN']\nmounts = ['/:/host']\ndevices = ['/dev/kmsg']\nimage = 'evil'\n"
        "pass-env = ['HOME']\nenv = {MARK = 'evil', LD_PRELOAD = '/projects/evil.so'}\n",
        "docker/dockerutils.cfg": "[notebook]\nvolumes = -v /:/host --privileged\nnetwork = host\n",
    },
    "environment": {
        "pyproject.toml": "[tool.workbench\n",
        "docker/notebook/Dockerfile": "FROM evil\nUSER root\n",
        "apt.txt": "evil\n",
        "postBuild": "exit 1\n",
        ".python-version": "3.14\n",
        "requirements.txt": "there-is-no-such-package-as-this==1\n",
    },
}
OF_THE_DEVICE = ("WORKBENCH_DEVICE=", "WORKBENCH_GPUS=", "NVIDIA_")
OF_THE_HOST = ("Runtime", "DeviceRequests", "Devices")
OF_THE_LABELS = ("io.workbench.device", "io.workbench.gpus", "io.workbench.plan")


def looked_at(me: Person, bench: Workbench) -> dict[str, Any]:
    """What `inspect` says that a container may do, without what follows from its device."""
    found = me.engine.inspect(bench.container)
    config, host = found["Config"], found["HostConfig"]
    # Podman's program and its API say the same in two ways.
    host["RestartPolicy"]["Name"] = host["RestartPolicy"]["Name"] or "no"
    return {
        "image": found["Image"],
        "mounts": sorted(json.dumps(each, sort_keys=True) for each in found["Mounts"]),
        "env": sorted(each for each in config["Env"] if not each.startswith(OF_THE_DEVICE)),
        "labels": {key: value for key, value in config["Labels"].items() if key not in OF_THE_LABELS},
        "config": {key: config[key] for key in ("User", "Cmd", "Entrypoint", "WorkingDir", "Hostname", "ExposedPorts")},
        "host": {key: value for key, value in host.items() if key not in (*OF_THE_HOST, "ContainerIDFile", "Binds")},
        "networks": sorted(found["NetworkSettings"]["Networks"]),
    }


@pytest.mark.parametrize(
    ("engine", "tampered"), [("docker", "settings"), ("docker", "environment"), ("podman", "settings")]
)
def test_the_device_changes_and_nothing_else_does(engine: str, tampered: str, somebody: MakePerson, talk: Talk) -> None:
    me = somebody(engine)
    # A name of its own: images go by the project's name, and another test may build one meanwhile.
    project, env = me.project("notebooks-only", f"moved-{engine}-{tampered}"), with_gpu(me)
    me.write(project / "pyproject.toml", CONFIGURED)
    bench = me.launch(project, "--cpu", env=env)
    control = talk(me, bench)
    before = looked_at(me, bench)
    approved = {name: (project / name).read_text() for name in TAMPERED[tampered] if (project / name).exists()}
    for name, text in TAMPERED[tampered].items():
        me.write(project / name, text)

    assert control.done("set_device", device="gpu")["ok"], control.actions[-1]
    assert looked_at(me, bench) == before
    assert (answered(control, "status")["device"], answered(control, "status")["gpus"]) == ("gpu", "all")
    assert bench.jupyter.run(SMI).endswith("nvidia-smi\n")
    assert bench.jupyter.run("import os; print(os.environ['MARK'])") == "approved\n"
    (listed,) = me.listed()
    assert (listed["device"], listed["url"]) == ("gpu", bench.url)

    for name in TAMPERED[tampered]:
        (project / name).unlink()
        if name in approved:
            me.write(project / name, approved[name])
    again = me.run(*LIFE, "--no-browser", cwd=project, env=env).ok()
    assert "hanged" not in again.err, again.err
    assert again.json()["device"] == "gpu"


def test_what_the_panel_chose_is_no_change_and_stays(somebody: MakePerson, talk: Talk) -> None:
    me = somebody("local")
    project, env = me.project("notebooks-only"), with_gpu(me)
    bench = me.launch(project, env=env)
    assert talk(me, bench).done("set_device", device="gpu")["ok"]
    again = me.run(*LIFE, cwd=project, env=env).ok()
    assert "hanged" not in again.err, again.err
    assert again.json()["device"] == "gpu"
    me.run("workbench", "stop", bench.name).ok()
    assert me.run(*LIFE, cwd=project, env=env).ok().json()["device"] == "gpu"
    told = me.run(*LIFE, "--cpu", cwd=project, env=env).ok()
    assert "the device" in told.err, told.err
    assert me.run(*LIFE, "--cpu", "--restart", cwd=project, env=env).ok().json()["device"] == "cpu"


@pytest.mark.parametrize("engine", ["docker", "podman", "local"])
def test_a_gpu_that_cannot_be_had_leaves_it_on_the_cpu(engine: str, somebody: MakePerson, talk: Talk) -> None:
    if Path("/dev/nvidiactl").exists():
        pytest.skip("this machine has a GPU to be had")
    me = somebody(engine)
    bench = me.launch(me.project("notebooks-only"))
    control = talk(me, bench)
    gpu = answered(control, "status")["gpu"]
    assert not gpu["possible"] and "NVIDIA" in gpu["why"]
    refused = control.ask("set_device", device="gpu")["error"]
    assert refused["code"] == "refused" and "NVIDIA" in refused["message"] and refused["hint"]
    assert [each["status"] for each in me.listed()] == ["running"]
    assert bench.jupyter.run("print(6 * 7)") == "42\n"


@pytest.mark.parametrize("engine", ["docker", "local"])
def test_a_rebuild_brings_new_packages(engine: str, somebody: MakePerson, talk: Talk) -> None:
    me = somebody(engine)
    project = me.project("requirements-only")
    bench = me.launch(project)
    control = talk(me, bench)
    # Nothing like it is in any cache: a build that takes no time is not seen.
    more = f"# {time.time()}\niniconfig==2.1.0\n"
    me.write(project / "requirements.txt", (project / "requirements.txt").read_text() + more)
    assert control.done("rebuild")["ok"], control.actions[-1]
    assert {"building", "stopping", "starting"} <= set(control.phases())
    bench.jupyter.run("from importlib.metadata import version; assert version('iniconfig') == '2.1.0'")
    assert "hanged" not in me.run(*LIFE, cwd=project).ok().err
    (listed,) = me.listed()
    assert (listed["url"], listed["status"]) == (bench.url, "running")


@pytest.mark.parametrize("engine", ["docker", "local"])
def test_a_rebuild_that_is_cancelled_or_fails_leaves_it_running(engine: str, somebody: MakePerson, talk: Talk) -> None:
    me = somebody(engine)
    bench = me.launch(me.project("notebooks-only"))
    control = talk(me, bench)
    before = me.containers()
    control.accepted("rebuild")
    until(lambda: control.ask("hello") and "building" in control.phases())
    assert answered(control, "cancel") == {"accepted": True}
    outcome = control.outcome()
    assert (outcome["ok"], outcome["message"]) == (False, "It was cancelled.")

    me.write(bench.project / "requirements.txt", "there-is-no-such-package-as-this==1.0\n")
    outcome = control.done("rebuild")
    assert not outcome["ok"] and outcome["message"] and outcome["hint"], outcome
    assert str(me.home) not in json.dumps(outcome)
    assert me.containers() == before
    assert bench.jupyter.run("print(6 * 7)") == "42\n"
    assert not [each for each in me.processes() if "build" in _words(each)]


@pytest.mark.parametrize("engine", CONTAINERS)
def test_an_agent_that_was_killed_is_brought_back(engine: str, somebody: MakePerson, talk: Talk) -> None:
    # Podman's socket is the superuser's alone.
    me = somebody(engine, normal=engine == "docker")
    bench = me.launch(me.project("notebooks-only"))
    control = talk(me, bench)
    answered(control, "hello")
    kill(me)
    told = me.run("workbench", "panel", cwd=bench.project)
    assert told.code == 1 and "--repair" in told.out
    repaired = me.run("workbench", "panel", "--repair", "--json", cwd=bench.project).ok().json()
    assert repaired["agent"]["pid"] == agents(me)[0].pid and not repaired["agent"]["attached"]
    answered(control, "hello")
    # So does the next launch.
    kill(me)
    me.launch(bench.project)
    answered(control, "hello")
    assert len(agents(me)) == 1


STRUCK = {
    "docker": ("docker", (0.1, 0.5, 0.9, 1.4, 2.2)),
    **{f"local-{first}": ("local", tuple(each / 10 for each in range(first, 20, 4))) for first in range(4)},
}
"""Seconds after a change of the device was begun."""


@pytest.mark.parametrize(("engine", "moments"), STRUCK.values(), ids=STRUCK)
def test_killed_while_it_changes_the_device_leaves_exactly_one(
    engine: str, moments: tuple[float, ...], somebody: MakePerson, talk: Talk
) -> None:
    me = somebody(engine)
    project, env = me.project("notebooks-only"), with_gpu(me)
    first = me.launch(project, "--cpu", env=env)
    struck = 0
    for moment in moments:
        control = talk(me, first)
        device = "cpu" if answered(control, "status")["device"] == "gpu" else "gpu"
        control.accepted("set_device", device=device)
        time.sleep(moment)
        kill(me)
        control.close()
        cut_off = (me.home / ".local/state/workbench/workbenches" / first.name / "journal.json").exists()
        bench = me.launch(project, env=env)
        assert (bench.url, bench.token, bench.container if me.engine.host else "") == (
            first.url,
            first.token,
            first.container if me.engine.host else "",
        ), moment
        (listed,) = me.listed()
        assert listed["status"] == "running", moment
        struck += cut_off or listed["device"] != device
        if me.engine.host:
            assert [(each.name, each.state) for each in me.containers()] == [(first.container, "running")], moment
    assert bench.jupyter.run("print(6 * 7)") == "42\n"
    assert struck >= 1, "it was always done already: choose earlier moments"


def test_in_the_foreground_it_goes_on_through_restarts(me: Person, talk: Talk) -> None:
    project = me.project("notebooks-only")
    foreground = me.start("run-notebook", "--no-browser", "--cpu", cwd=project, env=with_gpu(me))
    assert foreground.stdout is not None
    assert foreground.stdout.readline().startswith("http://")
    bench = me.launch(project, "--cpu", env=with_gpu(me))
    control = talk(me, bench)
    assert answered(control, "status")["attached"]
    assert not agents(me)
    assert control.done("set_device", device="gpu")["ok"]
    me.run("workbench", "restart", bench.name).ok()
    assert foreground.poll() is None
    assert answered(control, "status")["device"] == "gpu"
    who = me.run("workbench", "panel", "--json", bench.name).ok().json()["agent"]
    assert who["attached"] and who["pid"] == foreground.pid
    os.kill(foreground.pid, signal.SIGINT)
    ended = me.wait(foreground, timeout=PATIENCE)
    assert ended.code == 0 and "Traceback" not in ended.err, str(ended)
    # The log of the container that took the place of the first is there from its beginning.
    assert ended.err.count("serving ") >= 2, ended.err
    assert [each["status"] for each in me.listed()] == ["stopped"]


def test_in_the_foreground_an_interrupt_ends_a_rebuild_too(somebody: MakePerson, talk: Talk) -> None:
    me = somebody("docker")
    project = me.project("notebooks-only")
    foreground = me.start("run-notebook", "--no-browser", cwd=project)
    assert foreground.stdout is not None
    assert foreground.stdout.readline().startswith("http://")
    (listed,) = me.listed()
    control = talk(me, me.launch(project))
    control.accepted("rebuild")
    until(lambda: control.ask("hello") and "building" in control.phases())
    os.kill(foreground.pid, signal.SIGINT)
    ended = me.wait(foreground, timeout=PATIENCE)
    assert ended.code == 0 and "Traceback" not in ended.err, str(ended)
    (now,) = me.listed()
    assert (now["status"], now["container"]) == ("stopped", listed["container"])
    assert not me.processes(), me.processes()


def test_an_image_as_it_is_has_no_agent(somebody: MakePerson) -> None:
    me = somebody("docker")
    bench = me.launch(me.project("notebooks-only"))
    image = me.engine.inspect(bench.container)["Config"]["Image"]
    me.run("workbench", "rm", "-f", bench.name).ok()
    other = me.project("notebooks-only", "other")
    told = me.run(*LIFE, "--as-is", "--image", image, cwd=other)
    assert told.code in (0, 5), str(told)
    assert not agents(me)


def test_it_is_nobodys_that_runs_no_workbench(somebody: MakePerson) -> None:
    me = somebody("local")
    me.run("workbench", "panel", cwd=me.project("notebooks-only")).fails(2)
