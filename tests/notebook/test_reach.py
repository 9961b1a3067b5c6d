"""A workbench controlled through its server: what is asked, what is refused, what is heard."""

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from queue import Empty, SimpleQueue
from typing import Any

import pytest
from support.panel import Standing, document, service, standing

from workbench.notebook import show
from workbench.notebook.api import Control
from workbench.notebook.client import NotHere, Refused, Stream, call
from workbench.notebook.follow import Follower

MISSING = (503, {"code": "no_agent", "message": "Nobody carries it out.", "hint": "workbench panel --repair"})


@pytest.fixture
def server():
    with standing() as found:
        yield found


def wait_for(true: Callable[[], bool], patience: float = 30.0) -> None:
    end = time.monotonic() + patience
    while not true():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.01)


def test_what_there_is(server):
    control = Control(server.server)
    assert control.status() == document()
    assert (control.name, control.device, control.gpus) == ("tides-1a2b3c", "cpu", [])
    assert control.url == "http://tides-1a2b3c.localhost:23456/lab"
    assert control.logs(2) == ["line 0", "line 1"]
    assert "Memory   123 MB of 4.0 GB" in repr(control)


def test_each_verb_is_asked_for_by_its_name(server):
    control = Control(server.server)
    control.set_device("gpu")
    for verb in (control.restart, control.rebuild, control.cancel, control.stop):
        verb()
    others = [(name, {}) for name in ("restart", "rebuild", "cancel", "stop")]
    assert server.asked == [("set_device", {"device": "gpu"}), *others]


def test_services_are_said_by_their_names(server):
    server.state = document(services=[service("db", restart=True), service("mlflow", state="stopped", exit_code=1)])
    control = Control(server.server)
    assert [(each["name"], each["exit_code"]) for each in control.services] == [("db", None), ("mlflow", 1)]
    assert control.service_logs("mlflow", 2) == ["service 1, line 0", "service 1, line 1"]
    assert control.ask("service_logs", {"service": 0, "tail": 1}) == {"lines": ["service 0, line 0"]}
    control.restart_service("mlflow")
    assert server.asked == [("restart_service", {"service": 1})]
    assert "Services  db (running), mlflow (exit code 1)" in repr(control)


@pytest.mark.parametrize(("services", "have"), [([], "it has none"), ([service("db")], "it has db")])
def test_a_service_that_is_not_there_is_not_even_asked_for(server, services, have):
    server.state = document(services=services)
    for ask in (Control(server.server).restart_service, Control(server.server).service_logs):
        with pytest.raises(ValueError, match=f"no service 'other'; {have}"):
            ask("other")
    assert server.asked == []


def test_an_unknown_device_is_not_even_asked_for(server):
    with pytest.raises(ValueError, match="'tpu'"):
        Control(server.server).set_device("tpu")
    assert server.asked == []


def test_a_refusal_says_why_and_what_to_do(server):
    server.refusals["restart"] = MISSING
    with pytest.raises(Refused, match=r"Nobody carries it out\. workbench panel --repair") as refused:
        Control(server.server).restart()
    assert refused.value.code == "no_agent"


def test_a_verb_cannot_become_another_address(server):
    with pytest.raises(Refused):
        server.refusals["..%2Fstate"] = MISSING
        Control(server.server).ask("../state", {})
    assert server.asked == [("..%2Fstate", {})]


def test_a_server_that_is_gone_is_not_here():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with standing() as server:
            gone = replace(server.server, port=taken.getsockname()[1])
        with pytest.raises(NotHere, match="does not answer"):
            Control(gone).status()
        assert repr(Control(gone)).startswith("Workbench\n")
        assert "does not answer" in show.bundle(Control(gone))["text/plain"]


def test_a_server_without_a_panel_is_not_here(server):
    with pytest.raises(NotHere, match="no panel"):
        call(server.server, "GET", "other")


def test_a_server_that_takes_another_token_refuses(server):
    with pytest.raises(Refused, match="403"):
        Control(replace(server.server, token="wrong")).status()


def test_a_bundle_has_a_form_for_every_front_end(server):
    bundle = show.bundle(Control(server.server))
    assert bundle[show.MIME] == {"version": 1, "name": "tides-1a2b3c"}
    assert "tides-1a2b3c" in bundle["text/html"]
    assert bundle["text/plain"].startswith("Workbench tides-1a2b3c\n")
    assert list(show.bundle(Control(server.server), own=False)) == ["text/html", "text/plain"]


def read(server: Standing, wanted: int) -> list[tuple[str, Any]]:
    """So many events of a stream."""
    stream, found = Stream(server.server), []
    for event in stream:
        found.append(event)
        if len(found) == wanted:
            break
    stream.close()
    return found


def test_a_stream_tells_the_state_and_then_its_changes(server):
    threading.Thread(target=lambda: (wait_for(lambda: bool(server.listeners)), server.change(changes=["x"]))).start()
    assert read(server, 2) == [("state", document()), ("change", {"changes": ["x"]})]


def test_a_stream_that_is_closed_ends_for_a_reader_that_waits(server):
    stream, ended = Stream(server.server), threading.Event()
    threading.Thread(target=lambda: (list(stream), ended.set())).start()
    wait_for(lambda: bool(server.listeners))
    stream.close()
    assert ended.wait(30)


def test_a_stream_that_is_closed_before_it_is_read_has_nothing(server):
    stream = Stream(server.server)
    stream.close()
    assert list(stream) == []
    assert server.listeners == []


def test_a_follower_hears_again_after_an_interruption_and_nothing_after_its_end(server):
    heard: SimpleQueue[tuple[str, Any]] = SimpleQueue()
    follower = Follower(server.server, lambda name, data: heard.put((name, data)))
    try:
        assert heard.get(timeout=30)[0] == "state"
        # The server knows of a listener a moment after it has sent the state.
        wait_for(lambda: len(server.listeners) == 1)
        server.hang_up()
        assert heard.get(timeout=30)[0] == "state"
        wait_for(lambda: len(server.listeners) == 1)
    finally:
        follower.stop()
    wait_for(lambda: not any(thread.name == "workbench-panel" for thread in threading.enumerate()))
    server.change(changes=["late"])
    with pytest.raises(Empty):
        heard.get_nowait()
