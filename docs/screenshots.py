"""Make the pictures in `docs/images`: `python docs/screenshots.py [path of Chromium]`.

Launches a workbench of a small project, with services beside it, by `run-notebook`, and leaves nothing behind. Needs
Playwright, and a container engine with Compose.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Locator, Page, expect, sync_playwright
from screen import session

IMAGES = Path(__file__).parent / "images"
MINUTE = 60_000
IMAGE = "python:3.11-slim-bookworm"
COMPOSE = f"""
services:
  results:
    image: {IMAGE}
    init: true
    command: ["python3", "-m", "http.server", "8000", "--directory", "/srv"]
    depends_on: {{db: {{condition: service_healthy}}}}
  db:
    image: {IMAGE}
    init: true
    command: ["python3", "-uc", "print('ready to serve'); import time; time.sleep(100_000)"]
    healthcheck: {{test: ["CMD", "true"], interval: 1s}}
"""
PROJECT = """
[tool.workbench.services.db]

[tool.workbench.services.results]
web = { port = 8000, title = "Results" }
restart = true
"""
PLOT = """
import matplotlib.pyplot as plt
import numpy as np

hours = np.linspace(0, 28 * 24, 4000)
moon, sun = 1.2 * np.cos(2 * np.pi * hours / 12.42), 0.45 * np.cos(2 * np.pi * hours / 12.0)
plt.figure(figsize=(7.4, 3.1))
plt.plot(hours / 24, moon + sun, linewidth=0.8)
plt.xlabel("days")
plt.title("Height of the tide, in metres");
"""
WORK = "heights = bytearray(900_000_000)\nsum(number * number for number in range(40_000_000))"
CELLS = ("from workbench import panel\n\npanel()", "%pip install -q tabulate==0.9.0", WORK)


def main(chromium: str | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder, "tides")
        project.mkdir()
        (project / "tides.ipynb").write_text(notebook(PLOT.strip()))
        (project / "panel.ipynb").write_text(notebook(*CELLS))
        (project / "requirements.txt").write_text("matplotlib\n")
        (project / "compose.yaml").write_text(COMPOSE)
        (project / "pyproject.toml").write_text(PROJECT)
        try:
            session((("run-notebook", "-d"), ("workbench", "services")), project, IMAGES / "terminal.svg")
            [bench] = (each for each in listed() if each["project"] == str(project))
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
                take(browser.new_page(viewport={"width": 1280, "height": 800}), bench["url"], project)
                browser.close()
        finally:
            for bench in (each for each in listed() if each["project"] == str(project)):
                subprocess.run(["workbench", "rm", "-f", bench["name"]], check=True)
            subprocess.run(["workbench", "services", "down"], cwd=project, check=True)


def listed() -> list[dict[str, str]]:
    said = subprocess.run(["workbench", "ps", "--json"], check=True, capture_output=True, text=True).stdout
    found: list[dict[str, str]] = json.loads(said)
    return found


def take(page: Page, url: str, project: Path) -> None:
    page.set_default_timeout(MINUTE)
    page.goto(url)
    visit(page, "tides.ipynb")
    page.get_by_role("tab", name="Workbench").click()
    run(page, 0)
    expect(page.locator(".jp-OutputArea img")).to_be_visible(timeout=MINUTE)
    page.get_by_role("tab", name="File Browser").click()
    # A history worth a curve.
    page.wait_for_timeout(45_000)
    widen(page, 320)
    page.set_viewport_size({"width": 1280, "height": 900})
    page.screenshot(path=IMAGES / "jupyterlab.png")
    services = page.locator("#workbench-panel").get_by_role("region", name="Services")
    services.screenshot(path=IMAGES / "services.png")
    page.get_by_role("tab", name="File Browser").click()
    visit(page, "panel.ipynb")
    for number in range(len(CELLS)):
        run(page, number)
    page.get_by_role("tab", name="File Browser").click()
    page.wait_for_timeout(60_000)
    page.set_viewport_size({"width": 1280, "height": 940})
    widen(page, 300)
    show_top(page)
    page.screenshot(path=IMAGES / "panel.png")
    (project / "requirements.txt").write_text("matplotlib\nhumanize\n")
    expect(page.locator("#workbench-panel .wb-notices")).to_contain_text("requirements.txt", timeout=MINUTE)
    for width, theme in ((300, "Light"), (420, "Dark")):
        widen(page, width)
        use(page, theme)
        show_top(page)
        page.locator("#workbench-panel").screenshot(path=IMAGES / f"panel-{theme.lower()}-{width}.png")


def visit(page: Page, name: str) -> None:
    page.locator(".jp-DirListing-item", has_text=name).dblclick()
    expect(page.get_by_text("| Idle")).to_be_visible(timeout=MINUTE)
    expect(shown(page).locator(".jp-CodeCell").first).to_be_visible(timeout=MINUTE)


def run(page: Page, number: int) -> None:
    shown(page).locator(".jp-CodeCell").nth(number).locator(".cm-content").click()
    page.keyboard.press("Control+Enter")


def shown(page: Page) -> Locator:
    return page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")


def use(page: Page, theme: str) -> None:
    page.get_by_role("menuitem", name="Settings").click()
    page.get_by_text("Theme", exact=True).first.click()
    page.get_by_text(f"JupyterLab {theme}", exact=True).first.click()
    expect(page.locator("body")).to_have_attribute("data-jp-theme-name", f"JupyterLab {theme}", timeout=MINUTE)
    # It lies over the page until the theme is there.
    expect(page.locator("#jupyterlab-splash")).to_have_count(0, timeout=MINUTE)


def widen(page: Page, width: int) -> None:
    """Make the sidebar this wide, as with the mouse."""
    now, edge = page.locator("#workbench-panel").evaluate("node => [node.clientWidth, node.getBoundingClientRect().x]")
    page.mouse.move(edge - 2, 400)
    page.mouse.down()
    page.mouse.move(edge - 2 - (width - now), 400, steps=4)
    page.mouse.up()


def show_top(page: Page) -> None:
    """Scroll back what the last click has scrolled."""
    shown(page).locator(".jp-CodeCell").first.scroll_into_view_if_needed()
    page.locator("#workbench-panel").evaluate(
        "node => [node, ...node.querySelectorAll('*')].forEach(each => { each.scrollTop = 0; })"
    )


def notebook(*cells: str) -> str:
    empty: dict[str, object] = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    made = [{**empty, "id": f"cell-{number}", "source": source} for number, source in enumerate(cells)]
    spec = {"name": "python3", "display_name": "Python", "language": "python"}
    return json.dumps({"cells": made, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5})


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
