"""What goes wrong with copies: the save succeeds, no other request waits, one warning says it, the next copies come."""

import base64
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from inside.diffs.projects import Project, both, notebook, started, workers
from inside.serving import Serving, wait_for
from support.require import require

PLAIN = (sys.executable, str(Path(__file__).parent / "plain_worker.py"))
LIMIT = 4
PATIENT = 1.0
"""Seconds that a request may take on a busy machine; a server that waits for a conversion takes longer."""


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A server with the real worker."""
    folder = tmp_path_factory.mktemp("real")
    with started(folder, folder / "project") as server:
        yield server


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A server with a worker that obeys notebooks, and has little time."""
    folder = tmp_path_factory.mktemp("plain")
    options = [f"--ReviewableCopies.worker={word}" for word in PLAIN]
    with started(folder, folder / "project", f"--ReviewableCopies.limit={LIMIT}", *options) as server:
        yield server


def a_folder(server: Serving, request: pytest.FixtureRequest) -> Project:
    return Project(server, server.run.parent / "project", f"{abs(hash(request.node.name)):x}")


@contextmanager
def nobody_waits(server: Serving) -> Iterator[None]:
    """Fails when a small request has to wait meanwhile."""
    worst, end = [0.0], threading.Event()

    def ask() -> None:
        while not end.wait(0.02):
            begun = time.monotonic()
            assert server.status("/api") == 200
            worst.append(time.monotonic() - begun)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield
    finally:
        end.set()
        asking.join()
    assert len(worst) > 3 and max(worst) < PATIENT


def warns(project: Project, name: str, why: str) -> None:
    """There is one warning about a notebook, here and there, and the next notebook gets its copies."""
    path = project.path(name)
    wait_for(lambda: path in project.state()["warnings"], patience=60)
    assert why in project.state()["warnings"][path]
    assert project.server.log.count(f"{path} is saved, but") == 1
    (project.folder / "fine").mkdir(exist_ok=True)
    project.save("fine/next.ipynb", f"'{why}'")
    wait_for(lambda: project.script("fine/next.ipynb") != "", patience=60)
    assert len(workers(project.server)) == 1


BROKEN = {
    "no JSON": (b'{"cells": [', "not JSON"),
    "no notebook": (b"[1, 2]", "no cells"),
    "not UTF-8": (b'{"cells": [], "x": "\xff\xfe"}', "not UTF-8"),
    "nothing": (b"", "not JSON"),
    "from the future": (b'{"cells": [], "nbformat": 9}', "format 9"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_notebook(real: Serving, request: pytest.FixtureRequest, kind: str) -> None:
    content, why = BROKEN[kind]
    project = a_folder(real, request)
    with nobody_waits(real):
        upload(project, "a.ipynb", content)
        warns(project, "a.ipynb", why)
    assert (project.folder / "a.ipynb").read_bytes() == content
    project.save("a.ipynb", "x = 1")
    wait_for(lambda: project.path("a.ipynb") not in project.state()["warnings"])
    wait_for(lambda: project.script("a.ipynb") == "# %%\nx = 1\n")


def upload(project: Project, name: str, content: bytes) -> None:
    """As somebody drops a file on the file browser."""
    body = {"type": "file", "format": "base64", "content": base64.b64encode(content).decode()}
    project.server.jupyter.call("PUT", project.url(name), body)


def test_a_notebook_of_format_3(real: Serving, request: pytest.FixtureRequest) -> None:
    cell = {"cell_type": "code", "input": ["print 'old'"], "language": "python", "outputs": [], "metadata": {}}
    old = {"metadata": {"name": "a"}, "nbformat": 3, "nbformat_minor": 0, "worksheets": [{"cells": [cell]}]}
    project = a_folder(real, request)
    upload(project, "a.ipynb", json.dumps(old).encode())
    wait_for(lambda: "print 'old'" in project.script("a.ipynb"))
    assert json.loads((project.folder / "a.ipynb").read_bytes()) == old


def test_a_notebook_of_100_megabytes(real: Serving, request: pytest.FixtureRequest) -> None:
    picture = base64.b64encode(b"\x89PNG\r\n\x1a\n" + os.urandom(1_000_000)).decode()
    cells = [notebook(f"x = {number}", image=picture)["cells"][0] for number in range(75)]
    big = json.dumps({**notebook(""), "cells": cells}).encode()
    assert len(big) > 100_000_000
    project = a_folder(real, request)
    upload(project, "a.ipynb", big)
    with nobody_waits(real):
        wait_for(lambda: "x = 74" in project.script("a.ipynb"), patience=60)
    assert project.state()["warnings"] == {}


@pytest.mark.parametrize(
    ("source", "why"), [("HANG", f"more than {LIMIT} s"), ("END", "code 3"), ("FAIL", "ValueError")]
)
def test_a_conversion_that_goes_wrong(plain: Serving, request: pytest.FixtureRequest, source: str, why: str) -> None:
    project = a_folder(plain, request)
    with nobody_waits(plain):
        project.save("a.ipynb", source)
        warns(project, "a.ipynb", why)


def test_a_worker_that_is_killed(real: Serving, request: pytest.FixtureRequest) -> None:
    project = a_folder(real, request)
    project.save("a.ipynb", "x = 1")
    wait_for(lambda: project.script("a.ipynb") != "")
    for process in workers(real):
        process.kill()
    project.save("a.ipynb", "x = 2")
    wait_for(lambda: project.script("a.ipynb") == "# %%\nx = 2\n")
    assert project.path("a.ipynb") not in project.server.log


@contextmanager
def small_disk(folder: Path, *, full: bool, read_only: bool = False) -> Iterator[None]:
    """A small file system of its own at a folder."""
    require("user")  # which is there only where the set-up may do such things
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=0755", "tmpfs", folder], check=True)
    try:
        if full:
            room = os.statvfs(folder)
            (folder / "filling").write_bytes(b"0" * (room.f_bavail * room.f_frsize))
        if read_only:
            subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"full": True}, "No space left on device: a.html"),
        ({"full": False, "read_only": True}, "Read-only file system: a.html"),
    ],
    ids=["full", "read-only"],
)
def test_a_disk_without_room(real: Serving, request: pytest.FixtureRequest, options: dict[str, bool], why: str) -> None:
    project = a_folder(real, request)
    with small_disk(project.folder / ".diffs", **options), nobody_waits(real):
        project.save("a.ipynb")
        warns(project, "a.ipynb", why)
        assert project.copies() - {".diffs/filling"} == both("fine/next.ipynb")


def test_a_linked_folder_of_copies(real: Serving, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    project = a_folder(real, request)
    (project.folder / ".diffs").symlink_to(tmp_path)
    project.save("a.ipynb")
    warns(project, "a.ipynb", "links are not followed")
    project.delete("a.ipynb")
    wait_for(lambda: project.path("a.ipynb") not in project.state()["warnings"])
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_leads_out_of_the_project(real: Serving, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    project = a_folder(real, request)
    (project.folder / "out").symlink_to(tmp_path)
    project.save("out/a.ipynb")
    warns(project, "out/a.ipynb", "out of the project")
    assert not (tmp_path / ".diffs").exists()


def test_copies_come_back_once_there_is_room(real: Serving, request: pytest.FixtureRequest) -> None:
    project = a_folder(real, request)
    with small_disk(project.folder / ".diffs", full=True):
        project.save("a.ipynb")
        wait_for(lambda: project.path("a.ipynb") in project.state()["warnings"])
        (project.folder / ".diffs/filling").unlink()
        project.save("a.ipynb")
        wait_for(lambda: project.path("a.ipynb") not in project.state()["warnings"])
        assert both("a.ipynb") <= project.copies()
