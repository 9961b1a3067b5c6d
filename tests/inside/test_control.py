"""The panel's half in the server: who may ask, what the state says, what listeners hear, how verbs are answered."""

import json
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from hosting import STATUS, accepting, hosting
from serving import TOKEN, Serving, free_port, serving, wait_for
from streaming import Stream, listening
from support.kernel import Kernel

from workbench.inside import wire

API = "workbench/api/"
KEYS = {"version", "workbench", "agent", "device", "gpus", "usage", "history", "kernels", "diffs", "services",
        "packages", "changes", "action", "last"}  # fmt: skip
ACTION = {"verb": "restart", "device": None, "phase": "stopping", "text": "stopping", "done": 0, "total": 0}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("server")
    (folder / "project").mkdir()
    with serving(folder, free_port(), folder / "project", WORKBENCH_DIFFS="1") as found:
        yield found


def state(server: Serving) -> dict[str, Any]:
    found: dict[str, Any] = server.jupyter.call("GET", f"{API}state")
    return found


def connected(server: Serving) -> bool:
    return bool(state(server)["agent"]["connected"])


def post(server: Serving, verb: str, body: bytes = b"{}") -> tuple[int, dict[str, Any]]:
    answer = server.jupyter.http.post(f"{server.jupyter.api_url}{API}verbs/{verb}", data=body, timeout=60)
    return answer.status_code, answer.json()


def browser(server: Serving) -> requests.Session:
    """Logged in by cookie, as a page is."""
    session = requests.Session()
    session.trust_env = False
    session.get(f"http://127.0.0.1:{server.port}/lab?token={TOKEN}", timeout=60)
    assert any(cookie.name.startswith("username-") for cookie in session.cookies)
    return session


def test_nothing_is_told_without_the_token_or_to_another_host(server: Serving) -> None:
    for path in ("state", "events", "logs", "services/0/logs"):
        assert server.status(f"/{API}{path}") == 403
        assert server.status(f"/{API}{path}", Authorization=f"token {TOKEN}", Host="evil.example") == 403
    answer = requests.post(f"http://127.0.0.1:{server.port}/{API}verbs/stop", json={}, timeout=60)
    assert answer.status_code == 403


def test_a_verb_of_another_page_is_not_taken_from_a_browser(server: Serving) -> None:
    session = browser(server)
    address = f"http://127.0.0.1:{server.port}/{API}"
    assert session.get(f"{address}state", timeout=60).status_code == 200
    assert session.post(f"{address}verbs/hello", json={}, timeout=60).status_code == 403
    assert session.get(f"{address}state", headers={"Origin": "http://evil.example"}, timeout=60).status_code == 404
    token = {"X-XSRFToken": session.cookies["_xsrf"]}
    assert session.post(f"{address}verbs/hello", json={}, headers=token, timeout=60).status_code == 503
    evil = {**token, "Origin": "http://evil.example"}
    assert session.post(f"{address}verbs/hello", json={}, headers=evil, timeout=60).status_code == 404


def test_the_state_is_whole_without_an_agent(server: Serving) -> None:
    found = state(server)
    assert found.keys() == KEYS
    assert found["workbench"]["name"] == "demo" and found["workbench"]["project"] == "project"
    assert found["workbench"]["engine"] is None and found["workbench"]["ports"] == []
    assert found["agent"] == {
        "connected": False,
        "why": "No agent answers on the host.",
        "hint": "`workbench panel --repair` on the host brings it back.",
    }
    kernels = {"cpu": "python3", "gpu": None}
    assert found["device"] == {"selected": "cpu", "gpus": "", "kernels": kernels, "possible": None, "why": ""}
    assert found["usage"]["cores"] > 0 and found["usage"]["memory"] > 0
    assert found["diffs"] == {"on": True, "last_written": None, "pending": 0, "warnings": {}}


def test_a_server_with_a_gpu_knows_both_kernels_and_what_nvidia_smi_says(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho '0, GPU-a, Tesla T4, 15360, 1024, 25'\n")
    program.chmod(0o755)
    told = {
        "WORKBENCH_GPUS": "all",
        "WORKBENCH_DEVICE": "gpu",
        "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
    }
    with serving(tmp_path, free_port(), tmp_path, **told) as server:
        found = state(server)
        assert found["device"]["kernels"] == {"cpu": "python3-cpu", "gpu": "python3"}
        assert found["device"]["possible"] is True
        wait_for(lambda: state(server)["gpus"] != [], 60)
        assert state(server)["gpus"] == [
            {"index": 0, "name": "Tesla T4", "memory": 15360 << 20, "memory_used": 1024 << 20, "load": 0.25}
        ]


def states(page: Stream) -> set[str]:
    return {kernel["state"] for _, data in page.events for kernel in data.get("kernels", ())}


def test_every_listener_hears_of_kernels_and_numbers(server: Serving) -> None:
    with listening(server) as first, listening(server) as second:
        with server.jupyter.kernel(path="a.ipynb") as kernel:
            for page in (first, second):
                (told,) = page.wait_for(lambda page: page.state["kernels"])
                assert told["path"] == "a.ipynb" and told["display_name"] == "Python (CPU)" and told["device"] == "cpu"
            kernel.run("import time; time.sleep(3)")
            first.wait_for(lambda page: {"busy", "idle"} <= states(page))
        for page in (first, second):
            page.wait_for(lambda page: page.state["kernels"] == [])
            page.wait_for(lambda page: sum("usage" in data for _, data in page.events) > 2)
            assert all(len(data) < 4 for name, data in page.events if name == "change")
    again = state(server)
    assert len(again["history"]["cpu"]) == len(again["history"]["memory"]) > 1


def test_a_page_that_does_not_read_is_dropped_and_costs_the_others_nothing(tmp_path: Path) -> None:
    request = f"GET /{API}events HTTP/1.1\r\nHost: localhost\r\nAuthorization: token {TOKEN}\r\n\r\n"
    with serving(tmp_path, free_port(), tmp_path) as server, hosting(server.run) as host, listening(server) as page:
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as idle:
            idle.sendall(request.encode())
            idle.recv(1)
            for number in range(400):
                changes = [str(number), "x" * 50_000]
                host.tell(wire.event("status", status={**STATUS, "changes": changes}))
                page.wait_for(lambda page, changes=changes: page.state.get("changes") == changes)
            received = sum(map(len, iter(lambda: idle.recv(1 << 20), b"")))
            assert received < 400 * 50_000
        assert server.end() == 0
        assert "Traceback" not in server.log


def test_a_page_that_is_loaded_again_sees_the_same(server: Serving) -> None:
    with listening(server) as page:
        before = {key: page.state[key] for key in KEYS - {"usage", "history", "workbench"}}
    with listening(server) as page:
        assert {key: page.state[key] for key in before} == before
        assert page.state.keys() == KEYS


def test_a_verb_goes_to_the_agent_and_its_answer_back(server: Serving) -> None:
    with hosting(server.run) as host:
        wait_for(lambda: connected(server), 60)
        assert post(server, "set_device", b'{"device": "gpu"}') == (200, {"ok": True, "result": {"accepted": True}})
        asked = host.asked.get(timeout=60)
        assert asked["verb"] == "set_device" and asked["args"] == {"device": "gpu"} and asked["v"] == wire.VERSION


@pytest.mark.parametrize(
    ("code", "status"),
    [("busy", 409), ("too_soon", 429), ("too_many", 429), ("bad_arguments", 400), ("no_agent", 503), ("failed", 409)],
)
def test_a_refusal_is_told_with_its_reason(server: Serving, code: str, status: int) -> None:
    def refuse(message: wire.Message) -> wire.Message:
        return wire.refusal(message["id"], code, "It cannot be.", "Try again.")

    with hosting(server.run, refuse):
        wait_for(lambda: connected(server), 60)
        error = {"code": code, "message": "It cannot be.", "hint": "Try again."}
        assert post(server, "restart") == (status, {"ok": False, "error": error})


@pytest.mark.parametrize(
    ("verb", "body", "code"),
    [
        ("exec", b"{}", "unknown_verb"),
        ("restart", b"[]", "malformed"),
        ("restart", b"{", "malformed"),
        ("restart", b'{"a": NaN}', "malformed"),
        ("restart", b'{"a": 1, "a": 2}', "malformed"),
        ("restart", b'{"a": "' + b"x" * wire.LINE + b'"}', "malformed"),
        ("restart", b'{"a": "' + b"x" * (wire.LINE - 60) + b'"}', "malformed"),
    ],
)
def test_what_is_no_request_never_leaves_the_server(server: Serving, verb: str, body: bytes, code: str) -> None:
    with hosting(server.run) as host:
        wait_for(lambda: connected(server), 60)
        status, answer = post(server, verb, body)
        assert (status, answer["error"]["code"]) == (400, code)
        assert post(server, "hello")[0] == 200
        assert host.asked.get(timeout=60)["verb"] == "hello"


def test_the_agents_news_reach_the_pages(server: Serving) -> None:
    with listening(server) as page, hosting(server.run) as host:
        page.wait_for(lambda page: page.state["workbench"]["engine"] == "docker")
        told = page.state["workbench"]
        assert told["ports"] == [{"container": server.port, "host": "127.0.0.1:23456"}]
        assert told["url"] == "http://demo.localhost:23456/lab" and told["image_created"] == 1700000000.0
        assert page.state["changes"] == ["requirements.txt changed"]
        assert (page.state["device"]["possible"], page.state["device"]["why"]) == (False, "This machine has no GPU.")
        host.tell(wire.event("action", action=ACTION, last=None))
        page.wait_for(lambda page: page.state["action"] == ACTION)
        last = {"verb": "restart", "device": None, "ok": False, "message": "No.", "hint": "", "at": 1.0}
        host.tell(wire.event("action", action=None, last=last))
        page.wait_for(lambda page: page.state["action"] is None and page.state["last"] == last)


def test_an_agent_that_goes_is_missed_and_one_that_comes_is_found(server: Serving) -> None:
    with listening(server) as page:
        with hosting(server.run) as host:
            page.wait_for(lambda page: page.state["agent"]["connected"])
            host.tell(wire.event("action", action=ACTION, last=None))
            page.wait_for(lambda page: page.state["action"])
        page.wait_for(lambda page: not page.state["agent"]["connected"])
        assert page.state["action"] is None and "--repair" in page.state["agent"]["hint"]
        assert page.state["workbench"]["image"] == "p-notebook:ada"
        status, answer = post(server, "restart")
        assert (status, answer["error"]["code"]) == (503, "no_agent")
        with hosting(server.run):
            page.wait_for(lambda page: page.state["agent"]["connected"])


def test_the_log_is_shown_and_followed(server: Serving) -> None:
    lines = ["one", "two"]

    def answer(message: wire.Message) -> wire.Message:
        if message["verb"] != "logs":
            # The server asks for the status too, now and then.
            return accepting(message)
        return wire.reply(message["id"], {"lines": lines[-message["args"]["tail"] :]})

    with hosting(server.run, answer):
        wait_for(lambda: connected(server), 60)
        assert server.jupyter.call("GET", f"{API}logs?tail=1") == {"lines": ["two"]}
        answered = server.jupyter.http.get(f"{server.jupyter.api_url}{API}logs?tail=x", timeout=60)
        assert answered.status_code == 400
        with listening(server, "?follow=log") as page, listening(server) as other:
            page.wait_for(lambda page: page.last("log"))
            assert page.last("log") == {"lines": ["one", "two"]}
            lines += ["two", "three"]
            page.wait_for(lambda page: page.last("log") == {"lines": ["two", "three"]})
            assert "log" not in other.names()


DB = {"name": "db", "title": "db", "state": "running", "health": "healthy", "exit_code": None,
      "ports": ["5432/tcp"], "web": False, "path": "", "restart": True}  # fmt: skip


def test_services_are_told_while_the_agent_is_there(server: Serving) -> None:
    with listening(server) as page:
        with hosting(server.run, services=[DB]) as host:
            page.wait_for(lambda page: page.state["services"] == [DB])
            assert state(server)["services"] == [DB]
            ill = {**DB, "health": "unhealthy"}
            host.tell(wire.event("status", status={**STATUS, "services": [ill]}))
            page.wait_for(lambda page: page.state["services"] == [ill])
            assert ("change", {"services": [ill]}) in page.events, "nothing else is news"
        unseen = {**DB, "state": None, "health": "", "ports": []}
        page.wait_for(lambda page: page.state["services"] == [unseen])
        with hosting(server.run):
            page.wait_for(lambda page: page.state["services"] == [])


def test_the_log_of_a_service_is_asked_for_by_its_place(server: Serving) -> None:
    def answer(message: wire.Message) -> wire.Message:
        if message["verb"] != "service_logs":
            return accepting(message)
        if message["args"]["service"] > 1:
            return wire.refusal(message["id"], "refused", "The workbench has no service 2.")
        return wire.reply(message["id"], {"lines": [f"{message['args']}"]})

    def ask(path: str) -> requests.Response:
        return server.jupyter.http.get(f"{server.jupyter.api_url}{API}services/{path}", timeout=60)

    with hosting(server.run, answer):
        wait_for(lambda: connected(server), 60)
        assert ask("1/logs?tail=5").json() == {"lines": ["{'service': 1, 'tail': 5}"]}
        assert ask("0/logs?tail=99999").json() == {"lines": [f"{{'service': 0, 'tail': {wire.LINES}}}"]}
        refused = ask("2/logs")
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "refused")
        assert ask("1/logs?tail=x").status_code == 400
        for path in ("-1/logs", "db/logs", "1.0/logs", "1", "9999/logs"):
            assert ask(path).status_code == 404, path


@pytest.mark.parametrize(
    "announced", [ACTION, None, {**ACTION, "verb": "stop"}, {**ACTION, "verb": "restart_service", "service": "db"}]
)
def test_pages_are_told_that_the_server_stops_and_whether_it_comes_back(tmp_path: Path, announced: Any) -> None:
    with serving(tmp_path, free_port(), tmp_path) as server, hosting(server.run) as host, listening(server) as page:
        host.tell(wire.event("action", action=announced, last=None))
        page.wait_for(lambda page: page.state["agent"]["connected"] and page.state["action"] == announced)
        assert server.end(signal.SIGTERM) == 0
        page.wait_for(lambda page: page.ended)
        back = announced if announced is ACTION else None
        assert page.events[-1] == ("leaving", {"action": back})


def test_a_server_that_stops_is_not_taken_for_the_next_one(tmp_path: Path) -> None:
    with serving(tmp_path, free_port(), tmp_path) as server:
        wanted = {"kernel": {"name": "python3"}, "name": "a.ipynb", "path": "a.ipynb", "type": "notebook"}
        id = server.jupyter.call("POST", "api/sessions", wanted)["kernel"]["id"]
        with Kernel(server.jupyter, id) as kernel:
            kernel.run("import atexit, time; atexit.register(time.sleep, 3)")
        assert state(server)["kernels"]  # over a connection that stays open
        with listening(server) as page:
            server.process.send_signal(signal.SIGTERM)
            page.wait_for(lambda page: page.last("leaving"))
            answer = server.jupyter.http.get(f"{server.jupyter.api_url}{API}state", timeout=60)
            assert (answer.status_code, answer.headers["Connection"]) == (503, "close")
        assert server.process.wait(60) == 0


def test_a_stop_waits_for_no_page(tmp_path: Path) -> None:
    with serving(tmp_path, free_port(), tmp_path) as server:
        with listening(server), listening(server):
            pass
        assert server.end() == 0
        assert "Traceback" not in server.log


def test_the_panel_can_be_switched_off(tmp_path: Path) -> None:
    with serving(tmp_path, free_port(), tmp_path, WORKBENCH_PANEL="0") as server:
        assert server.jupyter.http.get(f"{server.jupyter.api_url}{API}state", timeout=60).status_code == 404
        page = server.jupyter.http.get(f"{server.jupyter.api_url}lab", timeout=60).text
        assert "extensions/workbench/" not in page


def test_pages_load_the_panel(server: Serving) -> None:
    page = server.jupyter.http.get(f"{server.jupyter.api_url}lab", timeout=60).text
    config = json.loads(page.split('id="jupyter-config-data" type="application/json">')[1].split("</script>")[0])
    assert "workbench" in [each["name"] for each in config["federated_extensions"]]
    entry = server.jupyter.http.get(
        f"{server.jupyter.api_url}lab/extensions/workbench/static/remoteEntry.js", timeout=60
    )
    assert entry.ok and "javascript" in entry.headers["Content-Type"]


def test_packages_that_were_installed_by_hand_are_told(tmp_path: Path) -> None:
    env = tmp_path / "env"
    site = env / "lib" / "python3.11" / "site-packages"
    for name in ("numpy-1.0.dist-info", "requests-2.0.dist-info"):
        (site / name).mkdir(parents=True)
    with serving(tmp_path, free_port(), tmp_path, env, WORKBENCH_INSTALL="") as server, listening(server) as page:
        assert page.state["packages"] == []
        (site / "typing_extensions-4.0.dist-info").mkdir()
        shutil.move(site / "numpy-1.0.dist-info", site / "numpy-2.0.dist-info")
        told = [{"name": "numpy", "version": "2.0"}, {"name": "typing-extensions", "version": "4.0"}]
        page.wait_for(lambda page: page.state["packages"] == told)
        assert server.end() == 0
    with serving(tmp_path, free_port(), tmp_path, env, WORKBENCH_INSTALL="") as server:
        assert state(server)["packages"] == told
