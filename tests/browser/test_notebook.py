"""The printed URL in Chromium: run a cell that imports the project, edit its source on the host, see the change."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright
from support.person import MakePerson, Person, Workbench
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


def run_cell(page: Page, code: str, answer: str) -> None:
    """Type into the last cell, run it, and wait for its output."""
    editor = page.locator(".jp-Notebook .jp-CodeCell .cm-content").last
    editor.click()
    page.keyboard.insert_text(code)
    page.keyboard.press("Shift+Enter")
    output = page.locator(".jp-OutputArea-output", has_text=re.compile(answer)).last
    expect(output).to_be_visible(timeout=MINUTE)


@pytest.mark.parametrize("engine", ["docker", "local"])
def test_edit_on_the_host_is_seen_in_the_notebook(engine: str, page: Page, somebody: MakePerson) -> None:
    me = somebody(engine)
    project = me.project("hatchling-src")
    bench = me.launch(project)
    open_notebook(page, bench, me)

    run_cell(page, "import harbour; print(harbour.ships(['Beagle'])); print('first', harbour.__version__)", "first 2.1")
    source = project / "src/harbour/__init__.py"
    source.write_text(source.read_text().replace('"2.1"', '"2.2"'))
    run_cell(page, "import importlib; importlib.reload(harbour); print('then', harbour.__version__)", "then 2.2")
    picture(page, f"notebook-{engine}.png")


def open_notebook(page: Page, bench: Workbench, me: Person) -> None:
    """Open the printed URL and a fresh notebook from the launcher, as a person does."""
    page.goto(bench.url)
    card = page.locator('.jp-LauncherCard[data-category="Notebook"]').first
    expect(card).to_be_visible(timeout=MINUTE)
    picture(page, f"launcher-{me.engine.name}.png")
    card.click()
    expect(page.locator(".jp-Notebook .jp-CodeCell .cm-content").last).to_be_visible(timeout=MINUTE)
    idle = page.locator('.jp-NotebookPanel-toolbar .jp-Notebook-ExecutionIndicator[data-status="idle"]')
    expect(idle.first).to_be_attached(timeout=MINUTE)
