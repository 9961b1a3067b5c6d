"""The server as an engine starts it: who may come in, what it tells its kernels, how it ends."""

import json
import signal
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import TOKEN, Serving, begin, deliver, free_port, serving, wait_for, wait_until_answering


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """One server for the tests that only ask."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "project").mkdir()
    delivery = {"env": {"COLOUR": "blue"}, "files": {"netrc": "machine example.org login a password b\n"}}
    with serving(folder, free_port(), folder / "project", delivery=delivery) as found:
        yield found


@pytest.mark.parametrize(
    ("host", "status"), [("evil.example", 403), ("demo.localhost", 200), ("localhost", 200), ("127.0.0.1", 200)]
)
def test_only_local_host_names_are_served(server: Serving, host: str, status: int) -> None:
    assert server.status("/api", Host=host) == status


def test_nothing_is_shown_without_the_token(server: Serving) -> None:
    assert server.status("/api/contents") == 403
    assert server.status("/lab") == 200  # the login page, to which it leads
    assert server.jupyter.call("GET", "api/contents")["type"] == "directory"


def test_the_token_is_in_no_log_and_in_no_environment(server: Serving) -> None:
    code = f"import os; print([k for k, v in os.environ.items() if '{TOKEN[:32]}' in v], os.environ['COLOUR'])"
    assert server.jupyter.run(code).strip() == "[] blue"
    environ = Path(f"/proc/{server.process.pid}/environ")
    command = Path(f"/proc/{server.process.pid}/cmdline")
    for text in (server.log, environ.read_text(), command.read_text()):
        assert TOKEN not in text


def test_what_was_delivered_is_private_and_the_delivery_is_gone(server: Serving) -> None:
    assert not (server.run / "delivery.json").exists()
    assert (server.run / "token").read_text() == TOKEN
    for name in ("token", "netrc"):
        assert stat.S_IMODE((server.run / name).stat().st_mode) == 0o600
    assert server.jupyter.run("import os; print(os.environ['NETRC'])").strip() == str(server.run / "netrc")


def test_there_is_one_python_kernel(server: Serving) -> None:
    specs = server.jupyter.call("GET", "api/kernelspecs")["kernelspecs"]
    assert {name: spec["spec"]["display_name"] for name, spec in specs.items()} == {"python3": "Python (CPU)"}
    assert {"logo-32x32", "logo-64x64", "logo-svg"} <= specs["python3"]["resources"].keys()


def test_a_terminal_can_be_opened(server: Serving) -> None:
    name = server.jupyter.call("POST", "api/terminals")["name"]
    assert name in [terminal["name"] for terminal in server.jupyter.call("GET", "api/terminals")]


@pytest.mark.parametrize(
    "option", ["--port=1", "--ip=0.0.0.0", "--IdentityProvider.token=", "--ServerApp.token=", "--ServerApp.base_url=/x"]
)
def test_options_that_open_the_server_are_refused(tmp_path: Path, option: str) -> None:
    server = begin(tmp_path, free_port(), tmp_path, WORKBENCH_OPTIONS=json.dumps([option]))
    deliver(server.run)
    assert server.process.wait(60) == 2
    assert "leave the option out" in server.log and "Traceback" not in server.log


def test_other_options_are_jupyters_own(tmp_path: Path) -> None:
    option = "--ContentsManager.allow_hidden=True"
    (tmp_path / ".hidden").mkdir()
    server = begin(tmp_path, free_port(), tmp_path, WORKBENCH_OPTIONS=json.dumps([option]))
    deliver(server.run)
    try:
        wait_until_answering(server)
        assert server.jupyter.call("GET", "api/contents/.hidden")["type"] == "directory"
    finally:
        assert server.end() == 0


def test_a_configuration_file_cannot_take_the_token_away(tmp_path: Path) -> None:
    config = tmp_path / "home" / ".jupyter"
    config.mkdir(parents=True)
    lines = ["c.IdentityProvider.token = ''", "c.PasswordIdentityProvider.token = ''", "c.ServerApp.port = 1"]
    (config / "jupyter_server_config.py").write_text("\n".join(lines))
    with serving(tmp_path, free_port(), tmp_path) as server:
        assert server.status("/api/contents") == 403


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_is_no_failure(tmp_path: Path, number: signal.Signals) -> None:
    with serving(tmp_path, free_port(), tmp_path) as server:
        assert server.end(number) == 0
        assert server.log.rstrip().endswith("workbench: stopped")


def test_a_stop_while_it_waits_for_the_delivery(tmp_path: Path) -> None:
    server = begin(tmp_path, free_port(), tmp_path)
    wait_for(lambda: (server.run / "share").exists())
    assert server.end() == 0


def test_a_save_is_finished_before_the_server_stops(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    cells = [{"cell_type": "raw", "id": f"c{n}", "metadata": {}, "source": "x" * 50_000} for n in range(400)]
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    with serving(tmp_path, free_port(), project) as server:
        body = {"type": "notebook", "content": notebook}
        sender = threading.Thread(target=server.jupyter.call, args=("PUT", "api/contents/big.ipynb", body))
        sender.start()
        wait_for(lambda: (project / "big.ipynb").exists())
        assert server.end() == 0
        sender.join()
    assert len(json.loads((project / "big.ipynb").read_text())["cells"]) == 400
    assert not list(project.glob(".~*"))


def test_a_notebook_cut_by_a_kill_is_put_right_at_the_start(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "cut.ipynb").write_text("")
    (project / ".~cut.ipynb").write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    with serving(tmp_path, free_port(), project) as server:
        wait_for(lambda: (project / "cut.ipynb").stat().st_size > 0)
        wait_for(lambda: "put back cut.ipynb" in server.log)
    assert not (project / ".~cut.ipynb").exists()


def test_a_missing_variable_is_named(tmp_path: Path) -> None:
    server = begin(tmp_path, 0, tmp_path, WORKBENCH_NAME="")
    assert server.process.wait(30) == 2
    assert "WORKBENCH_NAME" in server.log and "Traceback" not in server.log
