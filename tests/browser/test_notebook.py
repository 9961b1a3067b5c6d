"""The printed URL in Chromium: run a cell that imports the project, edit its source on the host, see the change."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from inside.serving import TOKEN, Serving, free_port, serving
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


def notebook(*cells: str, kernel: str = "python3") -> str:
    """The text of a notebook with these code cells, as it was saved with a Python kernel of this name."""
    parts: list[dict[str, object]] = [
        {"cell_type": "code", "id": f"cell-{number}", "metadata": {}, "source": code, "outputs": []}
        for number, code in enumerate(cells)
    ]
    for part in parts:
        part["execution_count"] = None
    spec = {"name": kernel, "display_name": kernel, "language": "python"}
    metadata = {"kernelspec": spec, "language_info": {"name": "python"}}
    return json.dumps({"cells": parts, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})


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
    expect(page.get_by_text("| Idle")).to_be_visible(timeout=MINUTE)


@pytest.mark.parametrize(
    ("gpus", "kernel"),
    [("", "conda-env-elsewhere-py"), ("", "python3-gpu"), ("all", "python3"), ("all", "python3-gpu")],
)
def test_a_notebook_from_elsewhere_opens_without_a_question(gpus: str, kernel: str, page: Page, tmp_path: Path) -> None:
    asks = "import os; print('cuda', os.environ.get('CUDA_VISIBLE_DEVICES', 'unset'))"
    (tmp_path / "elsewhere.ipynb").write_text(notebook(asks, kernel=kernel))
    on_gpu = gpus and kernel == "python3-gpu"
    with serving(tmp_path / "server", free_port(), tmp_path, WORKBENCH_GPUS=gpus) as server:
        page.goto(lab(server, "/tree/elsewhere.ipynb"))
        expect(page.get_by_text("Python (GPU) | Idle" if on_gpu else "Python (CPU) | Idle")).to_be_visible(
            timeout=MINUTE
        )
        run_cell(page, 0, "cuda unset" if on_gpu else "cuda")
        assert page.locator(".jp-Dialog").count() == 0


def test_both_kernels_can_be_told_apart(page: Page, tmp_path: Path) -> None:
    (tmp_path / "one.ipynb").write_text(notebook("1", kernel="python3"))
    with serving(tmp_path / "server", free_port(), tmp_path, WORKBENCH_GPUS="all") as server:
        page.goto(lab(server))
        for title, spec in (("Python (CPU)", "python3"), ("Python (GPU)", "python3-gpu")):
            logo = page.locator(f'.jp-LauncherCard[data-category="Notebook"][title^="{title}"] img')
            expect(logo).to_have_attribute("src", re.compile(rf"/kernelspecs/{spec}/logo-svg\.svg"))
            assert logo.evaluate("logo => logo.decode().then(() => logo.naturalWidth)") > 0
        picture(page, "launcher.png")
        open_notebook(page, "one.ipynb")
        page.locator(".jp-NotebookPanel .jp-KernelName").click()
        offered = page.locator('.jp-Dialog optgroup[label^="Start"] option')
        expect(offered).to_have_text(["Python (CPU)", "Python (GPU)"])


def lab(server: Serving, page: str = "") -> str:
    return f"http://demo.localhost:{server.port}/lab{page}?token={TOKEN}"
