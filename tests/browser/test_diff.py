"""`workbench diff` in Chromium: nbdime's page shows what has changed, to this machine only, and ends with it."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Page, expect, sync_playwright
from support.person import MakePerson, Person
from support.require import require

GIT = {f"GIT_{who}_{what}": "a@localhost" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


@pytest.fixture
def page() -> Iterator[Page]:
    options = ["--disable-gpu"] + (["--no-sandbox"] if os.geteuid() == 0 else [])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=require("chromium"), args=options)
        yield browser.new_page()
        browser.close()


def write(path: Path, source: str) -> None:
    cell: dict[str, object] = {
        "cell_type": "code",
        "id": "a",
        "metadata": {},
        "outputs": [],
        "source": source,
        "execution_count": None,
    }
    path.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))


def commit(me: Person, project: Path) -> None:
    me.run("git", "add", "-A", cwd=project).ok()
    me.run("git", "commit", "-qm", "some", cwd=project, env=GIT).ok()


@pytest.mark.parametrize("revisions", [[], ["main"], ["HEAD~1", "main"]], ids=" ".join)
def test_the_page_shows_the_change(page: Page, somebody: MakePerson, revisions: list[str]) -> None:
    me = somebody("local")
    project = me.project()
    me.run("git", "init", "-q", "-b", "main", cwd=project).ok()
    (project / "main").mkdir()  # a revision's name, which is also that of a file
    book = project / "ships [1].ipynb"
    write(book, "ships = 2")
    commit(me, project)
    write(book, "ships = 3")
    if len(revisions) == 2:
        commit(me, project)

    running = me.start("workbench", "diff", "--no-browser", book.name, *revisions, cwd=project)
    assert running.stdout
    address = running.stdout.readline().strip()
    server = psutil.Process(running.pid).children(recursive=True)
    listens = {each.laddr.ip for process in server for each in process.net_connections() if each.status == "LISTEN"}
    assert listens == {"127.0.0.1"}

    page.goto(address)
    changed = page.locator(".jp-Cell-diff")
    expect(changed).to_contain_text("ships = 2")
    expect(changed).to_contain_text("ships = 3")
    page.get_by_role("button", name="Close tool").click()
    me.wait(running, timeout=20).ok()
    assert not psutil.wait_procs(server, timeout=10)[1]


def test_ctrl_c_leaves_no_server(somebody: MakePerson) -> None:
    me = somebody("local")
    project = me.project()
    me.run("git", "init", "-q", cwd=project).ok()
    write(project / "a.ipynb", "1")
    commit(me, project)
    write(project / "a.ipynb", "2")
    running = me.start("workbench", "diff", "--no-browser", "a.ipynb", cwd=project)
    assert running.stdout
    assert running.stdout.readline().startswith("http://127.0.0.1:")
    server = psutil.Process(running.pid).children(recursive=True)
    running.terminate()
    me.wait(running, timeout=20).ok()
    assert server and not psutil.wait_procs(server, timeout=10)[1]
