"""What every engine promises to the rest, held against each engine there is."""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from http.client import HTTPConnection
from threading import Timer

import pytest

from tests.contract.benches import DELIVERY, SECRET, TOKEN, Bench, with_labels
from workbench import process, ready
from workbench.engines.base import Engine, NameTaken, PortTaken
from workbench.errors import EngineError, WorkbenchError
from workbench.labels import NAME, PROJECT
from workbench.model import Build, Delivery, Running, RunPlan

NOBODY = "workbench-nobody-0000"


def started(bench: Bench, run: RunPlan | None = None) -> Running:
    """A workbench whose server answers."""
    running = bench.engine.start(run or bench.run(), DELIVERY)
    wait_for(bench, running)
    return running


def wait_for(bench: Bench, running: Running, token: str = TOKEN) -> None:
    ready.wait(running.port, token, lambda: now(bench, running).state == "running", patience=20)


def now(bench: Bench, running: Running) -> Running:
    """The workbench as it is; asked for by name, engines look closely."""
    return next(each for each in bench.engine.find({NAME: running.name}) if each.id == running.id)


def status(port: int, token: str) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", "/api/status", headers={"Authorization": f"token {token}"})
    return connection.getresponse().status


def refused(action: Callable[[], object]) -> WorkbenchError:
    """The engine's own error, which must say what to do next."""
    with pytest.raises(WorkbenchError) as caught:
        action()
    assert caught.value.hint, f"no hint: {caught.value.message}"
    assert caught.value.exit_code in (3, 4)
    return caught.value


def provide(engine: Engine, build: Build) -> list[str]:
    return [event.kind for event in engine.provide(build)]


def test_facts_name_the_engine(engine: Engine) -> None:
    facts = engine.facts()
    assert facts.engine == engine.name
    assert facts.version
    assert facts.uid == (1000 if engine.name == "fake" else os.getuid())


def test_a_started_workbench_is_found_with_what_its_run_said(bench: Bench, engine: Engine) -> None:
    run = bench.run()
    running = started(bench, run)
    assert [each.id for each in engine.find({PROJECT: bench.project})] == [running.id]
    found_one = now(bench, running)
    assert found_one.state == "running"
    assert found_one.port == run.port
    assert found_one.name == f"one-{bench.key}"
    assert (found_one.project, found_one.plan, found_one.engine) == (bench.project, "plan-1", engine.name)
    assert run.labels.items() <= found_one.labels.items()
    assert found_one.started is not None
    assert abs(found_one.started - time.time()) < 60


def test_find_returns_only_what_has_all_the_labels(bench: Bench, engine: Engine) -> None:
    red = engine.start(with_labels(bench.run("red"), {"colour": "red"}), DELIVERY)
    blue = engine.start(with_labels(bench.run("blue"), {"colour": "blue"}), DELIVERY)
    assert [each.id for each in engine.find({PROJECT: bench.project, "colour": "red"})] == [red.id]
    assert {red.id, blue.id} <= {each.id for each in engine.find({})}
    assert engine.find({PROJECT: bench.project, "colour": "green"}) == []
    assert engine.find({PROJECT: f"{bench.project}/"}) == []


def test_a_taken_name_is_an_error_and_changes_nothing(bench: Bench, engine: Engine) -> None:
    run = bench.run()
    running = started(bench, run)
    before = bench.traces()
    assert isinstance(refused(lambda: engine.start(bench.run(), DELIVERY)), NameTaken)
    assert bench.traces() == before
    assert status(running.port, TOKEN) == 200


def test_a_taken_port_is_an_error_and_leaves_nothing_behind(bench: Bench, engine: Engine) -> None:
    first = started(bench)
    before = bench.traces()
    error = refused(lambda: engine.start(bench.run("two", port=first.port), DELIVERY))
    assert isinstance(error, PortTaken)
    assert str(first.port) in error.message
    assert bench.traces() == before
    assert [each.id for each in engine.find({PROJECT: bench.project})] == [first.id]


def test_the_delivery_arrives_and_nobody_else_sees_it(bench: Bench, engine: Engine) -> None:
    running = started(bench)
    assert status(running.port, TOKEN) == 200
    assert status(running.port, "guess") == 403
    assert "took the delivery (1 variables)" in list(engine.logs(running.id))
    seen = bench.visible(running)
    assert running.name in seen, "nothing was looked at"
    assert TOKEN not in seen
    assert SECRET not in seen


def test_stop_is_graceful_and_may_be_repeated(bench: Bench, engine: Engine) -> None:
    running = started(bench)
    engine.stop(running.id)
    stopped = now(bench, running)
    assert stopped.state == "stopped"
    assert stopped.exit_code in (0, None)
    assert list(engine.logs(running.id))[-1] == "SIGTERM: saved, kernels ended"
    with pytest.raises(ConnectionRefusedError):
        status(running.port, TOKEN)
    engine.stop(running.id)
    assert now(bench, running).state == "stopped"


def test_a_server_that_ignores_sigterm_is_ended(bench: Bench, engine: Engine) -> None:
    running = started(bench, bench.run(stubborn=True))
    begun = time.monotonic()
    engine.stop(running.id)
    assert time.monotonic() - begun < 8
    assert now(bench, running).state == "stopped"
    assert list(engine.logs(running.id))[-1] == "SIGTERM: saved, kernels ended"


def test_a_stopped_workbench_resumes_with_its_port_and_a_new_delivery(bench: Bench, engine: Engine) -> None:
    running = started(bench)
    engine.stop(running.id)
    again = engine.resume(running.id, Delivery("beef" * 16))
    wait_for(bench, again, "beef" * 16)
    assert (again.id, again.port, again.name) == (running.id, running.port, running.name)
    assert again.labels == running.labels
    assert status(again.port, TOKEN) == 403
    assert now(bench, again).state == "running"


def test_resume_with_the_port_taken_leaves_it_stopped(bench: Bench, engine: Engine) -> None:
    first = started(bench)
    engine.stop(first.id)
    second = started(bench, bench.run("two", port=first.port))
    assert isinstance(refused(lambda: engine.resume(first.id, DELIVERY)), PortTaken)
    assert now(bench, first).state != "running"
    engine.stop(second.id)
    wait_for(bench, engine.resume(first.id, DELIVERY))


def test_a_workbench_that_crashed_is_not_running_and_can_resume(bench: Bench, engine: Engine) -> None:
    running = started(bench)
    bench.crash(running)
    until = time.monotonic() + 10
    while now(bench, running).state == "running" and time.monotonic() < until:
        time.sleep(0.05)
    assert now(bench, running).state in ("stopped", "dead")
    refused(lambda: engine.stats(running.id))
    wait_for(bench, engine.resume(running.id, DELIVERY))


def renamed(bench: Bench, running: Running, name: str) -> Running:
    """The workbench under another container name; where names are ids, its id is another one too."""
    bench.engine.rename(running.id, name)
    mine = {running.id, name}
    return next(each for each in bench.engine.find({NAME: running.name}) if each.id in mine)


def test_a_renamed_workbench_is_the_same_one(bench: Bench, engine: Engine) -> None:
    running = started(bench)
    engine.stop(running.id)
    aside = renamed(bench, running, f"{bench.run().name}.aside")
    assert (aside.name, aside.labels, aside.port, aside.state) == (
        running.name,
        running.labels,
        running.port,
        "stopped",
    )
    assert "took the delivery (1 variables)" in list(engine.logs(aside.id))
    wait_for(bench, engine.resume(aside.id, DELIVERY))
    assert status(running.port, TOKEN) == 200


def test_a_renamed_workbench_leaves_its_name_to_another(bench: Bench, engine: Engine) -> None:
    before = bench.traces()
    run, first = bench.run(), started(bench)
    engine.stop(first.id)
    aside = renamed(bench, first, f"{run.name}.aside")
    second = started(bench, run)
    assert {each.id for each in engine.find({PROJECT: bench.project})} == {aside.id, second.id}
    engine.stop(second.id)
    engine.remove(second.id)
    assert list(engine.logs(aside.id)), "what the other one left took this one's with it"
    engine.remove(aside.id, volumes=True)
    assert bench.traces() == before


def test_a_name_that_is_taken_is_not_given(bench: Bench, engine: Engine) -> None:
    one, two = started(bench), started(bench, bench.run("two"))
    engine.stop(one.id)
    assert isinstance(refused(lambda: engine.rename(one.id, bench.run("two").name)), NameTaken)
    assert now(bench, one).state == "stopped"
    assert status(two.port, TOKEN) == 200


def test_renamed_back_a_workbench_is_as_before(bench: Bench, engine: Engine) -> None:
    running = started(bench)
    engine.stop(running.id)
    before, traces = now(bench, running), bench.traces()
    aside = renamed(bench, running, f"{bench.run().name}.aside")
    assert renamed(bench, aside, bench.run().name) == before
    assert bench.traces() == traces
    wait_for(bench, engine.resume(running.id, DELIVERY))


def test_remove_leaves_no_trace(bench: Bench, engine: Engine) -> None:
    before = bench.traces()
    running = started(bench)
    assert bench.traces() != before
    engine.stop(running.id)
    engine.remove(running.id, volumes=True)
    assert bench.traces() == before
    assert engine.find({PROJECT: bench.project}) == []


def test_logs_end_with_the_last_lines_asked_for(bench: Bench, engine: Engine) -> None:
    running = started(bench)
    engine.stop(running.id)
    everything = list(engine.logs(running.id))
    assert len(everything) >= 3
    assert list(engine.logs(running.id, tail=2)) == everything[-2:]
    assert not any(line.endswith(("\n", "\r")) for line in everything)


def test_followed_logs_end_with_the_workbench(bench: Bench, engine: Engine) -> None:
    running = started(bench)
    Timer(0.5, engine.stop, [running.id]).start()
    begun = time.monotonic()
    lines = list(engine.logs(running.id, follow=True))
    assert time.monotonic() - begun > 0.4
    assert lines[-1] == "SIGTERM: saved, kernels ended"
    assert "took the delivery (1 variables)" in lines


def test_stats_are_plausible(bench: Bench, engine: Engine) -> None:
    running = started(bench)
    stats = engine.stats(running.id)
    assert 0 <= stats.cpu <= (os.cpu_count() or 1) + 0.5
    assert 1 << 20 < stats.memory < 1 << 32
    assert 1 <= stats.pids < 1000


def test_exec_tells_the_exit_code_and_both_streams(bench: Bench, engine: Engine) -> None:
    running = started(bench)
    done = engine.exec(running.id, ("sh", "-c", "echo to out; echo to err >&2; exit 3"))
    assert (done.code, done.out, done.err) == (3, "to out\n", "to err\n")


def test_exec_hands_over_its_input(bench: Bench, engine: Engine) -> None:
    running = started(bench)
    text = "é\n" + "x" * 300_000
    done = engine.exec(running.id, ("cat",), stdin=text.encode())
    assert (done.code, done.out) == (0, text)
    assert engine.exec(running.id, ("cat",)).out == ""


def test_exec_runs_in_the_environment_of_the_workbench(bench: Bench, engine: Engine) -> None:
    running = started(bench)
    assert engine.exec(running.id, ("sh", "-c", 'printf %s "$GREETING"')).out == "hello"


def test_exec_argv_does_the_same(bench: Bench, engine: Engine) -> None:
    running = started(bench)
    argv, env = engine.exec_argv(running.id, ("sh", "-c", 'printf %s "$GREETING"; pwd; exit 3'), tty=False)
    done = process.run(argv, env=env)
    inside = engine.exec(running.id, ("sh", "-c", 'printf %s "$GREETING"; pwd; exit 3'))
    assert (done.code, done.out) == (3, inside.out)


@pytest.mark.parametrize(
    "action",
    [
        lambda engine: engine.stop(NOBODY),
        lambda engine: engine.remove(NOBODY),
        lambda engine: engine.resume(NOBODY, DELIVERY),
        lambda engine: engine.rename(NOBODY, "other"),
        lambda engine: list(engine.logs(NOBODY)),
        lambda engine: engine.stats(NOBODY),
        lambda engine: engine.exec(NOBODY, ("true",)),
    ],
    ids=["stop", "remove", "resume", "rename", "logs", "stats", "exec"],
)
def test_what_is_not_there_is_an_error_with_a_hint(engine: Engine, action: Callable[[Engine], object]) -> None:
    assert isinstance(refused(lambda: action(engine)), EngineError)


def test_what_is_stopped_runs_no_commands(bench: Bench, engine: Engine) -> None:
    running = started(bench)
    engine.stop(running.id)
    refused(lambda: engine.exec(running.id, ("true",)))
    refused(lambda: engine.stats(running.id))


def test_an_environment_is_made_once(bench: Bench, engine: Engine) -> None:
    build = bench.build()
    assert engine.present(build) is None
    assert "done" in provide(engine, build)
    assert engine.present(build) == build_inputs(build)
    assert set(provide(engine, build)) <= {"cached", "note"}


def test_changed_inputs_are_told_and_built(bench: Bench, engine: Engine) -> None:
    one, two = bench.build("one"), bench.build("two")
    provide(engine, one)
    assert engine.present(two) == build_inputs(one), "the difference to these is the reason to build"
    assert "done" in provide(engine, two)
    assert engine.present(two) == build_inputs(two)


def test_a_failed_build_says_why_and_keeps_what_was_there(bench: Bench, engine: Engine) -> None:
    provide(engine, bench.build("one"))
    error = refused(lambda: provide(engine, bench.build("broken")))
    assert isinstance(error, EngineError)
    assert "broken" in "\n".join([error.message, *error.detail])
    assert engine.present(bench.build("one")) == build_inputs(bench.build("one"))


def test_a_forced_build_builds_again(bench: Bench, engine: Engine) -> None:
    build = bench.build()
    provide(engine, build)
    assert "done" in provide(engine, replace(build, force=True))
    assert engine.present(build) == build_inputs(build)


def test_a_stopped_workbench_is_a_leftover_and_can_be_deleted(bench: Bench, engine: Engine) -> None:
    kept, stopped = started(bench, bench.run("kept")), started(bench, bench.run("stopped"))
    engine.stop(stopped.id)
    mine = [each for each in engine.leftovers() if each.kind == "container" and each.project == bench.project]
    assert [each.id for each in mine] == [stopped.id]
    engine.delete(mine[0])
    assert [each.id for each in engine.find({PROJECT: bench.project})] == [kept.id]
    assert status(kept.port, TOKEN) == 200


def test_leftovers_spare_the_environment_in_use(bench: Bench, engine: Engine) -> None:
    one, two = bench.build("one"), bench.build("two")
    for build in (one, two, one):
        provide(engine, build)
    running = started(bench, bench.run(build=one))
    mine = [each for each in engine.leftovers() if each.project == bench.project]
    assert [each.kind for each in mine] == (
        ["environment" if engine.name == "local" else "image"] * bench.old_environments
    )
    for each in mine:
        engine.delete(each)
    assert engine.present(one) == build_inputs(one)
    assert [each for each in engine.leftovers() if each.project == bench.project] == []
    assert status(running.port, TOKEN) == 200


def test_what_is_not_ours_is_neither_listed_nor_deleted(bench: Bench, engine: Engine) -> None:
    foreign = bench.foreign()
    assert foreign.id not in {each.id for each in engine.leftovers()}
    refused(lambda: engine.delete(foreign))
    assert bench.exists(foreign)


def build_inputs(build: Build) -> object:
    return getattr(build, "inputs", None)


def test_when_the_environment_was_made_is_known(bench: Bench) -> None:
    begun = time.time()
    build = bench.build(f"made at {begun}")
    list(bench.engine.provide(build))
    running = bench.engine.start(bench.run(build=build), DELIVERY)
    made = bench.engine.made(running.id)
    assert made is not None and begun - 5 < made <= time.time()
