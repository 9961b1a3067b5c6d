"""A workbench on the second machine in JupyterLab here: its panel, and a tab whose link is cut."""

import json
import shutil
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from support.dock import alone, dock
from support.person import MakePerson, Person, Workbench

from browser.test_notebook import notebook, picture, run_cell
from browser.test_panel import CELLS, confirm, dialogs, moves, page, visit

__all__ = ["page"]
pytestmark = pytest.mark.xdist_group("dock")


@pytest.fixture
def away(somebody: MakePerson) -> Iterator[tuple[Person, Workbench]]:
    person = somebody("docker", normal=True)
    with alone() as there, there.online():
        env = {**there.give_ssh(person), "DOCKER_HOST": None, "WORKBENCH_ENGINE": None}
        project = person.project("notebooks-only", name="away")
        person.write(project / "ships.ipynb", notebook(*CELLS))
        try:
            yield person, person.launch(project, "--dock", "dock", env=env)
        finally:
            person.run("workbench", "rm", "--force", "--copy", cwd=project, env=env)
            shutil.rmtree(there.home(person) / ".local", ignore_errors=True)


def test_the_panel_and_a_tab_whose_link_is_cut(page: Page, away: tuple[Person, Workbench]) -> None:
    _, bench = away
    visit(page, bench, "ships.ipynb")
    run_cell(page, 0, "on Beagle")
    page.get_by_role("tab", name="Workbench").click()
    panel = page.locator("#workbench-panel")
    expect(panel.locator("header")).to_contain_text("dock")
    moves(panel)
    picture(page, "dock-panel.png")
    with dock().cut():
        time.sleep(15)  # the link is given up after 6 s of silence, and the page waits 5 s before it says so
        picture(page, "dock-cut.png")
    assert len(dialogs(page)) == 1
    assert "goes on there" in dialogs(page)[0]
    expect(page.locator(".jp-Dialog")).to_have_count(0)
    # The kernel never noticed: its variable is there.
    page.locator(".jp-Notebook .jp-CodeCell").first.locator(".cm-content").click()
    page.keyboard.press("Control+A")
    page.keyboard.type("print('still on', ship)")
    deadline = time.monotonic() + 60
    while "still on Beagle" not in page.locator(".jp-Notebook").inner_text():
        assert time.monotonic() < deadline, dialogs(page)
        page.keyboard.press("Control+Enter")
        page.wait_for_timeout(2000)
    picture(page, "dock-again.png")
    # What was saved in the tab is here.
    page.keyboard.press("Control+s")
    book = bench.project / "ships.ipynb"
    deadline = time.monotonic() + 60
    while "still on" not in json.dumps(json.loads(book.read_text())):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    # And the copies for review.
    while not (bench.project / ".diffs/ships.py").exists():
        assert time.monotonic() < deadline
        time.sleep(0.2)
    confirm(panel, "Restart")
    moves(panel)
