"""The printed URL in Chromium: run a cell that imports the project, edit its source on the host, see the change."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright
from support.person import MakePerson
from support.require import require

OPTIONS = ["--disable-gpu", "--disable-background-networking", "--no-first-run"]
MINUTE = 60_000


@pytest.fixture
def page() -> Iterator[Page]:
    options = OPTIONS + (["--no-sandbox"] if os.geteuid() == 0 else [])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=require("chromium"), args=options)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(MINUTE)
        yield page
        browser.close()


def picture(page: Page, name: str) -> None:
    folder = os.environ.get("WORKBENCH_TEST_OUTPUT")
    if folder:
        page.screenshot(path=Path(folder) / name)


CELLS = (
    "import harbour; print(harbour.ships(['Beagle'])); print('first', harbour.__version__)",
    "import importlib; importlib.reload(harbour); print('then', harbour.__version__)",
)


def notebook(*cells: str) -> str:
    """The text of a notebook with these code cells."""
    parts: list[dict[str, object]] = [
        {"cell_type": "code", "id": f"cell-{number}", "metadata": {}, "source": code, "outputs": []}
        for number, code in enumerate(cells)
    ]
    for part in parts:
        part["execution_count"] = None
    return json.dumps({"cells": parts, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def run_cell(page: Page, number: int, answer: str) -> None:
    """Run a cell, and wait for its output."""
    cell = page.locator(".jp-Notebook .jp-CodeCell").nth(number)
    cell.locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")
    expect(cell.locator(".jp-OutputArea-output")).to_contain_text(answer, timeout=MINUTE)


@pytest.mark.parametrize("engine", ["docker", "local"])
def test_edit_on_the_host_is_seen_in_the_notebook(engine: str, page: Page, somebody: MakePerson) -> None:
    me = somebody(engine)
    project = me.project("hatchling-src")
    me.write(project / "ships.ipynb", notebook(*CELLS))
    bench = me.launch(project)
    page.goto(bench.url)
    open_notebook(page, "ships.ipynb")

    run_cell(page, 0, "first 2.1")
    source = project / "src/harbour/__init__.py"
    source.write_text(source.read_text().replace('"2.1"', '"2.2"'))
    run_cell(page, 1, "then 2.2")
    picture(page, f"notebook-{engine}.png")


def open_notebook(page: Page, name: str) -> None:
    """Open a notebook from the file browser, as a person does, and wait for its kernel."""
    page.locator(".jp-DirListing-item", has_text=name).dblclick()
    choice = page.locator(".jp-Dialog", has_text="Select Kernel").get_by_role("button", name="Select")
    status = page.get_by_text("| Idle")
    expect(choice.or_(status).first).to_be_visible(timeout=MINUTE)
    if choice.is_visible():  # the notebook names no kernel
        choice.click()
    expect(status).to_be_visible(timeout=MINUTE)
