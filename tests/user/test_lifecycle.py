"""The everyday commands, on a container and without one."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.person import MakePerson, Person, Workbench


@pytest.fixture
def bench(me: Person) -> Iterator[Workbench]:
    yield me.launch(me.project("notebooks-only"))


def test_ps_and_url_describe_what_runs(me: Person, bench: Workbench) -> None:
    listed = me.listed()
    assert [each["name"] for each in listed] == [bench.name]
    keys = "name project engine dock device image container port url api_url token status"
    assert set(keys.split()) <= set(listed[0])
    assert listed[0]["engine"] == me.engine.name
    assert bench.name in me.run("workbench", "ps").ok().out
    for argument in ((), (bench.name,), (str(bench.project),)):
        assert me.run("workbench", "url", *argument, cwd=bench.project).ok().out.strip() == bench.url


def test_logs_stats_and_exec(me: Person, bench: Workbench) -> None:
    assert me.run("workbench", "logs", bench.name).ok().out.strip()
    assert bench.token not in me.run("workbench", "logs", bench.name).out
    stats = me.run("workbench", "stats", "--json", bench.name).ok().json()
    assert stats[0]["memory"] > 10_000_000 and stats[0]["pids"] >= 1
    there = me.run("workbench", "exec", "--name", bench.name, "--", "cat", "words.txt").ok()
    assert there.out == (bench.project / "words.txt").read_text()
    assert me.run("workbench", "exec", "--name", bench.name, "--", "sh", "-c", "exit 7").code == 7


def test_logs_follow_ends_with_the_workbench(me: Person, bench: Workbench) -> None:
    following = me.start("workbench", "logs", "-f", bench.name)
    time.sleep(1)
    assert following.poll() is None
    me.run("workbench", "stop", bench.name).ok()
    assert me.wait(following, timeout=30).ok().out.strip()


def test_stop_start_rm(me: Person, bench: Workbench) -> None:
    me.run("workbench", "stop", bench.name).ok()
    assert status(me) == ["stopped"]
    me.run("workbench", "stop", bench.name).ok()
    assert me.launch(bench.project).url == bench.url
    me.run("workbench", "stop", bench.name).ok()
    me.run("workbench", "rm", bench.name).ok()
    assert status(me) == []
    assert not me.containers()
    assert (bench.project / "words.txt").exists()
    assert me.launch(bench.project).token != bench.token


def status(me: Person) -> list[str]:
    return [each["status"] for each in me.listed()]


def test_restart_keeps_url_and_gives_fresh_kernels(me: Person, bench: Workbench) -> None:
    me.run("workbench", "restart", bench.name).ok()
    assert me.run("workbench", "url", bench.name).ok().out.strip() == bench.url
    assert bench.jupyter.run("print(6 * 7)") == "42\n"


def test_foreground_shows_the_log_and_stops_in_order(me: Person) -> None:
    project = me.project("notebooks-only")
    foreground = me.start("run-notebook", "--no-browser", cwd=project)
    assert foreground.stdout is not None
    url = foreground.stdout.readline().strip()
    assert url.startswith("http://") and "token=" in url
    assert status(me) == ["running"]
    time.sleep(1)
    os.kill(foreground.pid, signal.SIGINT)
    ended = me.wait(foreground, timeout=60)
    assert ended.code == 0, str(ended)
    assert "Traceback" not in ended.err
    assert status(me) == ["stopped"]


def test_prune_dry_run_lists_and_removes_nothing(me: Person, bench: Workbench) -> None:
    me.run("workbench", "stop", bench.name).ok()
    listed = me.run("workbench", "prune", "--dry-run").ok()
    assert bench.name in listed.out + listed.err
    assert status(me) == ["stopped"]


def test_config_show_names_origins(me: Person) -> None:
    project = me.project()
    me.write(project / "pyproject.toml", '[project]\nname = "x"\nversion = "1"\n[tool.workbench]\nmemory = "3g"\n')
    shown = me.run("workbench", "config", "show", cwd=project, env={"WORKBENCH_CPUS": "1.5"}).ok().out
    lines = {line.split()[0]: line for line in shown.splitlines() if line.split()}
    assert "pyproject.toml" in lines["memory"]
    assert "WORKBENCH_CPUS" in lines["cpus"]
    assert "default" in lines["image"]
    schema = json.loads(me.run("workbench", "config", "schema").ok().out)
    assert schema["properties"]


def test_dry_run_starts_nothing(me: Person) -> None:
    project = me.project("requirements-only")
    planned = me.run("run-notebook", "--dry-run", cwd=project).ok()
    assert not me.containers()
    assert status(me) == []
    if me.engine.host:
        assert f"{me.engine.name} run" in planned.out.replace(f"{me.engine.name} --remote", me.engine.name)


def test_doctor_says_what_a_launch_would_find(me: Person) -> None:
    told = me.run("workbench", "doctor")
    assert told.code == 0, str(told)
    assert me.engine.name in told.out.lower()


def test_help_is_quick_and_complete(somebody: MakePerson) -> None:
    me = somebody("local")
    shown = me.run("run-notebook", "--help").ok().out
    for option in ("--engine", "--image", "--rebuild", "--offline", "--detach", "--dry-run", "--json", "--trust"):
        assert option in shown
    assert Path(me.home).exists() and not list(me.home.rglob("*"))


def test_a_wrong_docker_host_does_not_hide_what_else_runs(somebody: MakePerson) -> None:
    me = somebody("local")
    bench = me.launch(me.project("notebooks-only"))
    wrong = {"DOCKER_HOST": f"unix://{me.folder}/nothing.sock"}
    listed = me.run("workbench", "ps", "--json", env=wrong).ok()
    assert [each["name"] for each in listed.json()] == [bench.name]
    assert "DOCKER_HOST" in listed.err
    me.run("workbench", "stop", bench.name, env=wrong).ok()
