"""The same project again: found, not doubled; code is live; dependencies rebuild, with the reason."""

from pathlib import Path

import pytest
from support.person import MakePerson, Person, workbench

from workbench.engines.ports import free_port

GREETING = "import helpers; print(helpers.file_name('One Two'))"


def test_second_call_opens_the_same(me: Person) -> None:
    project = me.project("notebooks-only")
    first, second = me.launch(project), me.launch(project)
    assert (second.url, second.token, second.container) == (first.url, first.token, first.container)


def test_twenty_calls_at_once_start_one(user: Person) -> None:
    project = user.project("notebooks-only")
    calls = [user.start("run-notebook", "-d", "--json", cwd=project) for _ in range(20)]
    described = [user.wait(call).ok().json() for call in calls]
    assert len({(each["url"], each["token"], each["container"]) for each in described}) == 1
    assert [each["name"] for each in user.listed()] == [described[0]["name"]]
    if user.engine.host:
        assert len(user.containers()) == 1
    workbench(described[0]).jupyter.run("1 + 1")


def test_change_of_code_is_live_and_builds_nothing(me: Person) -> None:
    project = me.project("requirements-only")
    first = me.launch(project)
    assert first.jupyter.run(GREETING) == "one-two.ipynb\n"
    image = image_of(me, first.container)

    helpers = project / "helpers.py"
    helpers.write_text(helpers.read_text().replace(".ipynb", ".py"))
    again = me.run("run-notebook", "-d", "--json", cwd=project).ok()

    assert "requirements" not in again.err and "hanged" not in again.err
    assert workbench(again.json()).container == first.container
    assert image_of(me, first.container) == image
    assert first.jupyter.run(GREETING) == "one-two.py\n"


def image_of(me: Person, container: str) -> str:
    return str(me.engine.inspect(container)["Image"]) if me.engine.host else ""


def test_change_of_dependencies_rebuilds_and_says_why(me: Person) -> None:
    project = me.project("requirements-only")
    first = me.launch(project)
    assert "No module named" in fail(first.jupyter.run, "import iniconfig")

    me.write(project / "requirements.txt", (project / "requirements.txt").read_text() + "iniconfig==2.1.0\n")
    kept = me.run("run-notebook", "-d", "--json", cwd=project).ok()
    assert "requirements.txt" in kept.err, kept.err
    assert workbench(kept.json()).container == first.container

    restarted = me.run("run-notebook", "-d", "--json", "--restart", cwd=project).ok()
    assert "requirements.txt" in restarted.err, restarted.err
    second = workbench(restarted.json())
    second.jupyter.run("from importlib.metadata import version; assert version('iniconfig') == '2.1.0'")
    assert (second.url, second.token) == (first.url, first.token)


def fail(run: object, code: str) -> str:
    """The words of a failure that is expected."""
    assert callable(run)
    with pytest.raises(AssertionError) as failure:
        run(code)
    return str(failure.value)


def test_port_and_token_survive_stop_and_start(me: Person) -> None:
    project = me.project("notebooks-only")
    first = me.launch(project)
    me.run("workbench", "stop", cwd=project).ok()
    second = me.launch(project)
    assert (second.url, second.token, second.port) == (first.url, first.token, first.port)
    second.jupyter.run("1 + 1")


def test_another_port_is_had_by_a_restart(user: Person) -> None:
    project = user.project("notebooks-only")
    first = user.launch(project)
    port = str(free_port(first.port + 1))
    told = user.run("run-notebook", "-d", "--port", port, cwd=project).ok()
    assert f"port {first.port}" in told.err and "--restart" in told.err and f":{first.port}/" in told.out
    moved = user.launch(project, "--port", port, "--restart")
    assert (moved.port, moved.token) == (int(port), first.token)
    moved.jupyter.run("1 + 1")


ODD = ["with space", "ünï-数据", "a,b", "a:b", "it's", 'say "hi"', "x$(touch pwned)y", "-d", "%40"]


@pytest.mark.parametrize("engine", ["docker", "local"])
@pytest.mark.parametrize("name", ODD)
def test_odd_paths_work_or_are_refused(name: str, engine: str, somebody: MakePerson) -> None:
    me = somebody(engine)
    project = me.project("notebooks-only", name)
    launched = me.run("run-notebook", "-d", "--json", project)
    if launched.code:
        # With --json the error is a document on standard output.
        assert launched.code == 2 and launched.json()["hint"], str(launched)
        assert not me.containers()
    else:
        found = workbench(launched.json())
        assert found.jupyter.run("print(open('words.txt').read())").startswith("rain sun")
        assert found.project == project
    assert not list(Path(project.parent).rglob("pwned"))


WANTED = {"one": "python-slugify==8.0.4", "two": "iniconfig==2.1.0"}


def test_two_projects_of_one_name_keep_their_own_environments(user: Person) -> None:
    projects = {name: user.project("requirements-only", f"{name}/analysis") for name in WANTED}
    for name, project in projects.items():
        user.write(project / "requirements.txt", WANTED[name] + "\n")
        user.launch(project)
    user.run("workbench", "stop", cwd=projects["one"]).ok()
    user.run("workbench", "rm", cwd=projects["one"]).ok()
    user.launch(projects["one"]).jupyter.run("import slugify")
    user.launch(projects["two"]).jupyter.run("import iniconfig")

    # Both built anew at the same time: neither may start from the other's image.
    for name, project in projects.items():
        user.write(project / "requirements.txt", WANTED[name] + "\ntabulate==0.9.0\n")
    calls = [user.start("run-notebook", "-d", "--json", "--restart", cwd=project) for project in projects.values()]
    benches = [workbench(user.wait(call).ok().json()) for call in calls]
    for bench, module in zip(benches, ("slugify", "iniconfig"), strict=True):
        bench.jupyter.run(f"import {module}, tabulate")
