"""The Python API on both sides: programs that launch workbenches, and notebooks that see the one they run in."""

import json
import os
import time
from collections.abc import Callable
from typing import Any

import pytest
from support.person import Environment, MakePerson, Person
from support.require import require, tool


def program(me: Person, *lines: str, env: Environment | None = None) -> Any:
    """What a program of this person says in its last line, as JSON; it may say nothing else."""
    text = "\n".join(("import json, workbench", "def say(value): print(json.dumps(value))", *lines))
    done = me.run(tool("python"), "-c", text, cwd=me.projects, env=env).ok()
    assert done.err == ""
    return json.loads(done.out)


def with_gpu(me: Person) -> Environment:
    """A machine with a driver and the container toolkit, which stand-ins play."""
    return {"PATH": os.pathsep.join((require("nvidia"), me.environment({})["PATH"]))}


def wait_for(true: Callable[[], bool], patience: float = 60.0) -> None:
    end = time.monotonic() + patience
    while not true():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.1)


def states(me: Person) -> list[str]:
    return [each["status"] for each in me.listed()]


@pytest.mark.parametrize("engine", ["docker", "local"])
def test_a_program_has_a_workbench_for_as_long_as_it_needs_one(engine: str, somebody: MakePerson) -> None:
    me = somebody(engine)
    me.project("notebooks-only")
    said = program(
        me,
        "with workbench.launch('notebooks-only', env={'TIDE': 'high'}) as bench:",
        "    again = workbench.launch('notebooks-only', env={'TIDE': 'high'})",
        "    said = {'name': bench.name, 'same': again.url == bench.url, 'repr': repr(bench), 'logs': bench.logs(5)}",
        "    said |= {'hidden': bench.token not in repr(bench), 'shown': bench.token in bench.url}",
        "    said |= {'stats': bench.stats(), 'status': bench.status(), 'forms': list(bench._repr_mimebundle_())}",
        "    bench.restart()",
        "    said |= {'after': bench.status()['workbench']['name']}",
        "say(said)",
    )
    assert said["name"].startswith("notebooks-only-")
    assert said["same"] and said["hidden"] and said["shown"]
    assert said["repr"].startswith(f"<Workbench {said['name']}: http://127.0.0.1:")
    assert any("serving" in line for line in said["logs"])
    assert said["stats"]["memory"] > 1_000_000
    assert said["status"]["workbench"]["name"] == said["after"] == said["name"]
    assert said["forms"] == ["text/html", "text/plain"]
    assert states(me) == ["stopped"]
    # The agent ends by itself, a moment after it has let go of the workbench.
    wait_for(lambda: me.processes() == [])


def test_a_program_moves_a_workbench_to_the_gpu_and_back(somebody: MakePerson) -> None:
    me = somebody("docker")
    me.project("notebooks-only")
    said = program(
        me,
        "with workbench.launch('notebooks-only', 'cpu') as bench:",
        "    said = [[bench.device, bench.url]]",
        "    for device in ('gpu', 'cpu'):",
        "        bench.set_device(device)",
        "        said.append([bench.device, bench.url])",
        "    bench.rm()",
        "say(said)",
        env=with_gpu(me),
    )
    assert [device for device, _ in said] == ["cpu", "gpu", "cpu"]
    assert len({url for _, url in said}) == 1
    assert me.containers() == []
    wait_for(lambda: me.processes() == [])


def test_a_gpu_that_cannot_be_had_is_an_error_with_a_reason(somebody: MakePerson) -> None:
    me = somebody("local")
    me.project("notebooks-only")
    said = program(
        me,
        "from workbench.errors import WorkbenchError",
        "with workbench.launch('notebooks-only') as bench:",
        "    try: bench.set_device('gpu')",
        "    except WorkbenchError as error: say([error.message, error.hint, bench.device])",
    )
    assert "GPU" in said[0]
    assert said[1]
    assert said[2] == "cpu"


ERRORS = [
    ("workbench.launch('asks')", "TrustError", "nobody has approved"),
    ("workbench.launch('asks', memroy='4g')", "ConfigError", "--memroy"),
    ("workbench.launch('missing')", "ProjectError", "missing"),
]


@pytest.mark.parametrize(("code", "kind", "words"), ERRORS)
def test_a_launch_that_fails_asks_nobody(code: str, kind: str, words: str, somebody: MakePerson) -> None:
    me = somebody("local")
    me.write(me.projects / "asks/pyproject.toml", '[tool.workbench]\npass-env = ["HOME"]\n')
    said = program(
        me,
        "from workbench.errors import WorkbenchError",
        f"try: {code}",
        "except WorkbenchError as error: say([type(error).__name__, str(error)])",
    )
    assert said[0] == kind
    assert words in said[1]
    assert me.listed() == []


def test_what_the_project_asks_for_can_be_approved(somebody: MakePerson) -> None:
    me = somebody("local")
    me.write(me.projects / "asks/pyproject.toml", '[tool.workbench]\npass-env = ["HOME"]\n')
    assert program(me, "with workbench.launch('asks', trust=True) as bench: say(bench.project.name)") == "asks"


@pytest.mark.parametrize("engine", ["docker", "podman", "local"])
def test_a_notebook_sees_the_workbench_that_it_runs_in(engine: str, somebody: MakePerson) -> None:
    me = somebody(engine)
    bench = me.launch(me.project("requirements-only"))
    wait_for(lambda: bench.jupyter.call("GET", "workbench/api/state")["agent"]["connected"])
    said = bench.jupyter.run(
        "import workbench; here = workbench.here(); print(here.name, here.device, here.url)",
        "workbench.panel()",
    )
    assert said.startswith(f"{bench.name} cpu http://{bench.name}.localhost:{bench.port}/lab\n")
    assert said.count(f"Workbench {bench.name}") == 1
    assert bench.token not in said
    me.run("workbench", "stop", bench.name).ok()
    wait_for(lambda: me.processes() == [])
