"""`workbench.Panel` in Chromium: the panel as a widget among others, with a real server, kernel and relay."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from inside.hosting import Host, hosting
from inside.serving import TOKEN, Serving, free_port, serving
from playwright.sync_api import Page, expect

from browser.test_notebook import MINUTE, notebook, open_notebook, page, picture, run_cell
from workbench.inside import wire

__all__ = ["page"]
CELLS = (
    "import workbench; from ipywidgets import HTML, VBox, dlink\npanel, note = workbench.Panel(), HTML()\n"
    "dlink((panel, 'device'), (note, 'value'), lambda device: f'on {device}')\nVBox([note, panel])",
    "workbench.panel()",
)


def answers(message: wire.Message) -> wire.Message:
    if message["verb"] == "set_device":
        return wire.refusal(message["id"], "refused", "The GPU is somebody else's.", "Wait for it.")
    return wire.reply(message["id"], {"accepted": True})


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Serving, Host]]:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "home").mkdir()
    (root / "a.ipynb").write_text(notebook(*CELLS))
    with serving(tmp_path, free_port(), root) as found:
        gpu = {"possible": True, "why": ""}
        with hosting(found.run, answers, gpu=gpu) as host:
            yield found, host


def test_a_widget_is_live_and_asks_and_is_told(page: Page, server: tuple[Serving, Host]) -> None:
    found, host = server
    page.goto(f"http://127.0.0.1:{found.port}/lab?token={TOKEN}")
    open_notebook(page, "a.ipynb")
    run_cell(page, 0, "on cpu")
    panel = page.locator(".jp-OutputArea .jupyter-widgets .wb-panel")
    expect(panel).to_contain_text("Running for", timeout=MINUTE)
    curve = panel.locator("[data-gauge=Memory] .wb-curve")
    expect(curve).to_have_attribute("d", re.compile("M"), timeout=MINUTE)
    expect(curve).not_to_have_attribute("d", str(curve.get_attribute("d")), timeout=MINUTE)

    panel.get_by_role("button", name="Restart", exact=True).click()
    panel.get_by_role("alertdialog").get_by_role("button", name="Restart").click()
    while (request := host.asked.get(timeout=60))["verb"] != "restart":
        assert request["verb"] not in wire.LIFE

    panel.get_by_role("radio", name="GPU").click()
    panel.get_by_role("alertdialog").get_by_role("button", name=re.compile("GPU")).click()
    expect(panel).to_contain_text("The GPU is somebody else's.", timeout=MINUTE)
    expect(page.locator(".jp-OutputArea").get_by_text("on cpu")).to_be_visible()
    picture(page, "panel-widget.png")

    action = {"verb": "set_device", "device": "gpu", "phase": "building", "text": "building: 3/7", "since": 1.0}
    host.tell(wire.event("action", action={**action, "done": 3, "total": 7, "can_cancel": True}, last=None))
    expect(panel).to_contain_text("building: 3/7", timeout=MINUTE)
    expect(page.locator(".jp-OutputArea").get_by_text("on gpu")).to_be_visible(timeout=MINUTE)


def test_where_our_extension_is_a_panel_is_no_widget(page: Page, server: tuple[Serving, Host]) -> None:
    found, _ = server
    page.goto(f"http://127.0.0.1:{found.port}/lab?token={TOKEN}")
    open_notebook(page, "a.ipynb")
    run_cell(page, 0, "on cpu")
    run_cell(page, 1, "Running for")
    cell = page.locator(".jp-Notebook .jp-CodeCell").nth(1)
    expect(cell.locator(".wb-panel")).to_have_count(1, timeout=MINUTE)
    expect(cell.locator(".jupyter-widgets")).to_have_count(0)
