"""Which server a program in a workbench belongs to."""

import json
import os
from pathlib import Path

import pytest

from workbench.notebook.api import here
from workbench.notebook.client import NotHere
from workbench.notebook.find import Server, find_server, kernel_id

TOLD = {"port": 8888, "base_url": "/", "token": "secret", "hostname": "box", "url": "http://box:8888/"}


def write(folder: Path, pid: int, **more: object) -> None:
    (folder / f"jpserver-{pid}.json").write_text(json.dumps({**TOLD, **more}))


def test_a_kernel_finds_the_server_that_started_it(tmp_path):
    write(tmp_path, 1, port=1)
    write(tmp_path, 2, port=2, base_url="/lab/", token="other")
    found = find_server({"JUPYTER_RUNTIME_DIR": str(tmp_path), "JPY_PARENT_PID": "2"})
    assert found == Server("127.0.0.1", 2, "/lab/", "other")


def test_a_program_that_was_told_no_process_finds_the_server_that_started_last(tmp_path):
    folder = tmp_path / "jupyter"
    folder.mkdir()
    for pid, moment in ((1, 100), (2, 300), (3, 200)):
        write(folder, pid, port=pid)
        os.utime(folder / f"jpserver-{pid}.json", (moment, moment))
    found = find_server({"WORKBENCH_RUN": str(tmp_path)})
    assert found and found.port == 2


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"port": "x", "base_url": "/", "token": "t"}'])
def test_a_file_that_is_half_written_is_passed_over(tmp_path, content):
    (tmp_path / "jpserver-1.json").write_text(content)
    assert find_server({"JUPYTER_RUNTIME_DIR": str(tmp_path)}) is None
    write(tmp_path, 2)
    assert find_server({"JUPYTER_RUNTIME_DIR": str(tmp_path)}) is not None


def test_there_is_none_outside_of_a_workbench(tmp_path):
    assert find_server({}) is None
    assert find_server({"JUPYTER_RUNTIME_DIR": str(tmp_path / "gone"), "JPY_PARENT_PID": "1"}) is None
    assert kernel_id() is None


def test_a_token_is_not_printed():
    assert "secret" not in repr(Server("127.0.0.1", 1, "/", "secret"))


def test_outside_of_a_workbench_it_is_said_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    with pytest.raises(NotHere, match="run-notebook"):
        here()
