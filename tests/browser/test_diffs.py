"""Copies of notebooks follow what a person does in JupyterLab: type and save, save as, copy, rename, delete, new."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from support.person import MakePerson, Workbench

from browser.test_notebook import MINUTE, notebook, open_notebook, page, picture

__all__ = ["page"]
AUTOSAVE = "lab/api/settings/@jupyterlab/docmanager-extension:plugin"


@pytest.mark.parametrize("engine", ["docker", "local"])
def test_copies_follow_what_a_person_does(engine: str, page: Page, somebody: MakePerson) -> None:
    me = somebody(engine)
    project = me.project(name="review")
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python"}}
    me.write(project / "a.ipynb", json.dumps({**json.loads(notebook("x = 1")), "metadata": kernel}))
    bench = me.launch(project)
    autosave_soon(bench)
    page.goto(bench.url)
    open_notebook(page, "a.ipynb")

    type_at_the_end(page, "23")
    page.keyboard.press("Control+s")
    wait_for(lambda: script(project / "a.ipynb") == "# %%\nx = 123\n")
    type_at_the_end(page, "4")  # and no Ctrl-S
    wait_for(lambda: script(project / "a.ipynb") == "# %%\nx = 1234\n")

    page.keyboard.press("Control+Shift+s")
    answer(page, "b.ipynb", button="Save")
    wait_for(lambda: script(project / "b.ipynb") == "# %%\nx = 1234\n")

    expect(file(page, "b.ipynb")).to_be_visible()  # from then on the list stands still
    file(page, "a.ipynb").click()
    page.keyboard.press("F2")
    page.locator(".jp-DirListing-editor").fill("c.ipynb")
    page.keyboard.press("Enter")
    expect(file(page, "c.ipynb")).to_be_visible()
    wait_for(lambda: names(project) == both("b", "c"))

    choose(page, "c.ipynb", "Duplicate")
    wait_for(lambda: names(project) == both("b", "c", "c-Copy1"))

    file(page, "c.ipynb").click()
    page.keyboard.press("Delete")
    page.locator(".jp-Dialog").get_by_role("button", name=re.compile("Trash|Delete")).click()
    wait_for(lambda: names(project) == both("b", "c-Copy1"))

    choose(page, "b.ipynb", "New Notebook")
    wait_for(lambda: names(project) == both("b", "c-Copy1", "Untitled"))
    picture(page, f"diffs-{engine}.png")


def autosave_soon(bench: Workbench) -> None:
    """Have JupyterLab save by itself after two seconds, not after two minutes."""
    bench.jupyter.call("PUT", AUTOSAVE, {"raw": '{"autosaveInterval": 2}'})


def type_at_the_end(page: Page, text: str) -> None:
    """Into the first cell of the notebook."""
    page.locator(".jp-Notebook .jp-CodeCell .cm-content").first.click()
    page.keyboard.press("Control+End")
    page.keyboard.type(text)


def file(page: Page, name: str) -> Locator:
    """An entry of the file browser."""
    return page.locator(".jp-DirListing-item").filter(has=page.get_by_text(name, exact=True))


def choose(page: Page, name: str, command: str) -> None:
    """A command of the menu of a file."""
    file(page, name).click(button="right")
    page.locator(".lm-Menu-item", has_text=command).first.click()


def answer(page: Page, text: str, *, button: str) -> None:
    """What a dialog asks for."""
    dialog = page.locator(".jp-Dialog")
    dialog.locator("input").fill(text)
    dialog.get_by_role("button", name=button).click()
    expect(dialog).to_be_hidden(timeout=MINUTE)


def script(notebook: Path) -> str:
    copy = notebook.parent / ".diffs" / f"{notebook.stem}.py"
    return copy.read_text() if copy.exists() else ""


def names(project: Path) -> set[str]:
    return {path.name for path in (project / ".diffs").iterdir()}


def both(*stems: str) -> set[str]:
    return {f"{stem}{end}" for stem in stems for end in (".py", ".html")}


def wait_for(true: Callable[[], bool], patience: float = 60.0) -> None:
    end = time.monotonic() + patience
    while not true():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.1)
