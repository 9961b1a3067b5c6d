"""Make the pictures of the panel in `docs/images`: `python docs/screenshots.py [path of Chromium]`.

Launches a workbench of a small project with `run-notebook`, and leaves nothing behind. Needs Playwright.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

IMAGES = Path(__file__).parent / "images"
MINUTE = 60_000
WORK = "heights = bytearray(900_000_000)\nsum(number * number for number in range(40_000_000))"
CELLS = ("from workbench import panel\n\npanel()", "%pip install -q tabulate==0.9.0", WORK)


def main(chromium: str | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder, "tides")
        project.mkdir()
        (project / "tides.ipynb").write_text(notebook(*CELLS))
        (project / "requirements.txt").write_text("iniconfig==2.1.0\n")
        launched = subprocess.run(
            ["run-notebook", "-d", "--json"], cwd=project, check=True, capture_output=True, text=True
        )
        bench = json.loads(launched.stdout)
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
                take(browser.new_page(viewport={"width": 1280, "height": 900}), bench["url"], project)
                browser.close()
        finally:
            subprocess.run(["workbench", "rm", "-f", bench["name"]], check=True)


def take(page: Page, url: str, project: Path) -> None:
    page.set_default_timeout(MINUTE)
    page.goto(url)
    page.locator(".jp-DirListing-item", has_text="tides.ipynb").dblclick()
    expect(page.get_by_text("| Idle")).to_be_visible(timeout=MINUTE)
    page.get_by_role("tab", name="Workbench").click()
    for number in (0, 1, 2):
        page.locator(".jp-Notebook .jp-CodeCell").nth(number).locator(".cm-content").click()
        page.keyboard.press("Control+Enter")
    page.get_by_role("tab", name="File Browser").click()
    # A history worth a curve.
    page.wait_for_timeout(60_000)
    widen(page, 300)
    page.screenshot(path=IMAGES / "panel.png")
    (project / "requirements.txt").write_text("iniconfig==2.0.0\n")
    expect(page.locator("#workbench-panel .wb-notices")).to_contain_text("requirements.txt", timeout=MINUTE)
    for width in (300, 420):
        widen(page, width)
        for theme in ("Dark", "Light"):
            use(page, theme)
            page.locator("#workbench-panel").screenshot(path=IMAGES / f"panel-{theme.lower()}-{width}.png")


def use(page: Page, theme: str) -> None:
    page.get_by_role("menuitem", name="Settings").click()
    page.get_by_text("Theme", exact=True).first.click()
    page.get_by_text(f"JupyterLab {theme}", exact=True).first.click()
    expect(page.locator("body")).to_have_attribute("data-jp-theme-name", f"JupyterLab {theme}", timeout=MINUTE)


def widen(page: Page, width: int) -> None:
    """Make the sidebar this wide, as with the mouse."""
    now, edge = page.locator("#workbench-panel").evaluate("node => [node.clientWidth, node.getBoundingClientRect().x]")
    page.mouse.move(edge - 2, 400)
    page.mouse.down()
    page.mouse.move(edge - 2 - (width - now), 400, steps=4)
    page.mouse.up()


def notebook(*cells: str) -> str:
    empty = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    made = [{**empty, "id": f"cell-{number}", "source": source} for number, source in enumerate(cells)]
    spec = {"name": "python3", "display_name": "Python", "language": "python"}
    return json.dumps({"cells": made, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5})


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
