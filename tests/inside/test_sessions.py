"""Sessions come back under their ids: for tabs that wait, and after an end that was not in order."""

import json
import signal
import stat
from pathlib import Path
from typing import Any

import pytest
from serving import Serving, free_port, serving, wait_for
from support.kernel import Kernel
from test_kernels import make

from workbench.inside.sessions import FILE, Kept, read

NAMES = ("one.ipynb", "folder/two.ipynb", "three.ipynb")
NOTEBOOK = json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
BACK = {"returning": True}
WHERE = "import os; print(os.path.basename(os.getcwd()), repr(os.environ.get('CUDA_VISIBLE_DEVICES')))"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with three notebooks."""
    for name in NAMES:
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(NOTEBOOK)
    return tmp_path / "project"


def start(project: Path, delivery: dict[str, Any] | None = None, **told: str) -> Any:
    """A server that keeps sessions."""
    folder = project.parent
    keep = {"WORKBENCH_KEEP": str(folder / "state" / "keep"), "WORKBENCH_INSTALL": ""}
    return serving(folder, free_port(), project, delivery=delivery, **{**keep, **told})


def kept(project: Path) -> Kept:
    return read(project.parent / "state" / "keep" / FILE)


def open_all(server: Serving, project: Path, kernelspec: str = "python3") -> dict[str, tuple[str, str]]:
    """Open a session for each notebook; path -> ids of session and kernel."""
    for name in NAMES:
        wanted = {"kernel": {"name": kernelspec}, "name": Path(name).name, "path": name, "type": "notebook"}
        server.jupyter.call("POST", "api/sessions", wanted)
    wait_for(lambda: {session.path for session in kept(project).sessions} == set(NAMES), 60)
    return ids(server)


def ids(server: Serving) -> dict[str, tuple[str, str]]:
    sessions = server.jupyter.call("GET", "api/sessions")
    return {session["path"]: (session["id"], session["kernel"]["id"]) for session in sessions}


def run(server: Serving, id: str, code: str = WHERE) -> str:
    with Kernel(server.jupyter, id) as kernel:
        return kernel.run(code).ok().strip()


def test_open_notebooks_find_their_kernels_on_the_newly_selected_device(project: Path) -> None:
    with start(project) as server:
        before = open_all(server, project)
        assert server.end() == 0
    told = {"WORKBENCH_GPUS": "0", "WORKBENCH_DEVICE": "gpu"}
    with start(project, BACK, **told) as server:
        assert ids(server) == before
        assert run(server, before["one.ipynb"][1]) == "project '0'"
        assert run(server, before["folder/two.ipynb"][1]) == "folder '0'"
        assert {kernel["name"] for kernel in server.jupyter.call("GET", "api/kernels")} == {"python3"}
        assert server.end() == 0
        assert "did not come back" not in server.log


def test_a_kernel_of_a_device_that_is_gone_comes_back_on_the_selected_one(project: Path) -> None:
    with start(project, WORKBENCH_GPUS="0") as server:
        before = open_all(server, project, "python3-gpu")
        assert server.end() == 0
    with start(project, BACK) as server:
        assert ids(server) == before
        assert run(server, before["three.ipynb"][1]) == "project ''"


def test_after_an_ordinary_stop_nothing_comes_back(project: Path) -> None:
    with start(project) as server:
        open_all(server, project)
        assert server.end() == 0
    with start(project) as server:
        assert ids(server) == {}
        assert kept(project).sessions == ()


def test_after_a_crash_all_comes_back(project: Path) -> None:
    with start(project) as server:
        before = open_all(server, project)
        assert server.end(signal.SIGKILL) != 0
    with start(project) as server:
        assert ids(server) == before
        assert run(server, before["one.ipynb"][1]) == "project ''"


def test_what_is_kept_follows_the_sessions_and_is_private(project: Path) -> None:
    with start(project) as server:
        before = open_all(server, project)
        server.jupyter.call("DELETE", f"api/sessions/{before['one.ipynb'][0]}")
        moved = {"path": "other.ipynb", "name": "other.ipynb"}
        server.jupyter.call("PATCH", f"api/sessions/{before['three.ipynb'][0]}", moved)
        wait_for(
            lambda: {session.path for session in kept(project).sessions} == {"folder/two.ipynb", "other.ipynb"}, 60
        )
        file = project.parent / "state" / "keep" / FILE
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_notebook_that_is_gone_and_a_kernel_that_cannot_start_are_left_out(project: Path, tmp_path: Path) -> None:
    spec = tmp_path / "home" / ".local" / "share" / "jupyter" / "kernels" / "broken" / "kernel.json"
    spec.parent.mkdir(parents=True)
    spec.write_text(json.dumps({"argv": ["true"], "display_name": "Broken", "language": "python"}))
    with start(project) as server:
        before = open_all(server, project)
        assert server.end() == 0
    file = project.parent / "state" / "keep" / FILE
    document = json.loads(file.read_text())
    next(each for each in document["sessions"] if each["path"] == "three.ipynb")["spec"] = "broken"
    file.write_text(json.dumps(document))
    spec.write_text(json.dumps({"argv": ["/nowhere/python"], "display_name": "Broken", "language": "python"}))
    (project / "one.ipynb").unlink()
    with start(project, BACK) as server:
        wait_for(lambda: "the kernel of three.ipynb did not come back" in server.log, 60)
        wait_for(lambda: ids(server) == {"folder/two.ipynb": before["folder/two.ipynb"]}, 60)
        assert run(server, before["folder/two.ipynb"][1]) == "folder ''"
        assert server.log.count("did not come back") == 1


@pytest.mark.parametrize("content", ["", "[]", "{", '{"sessions": [{"id": 1}], "in_order": false}', '{"sessions": 1}'])
def test_a_server_starts_whatever_the_file_holds(project: Path, content: str) -> None:
    file = project.parent / "state" / "keep" / FILE
    file.parent.mkdir(parents=True)
    file.write_text(content)
    with start(project, BACK) as server:
        assert ids(server) == {}


def test_the_port_answers_before_the_live_install_ends_and_knows_the_kernels(project: Path, tmp_path: Path) -> None:
    with start(project) as server:
        before = open_all(server, project)
        assert server.end() == 0
    go = tmp_path / "go"
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "slow"\nbackend-path = ["."]\n'
        '[project]\nname = "slow"\nversion = "1"\n'
    )
    (project / "slow.py").write_text(
        f"import os, time\nwhile not os.path.exists({str(go)!r}):\n    time.sleep(0.1)\nraise SystemExit(1)\n"
    )
    env = make(tmp_path / "env")
    told = {"WORKBENCH_INSTALL": "1", "WORKBENCH_ENV": str(env)}
    with start(project, BACK, **told) as server:
        assert ids(server) == before
        kernels = server.jupyter.call("GET", "api/kernels")
        assert {kernel["execution_state"] for kernel in kernels} == {"starting"}
        go.touch()
        assert run(server, before["one.ipynb"][1]) == "project ''"
