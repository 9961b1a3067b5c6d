"""Who is the agent: one process at a time, found by others, started where nobody is."""

import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread, Timer

import pytest

from tests.agent.ground import Ground
from tests.contract.benches import free_port
from workbench import approved, cancel, process, ready
from workbench.agent import process as agent
from workbench.state import State

AGENT = """
import pathlib, sys, time
from workbench.agent import process
from workbench.state import State
with process.being(State(pathlib.Path(sys.argv[1])), attached=False):
    print("there", flush=True)
    time.sleep(600)
"""
SILENT = (sys.executable, "-c", "import time; print('begun', flush=True); time.sleep(600)")


def test_one_is_the_agent_and_others_see_who(tmp_path: Path) -> None:
    state = State(tmp_path)
    assert agent.alive(state) is None
    with agent.being(state, attached=True) as first:
        assert first
        who = agent.alive(state)
        assert who is not None and (who.pid, who.attached) == (os.getpid(), True)
        assert time.time() - 60 < who.since <= time.time()
        with agent.being(state, attached=False) as second:
            assert not second
        assert agent.alive(state) == who
    assert agent.alive(state) is None and not (tmp_path / agent.WHO).exists()
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} <= {0o600}


def test_one_that_was_killed_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    lines = process.lines((sys.executable, "-c", AGENT, str(tmp_path)))
    assert next(lines) == "there"
    state = State(tmp_path)
    who = agent.alive(state)
    assert who is not None and who.pid != os.getpid()
    os.kill(who.pid, 9)
    assert agent.wait(state, there=False, patience=60) is None
    lines.close()
    with agent.being(state, attached=False) as mine:
        assert mine


def test_waiting_ends_when_it_is_so(tmp_path: Path) -> None:
    state = State(tmp_path)
    over = Event()

    def be() -> None:
        with agent.being(state, attached=False):
            over.wait(60)

    thread = Thread(target=be, daemon=True)
    thread.start()
    assert agent.wait(state, there=True, patience=60) is not None
    over.set()
    assert agent.wait(state, there=False, patience=60) is None
    thread.join()


def test_an_image_as_it_is_gets_none(ground: Ground) -> None:
    kept = approved.read(ground.state)
    assert kept is not None
    approved.keep(ground.state, replace(kept, settings=replace(kept.settings, as_is=True)))
    agent.begin(ground.state, "fake")
    assert not (ground.state.folder / agent.LOG).exists()


def test_a_log_that_grows_is_set_aside(tmp_path: Path) -> None:
    state, log = State(tmp_path), tmp_path / agent.LOG
    agent.note(state, "first")
    log.write_text(log.read_text() + "x" * agent.LOG_SIZE)
    agent.note(state, "second")
    assert log.read_text().endswith("second\n") and "first" not in log.read_text()
    assert "first" in (tmp_path / f"{agent.LOG}.1").read_text()
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_program_that_says_nothing_is_ended_when_the_work_is_cancelled() -> None:
    asked = Event()
    with cancel.on(asked), pytest.raises(cancel.Cancelled):
        for line in process.lines(SILENT):
            assert line == "begun"
            asked.set()
    assert not asked.is_set()


def test_waiting_for_a_server_can_be_cancelled() -> None:
    asked = Event()
    timer = Timer(0.2, asked.set)
    timer.start()
    with cancel.on(asked), pytest.raises(cancel.Cancelled):
        ready.wait(free_port(), "token", lambda: True)
    timer.join()


def test_what_is_cancelled_is_so_once_and_elsewhere_not_at_all() -> None:
    asked = Event()
    asked.set()
    cancel.check()
    with cancel.on(asked):
        with pytest.raises(cancel.Cancelled):
            cancel.check()
        cancel.check()
    assert cancel.asked() is None
