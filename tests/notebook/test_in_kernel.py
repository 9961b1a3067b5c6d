"""The Python API as a notebook uses it: real kernels of a real server, with a real relay to an agent."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import websocket
from inside.hosting import Host, accepting, hosting
from inside.serving import Serving, free_port, serving
from support.kernel import Kernel

import workbench
from workbench.inside import wire

PATIENCE = 60.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A server whose workbench has a GPU beside the CPU."""
    folder = tmp_path_factory.mktemp("k")
    (folder / "root").mkdir()
    (folder / "home").mkdir()
    with serving(folder, free_port(), folder / "root", WORKBENCH_GPUS="all") as found:
        yield found


def answers(message: wire.Message) -> wire.Message:
    """An agent that has no rights to rebuild."""
    if message["verb"] == "rebuild":
        return wire.refusal(message["id"], "refused", "It cannot be built.", "Free some space.")
    if message["verb"] == "logs":
        return wire.reply(message["id"], {"lines": ["first", "second"][-message["args"]["tail"] :]})
    if message["verb"] == "stats":
        return wire.reply(message["id"], {"cpu": 0.5, "memory": 1000})
    return accepting(message)


@pytest.fixture
def host(server: Serving) -> Iterator[Host]:
    with hosting(server.run, answers) as found:
        wait_for(lambda: server.jupyter.call("GET", "workbench/api/state")["agent"]["connected"])
        yield found
    wait_for(lambda: not server.jupyter.call("GET", "workbench/api/state")["agent"]["connected"])


@pytest.fixture
def kernel(server: Serving) -> Iterator[Kernel]:
    with server.jupyter.kernel() as found:
        found.run("import workbench").ok()
        yield found


def wait_for(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.1)


def say(kernel: Kernel, expression: str) -> Any:
    """The value of an expression."""
    return json.loads(kernel.run(f"import json; print(json.dumps({expression}))").ok())


def become(kernel: Kernel, expression: str, value: object) -> None:
    """Wait until an expression has a value; between two looks the kernel is free."""
    wait_for(lambda: say(kernel, expression) == value)


def asked(host: Host) -> wire.Message:
    """The next request for a change; the server asks for other things by itself."""
    while (request := host.asked.get(timeout=PATIENCE))["verb"] not in wire.LIFE:
        pass
    return request


def test_a_notebook_sees_its_workbench(host: Host, kernel: Kernel) -> None:
    assert say(kernel, "[workbench.here().name, workbench.here().device]") == ["demo", "cpu"]
    assert say(kernel, "workbench.here().url") == "http://demo.localhost:23456/lab"
    assert say(kernel, "workbench.here().status()['workbench']['image']") == "p-notebook:ada"
    assert say(kernel, "workbench.here().logs(1)") == ["second"]
    assert say(kernel, "workbench.here().stats()") == {"cpu": 0.5, "memory": 1000}
    assert "Engine   docker 20.10.24" in kernel.run("workbench.here()").ok()


def test_verbs_reach_the_agent_and_its_refusals_come_back(host: Host, kernel: Kernel) -> None:
    kernel.run("workbench.here().restart()").ok()
    assert asked(host)["verb"] == "restart"
    refused = kernel.run("workbench.here().rebuild()")
    assert refused.error == "Refused: It cannot be built. Free some space."
    # The reason, and not where in our code it was raised.
    assert refused.traceback == ["Refused: It cannot be built. Free some space."]


def test_a_panel_is_displayed_once_in_every_form(host: Host, kernel: Kernel) -> None:
    assert kernel.run("shown = workbench.panel()").ok().count("Workbench demo") == 1
    assert kernel.run("shown = workbench.panel()\nshown").ok().count("Workbench demo") == 1
    assert kernel.run("workbench.panel()").ok().count("Workbench demo") == 1
    assert kernel.run("shown").ok().count("Workbench demo") == 1
    bundle = say(kernel, "shown._repr_mimebundle_()")
    assert list(bundle) == [
        "application/vnd.workbench.panel+json",
        "application/vnd.jupyter.widget-view+json",
        "text/html",
        "text/plain",
    ]
    assert bundle["application/vnd.workbench.panel+json"] == {"version": 1, "name": "demo"}


def test_a_panel_without_an_agent_says_what_to_do(kernel: Kernel) -> None:
    assert "workbench panel --repair" in kernel.run("workbench.panel()").ok()


def test_a_panel_outside_of_a_workbench_says_what_to_do(kernel: Kernel) -> None:
    kernel.run("import os; os.environ['JUPYTER_RUNTIME_DIR'] = '/nowhere'").ok()
    assert "run-notebook" in kernel.run("workbench.panel()").ok()
    assert kernel.run("workbench.here()").error.startswith("NotHere: This code does not run in a workbench.")


def test_a_notebook_changes_its_own_kernel_where_both_are_there(host: Host, server: Serving, kernel: Kernel) -> None:
    # Without waiting, for the kernel that has itself replaced cannot answer.
    kernel.begin("workbench.here().set_device('gpu')")
    sessions = lambda: server.jupyter.call("GET", "api/sessions")  # noqa: E731
    wait_for(lambda: [each["kernel"]["name"] for each in sessions()] == ["python3-gpu"])
    assert not any(each["verb"] in wire.LIFE for each in host.asked.queue)
    with Kernel(server.jupyter, sessions()[0]["kernel"]["id"]) as other:
        other.run("import workbench").ok()
        assert say(other, "workbench.here().device") == "gpu"


def program(kernel: Kernel, *lines: str, folder: Path | None = None) -> str:
    """What a program says that a kernel starts, in an isolated Python with `folder` before all else."""
    first = f"import sys; sys.path.insert(0, {str(folder)!r})" if folder else ""
    argv = f"[sys.executable, '-I', '-c', {chr(10).join([first, *lines])!r}]"
    started = f"subprocess.run({argv}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)"
    return kernel.run(f"import subprocess, sys; print({started}.stdout)").ok()


def test_a_program_that_is_no_notebook_asks_the_agent_for_a_device(host: Host, kernel: Kernel) -> None:
    code = "import workbench; here = workbench.here(); print(here.device); here.set_device('gpu')"
    assert program(kernel, code).split() == ["cpu"]
    request = asked(host)
    assert (request["verb"], request["args"]) == ("set_device", {"device": "gpu"})


ACTION = {"verb": "rebuild", "device": None, "phase": "building", "text": "building", "can_cancel": True}


def test_a_widget_follows_and_can_be_linked_and_observed(host: Host, kernel: Kernel) -> None:
    kernel.run("from ipywidgets import ToggleButtons, link; panel = workbench.Panel(); seen = []").ok()
    kernel.run("buttons = ToggleButtons(options=['cpu', 'gpu']); link((panel, 'device'), (buttons, 'value'))").ok()
    kernel.run("panel.observe(lambda change: seen.append((change.name, change.new)), ['action', 'device'])").ok()
    assert say(kernel, "[panel.device, buttons.value, panel.action]") == ["cpu", "cpu", None]

    host.tell(wire.event("action", action=ACTION, last=None))
    become(kernel, "panel.action and panel.action['verb']", "rebuild")
    host.tell(wire.event("action", action={**ACTION, "verb": "set_device", "device": "gpu"}, last=None))
    become(kernel, "buttons.value", "gpu")
    host.tell(wire.event("action", action=None, last=None))
    become(kernel, "[panel.device, panel.action]", ["cpu", None])
    assert say(kernel, "[new for name, new in seen if name == 'device']") == ["gpu", "cpu"]
    # It was told of all that, and has asked for nothing.
    assert not any(each["verb"] in wire.LIFE for each in host.asked.queue)


def test_a_widget_is_a_name_in_copies_and_lets_go_when_it_is_closed(host: Host, kernel: Kernel) -> None:
    assert kernel.run("panels = [workbench.Panel() for _ in range(5)]; panels[0]").ok() == "Workbench panel of demo\n"
    threads = "[each.name for each in threading.enumerate()].count('workbench-panel')"
    kernel.run("import threading").ok()
    assert say(kernel, threads) == 5
    kernel.run("for panel in panels: panel.close()").ok()
    become(kernel, threads, 0)


def test_a_device_that_cannot_be_had_leaves_a_widget_as_it_is(kernel: Kernel) -> None:
    said = program(
        kernel,
        "import workbench",
        "panel = workbench.Panel()",
        "try: panel.device = 'gpu'",
        "except workbench.Refused as error: print(panel.device, error.code)",
    )
    assert said.split() == ["cpu", "no_agent"]


class Page:
    """What a page of a notebook does with a widget, over the kernel's channels."""

    def __init__(self, server: Serving, kernel: Kernel, model: str) -> None:
        self._model, self._session = model, uuid.uuid4().hex
        address = f"ws{server.jupyter.api_url[4:]}api/kernels/{kernel.id}/channels?session_id={self._session}"
        header = [f"Authorization: token {server.jupyter.token}"]
        self._socket = websocket.create_connection(address, header=header, timeout=PATIENCE, http_no_proxy=["*"])

    def __enter__(self) -> "Page":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, **data: Any) -> None:
        """A message to the widget."""
        header = {"msg_id": uuid.uuid4().hex, "msg_type": "comm_msg", "session": self._session, "version": "5.3"}
        content = {"comm_id": self._model, "data": data}
        message = {"header": {**header, "username": ""}, "parent_header": {}, "metadata": {}, "content": content}
        self._socket.send(json.dumps({**message, "channel": "shell"}))

    def hear(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The next message of the widget that is wanted."""
        while True:
            message = json.loads(self._socket.recv())
            if message["header"]["msg_type"] == "comm_msg" and message["content"]["comm_id"] == self._model:
                data: dict[str, Any] = message["content"]["data"]
                if wanted(data):
                    return data


def test_a_page_asks_through_a_widget(host: Host, server: Serving, kernel: Kernel) -> None:
    kernel.run("panel = workbench.Panel()").ok()
    with Page(server, kernel, say(kernel, "panel.model_id")) as page:

        def ask(verb: str, **arguments: Any) -> Any:
            page.send(method="custom", content={"id": verb, "verb": verb, "args": arguments})
            return page.hear(lambda data: data["method"] == "custom")["content"]

        assert ask("logs", tail=1) == {"id": "logs", "ok": True, "result": {"lines": ["second"]}}
        assert ask("restart") == {"id": "restart", "ok": True, "result": {"accepted": True}}
        refused = {"code": "refused", "message": "It cannot be built.", "hint": "Free some space."}
        assert ask("rebuild") == {"id": "rebuild", "ok": False, "error": refused}
        assert ask("format_disk")["error"]["code"] == "unknown_verb"
        assert ask("logs", file="/etc/passwd")["ok"] is False
        assert ask("set_device", device="tpu")["ok"] is False


def test_numbers_move_only_while_a_page_shows_them(host: Host, server: Serving, kernel: Kernel) -> None:
    kernel.run("shown = workbench.panel(); import threading").ok()
    model = say(kernel, "shown._repr_mimebundle_()['application/vnd.jupyter.widget-view+json']['model_id']")
    threads = "[each.name for each in threading.enumerate()].count('workbench-panel')"
    assert say(kernel, threads) == 0
    with Page(server, kernel, model) as page:
        page.send(method="update", state={"_view_count": 1}, buffer_paths=[])
        moments = {page.hear(_of_state)["state"]["state"]["usage"]["at"] for _ in range(3)}
        assert len(moments) > 1
        page.send(method="update", state={"_view_count": 0}, buffer_paths=[])
        become(kernel, threads, 0)


def _of_state(data: dict[str, Any]) -> bool:
    return data["method"] == "update" and "state" in data["state"]


def test_what_runs_in_kernels_is_there_without_the_rest(kernel: Kernel, tmp_path: Path) -> None:
    """As in an image: nothing of the host's side, and no package but Python's own."""
    package = Path(workbench.__file__).parent
    (tmp_path / "workbench").mkdir()
    for part in ("__init__.py", "notebook"):
        (tmp_path / "workbench" / part).symlink_to(package / part)
    said = program(
        kernel,
        "sys.path = [each for each in sys.path if 'site-packages' not in each]",
        "import workbench",
        "print(workbench.here().name, workbench.panel())",
        "for name in ('launch', 'Panel'):",
        "    try: getattr(workbench, name)",
        "    except ImportError as error: print(error)",
        folder=tmp_path,
    )
    assert "demo Workbench demo" in said
    assert "for the machine that has the engine" in said
    assert "pip install anywidget" in said
