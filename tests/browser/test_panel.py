"""The panel in JupyterLab, with real workbenches: live numbers, the device, and pages that outlive their server."""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Error, Locator, Page, expect, sync_playwright
from support.person import MakePerson, Person, Workbench
from support.require import require
from user.test_devices import with_gpu

from browser.test_notebook import MINUTE, OPTIONS, notebook, picture, run_cell

CELLS = ("ship = 'Beagle'; print('on', ship)", "from workbench import panel; panel()", "!nvidia-smi -L")
DIALOGS = """
window.dialogs = [];
new MutationObserver((changes) => changes.forEach((change) => change.addedNodes.forEach((node) => {
  if (node.classList?.contains("jp-Dialog")) window.dialogs.push(node.innerText);
}))).observe(document, { childList: true, subtree: true });
"""
"""JavaScript: remembers every dialog of JupyterLab's that there ever was, however briefly."""


@pytest.fixture
def page() -> Iterator[Page]:
    options = OPTIONS + (["--no-sandbox"] if os.geteuid() == 0 else [])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=require("chromium"), args=options)
        context = browser.new_context(viewport={"width": 1280, "height": 1000})
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        context.add_init_script(DIALOGS)
        page = context.new_page()
        page.set_default_timeout(MINUTE)
        expect.set_options(timeout=MINUTE)
        yield page
        expect.set_options(timeout=5000)
        browser.close()


def begin(page: Page, me: Person, *options: str) -> tuple[Workbench, Locator]:
    """A workbench with a stand-in GPU, a notebook open in it, and the panel in the sidebar."""
    project = me.project()
    me.write(project / "ships.ipynb", notebook(*CELLS))
    bench = me.launch(project, *options, env=with_gpu(me))
    visit(page, bench, "ships.ipynb")
    page.get_by_role("tab", name="Workbench").click()
    return bench, page.locator("#workbench-panel")


def visit(page: Page, bench: Workbench, name: str) -> None:
    """Open a notebook in a fresh page that has our panel.

    Chromium breaks off what it loads, our own script included, when a network interface comes or goes, as with each
    container of other tests: then once more.
    """
    for left in (2, 1, 0):
        try:
            page.goto(bench.url)
            page.locator(".jp-DirListing-item", has_text=name).dblclick()
            expect(page.get_by_text("| Idle").or_(page.locator(".jp-Dialog")).first).to_be_visible()
            if not page.locator(".jp-Dialog").count() and page.get_by_role("tab", name="Workbench").count():
                return
        except Error as error:
            if "ERR_NETWORK_CHANGED" not in str(error) or not left:
                raise
    raise AssertionError(f"dialogs: {dialogs(page)}, tabs: {page.get_by_role('tab').all_inner_texts()}")


def again(me: Person, bench: Workbench) -> None:
    me.launch(bench.project, env=with_gpu(me))


def kernel(page: Page) -> Locator:
    return page.locator(".jp-NotebookPanel-toolbar .jp-KernelName")


def switch(page: Page, device: str) -> Locator:
    return page.locator(".jp-NotebookPanel-toolbar").get_by_role("radio", name=device)


def confirm(panel: Locator, verb: str) -> None:
    panel.get_by_role("button", name=verb, exact=True).click()
    panel.get_by_role("alertdialog").get_by_role("button", name=verb).click()


def moves(panel: Locator) -> None:
    """The numbers of a panel go on."""
    curve = panel.locator("[data-gauge=CPU] .wb-curve")
    expect(curve).to_have_attribute("d", re.compile("M"))
    expect(curve).not_to_have_attribute("d", str(curve.get_attribute("d")))


def dialogs(page: Page) -> list[str]:
    found: list[str] = page.evaluate("dialogs")
    return found


@pytest.mark.parametrize("engine", ["docker", "local"])
def test_the_sidebar_shows_what_is(engine: str, page: Page, somebody: MakePerson) -> None:
    me = somebody(engine)
    bench, panel = begin(page, me)
    expect(panel.get_by_role("heading", name=bench.project.name)).to_be_visible()
    expect(panel.locator("header")).to_contain_text("Running for")
    moves(panel)
    expect(panel.locator("[data-gauge=Memory]")).to_contain_text(re.compile(r"\d+ MB"))
    expect(panel.locator("[data-gauge=GPU]")).to_contain_text("%")
    kernels = panel.get_by_role("region", name="Kernels")
    expect(kernels).to_contain_text("ships.ipynb")
    page.locator(".jp-Notebook .jp-CodeCell").first.locator(".cm-content").click()
    page.keyboard.press("Control+A")
    page.keyboard.type("while True: pass")
    page.keyboard.press("Shift+Enter")
    expect(kernels).to_contain_text("busy")
    expect(panel.locator("[data-gauge=CPU]")).to_contain_text(re.compile(r"[2-9]\d %"))
    page.get_by_role("button", name="Interrupt the kernel").click()
    expect(kernels).to_contain_text("idle")
    if engine == "docker":
        expect(panel.get_by_role("region", name="More")).to_contain_text(f":{bench.port} → 8888")

    me.write(bench.project / "requirements.txt", "iniconfig==2.1.0\n")
    expect(panel.get_by_role("status")).to_contain_text("requirements.txt")
    expect(panel.get_by_role("status")).to_contain_text("Rebuild applies it.")
    page.reload()
    moves(panel)
    assert dialogs(page) == []


def test_the_output_outlives_its_kernel_and_the_page(page: Page, somebody: MakePerson) -> None:
    _, _ = begin(page, somebody("local"))
    run_cell(page, 1, "Usage")
    shown = page.locator(".jp-OutputArea-output .wb-panel")
    moves(shown)
    switch(page, "GPU").click()
    expect(kernel(page)).to_have_text("Python (GPU)")
    expect(switch(page, "GPU")).to_be_checked()
    expect(shown.get_by_role("radio", name="GPU")).to_be_checked()
    moves(shown)
    shown.get_by_role("radio", name="CPU").click()
    expect(kernel(page)).to_have_text("Python (CPU)")
    page.keyboard.press("Control+S")
    page.reload()
    moves(shown)
    assert dialogs(page) == []


@pytest.mark.parametrize("engine", ["docker", "local"])
def test_a_restart_asks_once_and_the_page_goes_on(engine: str, page: Page, somebody: MakePerson) -> None:
    _, panel = begin(page, somebody(engine))
    run_cell(page, 0, "on Beagle")
    confirm(panel, "Restart")
    expect(page.locator(".jp-toastContainer")).to_contain_text("Restarting")
    expect(panel.get_by_role("status")).to_contain_text("Restarted.")
    expect(page.get_by_text("| Idle")).to_be_visible()
    run_cell(page, 0, "on Beagle")
    expect(page.locator(".jp-CodeCell .jp-InputPrompt").first).to_have_text("[1]:")
    moves(panel)
    assert dialogs(page) == []


def test_a_container_is_made_anew_with_the_gpu_and_without(page: Page, somebody: MakePerson) -> None:
    _, panel = begin(page, somebody("docker"), "--cpu")
    switch(page, "GPU").click()
    page.locator(".jp-Dialog").get_by_role("button", name="Move to the GPU").click()
    expect(kernel(page)).to_have_text("Python (GPU)")
    expect(page.get_by_text("| Idle")).to_be_visible()
    run_cell(page, 2, "GPU 0: ")
    expect(panel.locator(".wb-gpu").first).to_contain_text("GB")
    picture(page, "panel-gpu.png")
    # Two such actions do not follow each other within ten seconds.
    release = panel.get_by_role("button", name="Release the GPU")
    expect(panel.get_by_role("status")).to_contain_text("On the GPU now.")
    expect(panel.get_by_text("On the GPU now.")).to_be_hidden()
    release.click()
    panel.get_by_role("alertdialog").get_by_role("button", name="Release the GPU").click()
    expect(kernel(page)).to_have_text("Python (CPU)")
    expect(page.get_by_text("| Idle")).to_be_visible()
    expect(release).to_be_hidden()
    # The one that asked.
    assert len(dialogs(page)) == 1


def test_a_stop_is_said_and_a_start_takes_the_page_up_again(page: Page, somebody: MakePerson) -> None:
    me = somebody("local")
    bench, panel = begin(page, me)
    confirm(panel, "Stop")
    dialog = page.locator(".jp-Dialog")
    expect(dialog).to_contain_text("The workbench has been stopped")
    expect(dialog.locator("code")).to_have_text("run-notebook")
    again(me, bench)
    expect(dialog).to_have_count(0)
    expect(page.get_by_text("| Idle")).to_be_visible()
    run_cell(page, 0, "on Beagle")
    assert len(dialogs(page)) == 1


def test_a_server_that_dies_is_said_in_our_words(page: Page, somebody: MakePerson) -> None:
    me = somebody("local")
    bench, _ = begin(page, me)
    for process in [
        psutil.Process(int(bench.container)),
        *psutil.Process(int(bench.container)).children(recursive=True),
    ]:
        process.send_signal(signal.SIGKILL)
    dialog = page.locator(".jp-Dialog")
    expect(dialog).to_contain_text("The workbench does not answer")
    expect(dialog).to_contain_text(f"workbench logs {bench.name}")
    again(me, bench)
    expect(dialog).to_have_count(0)
    expect(page.get_by_text("| Idle")).to_be_visible()
    assert len(dialogs(page)) == 1


def test_the_log_and_the_address(page: Page, somebody: MakePerson) -> None:
    bench, panel = begin(page, somebody("local"))
    panel.get_by_role("button", name="Logs").click()
    log = panel.get_by_role("log")
    expect(log).to_contain_text("serving")
    page.evaluate("fetch('/api/contents/no-such-file-anywhere')")
    expect(log).to_contain_text("no-such-file-anywhere")
    panel.get_by_role("button", name="Copy", exact=True).click()
    expect(panel.get_by_role("button", name="Copied")).to_be_visible()
    assert "no-such-file-anywhere" in page.evaluate("navigator.clipboard.readText()")
    panel.get_by_role("button", name="Copy URL").click()
    expect(panel.get_by_role("button", name="Copied").first).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == bench.url.partition("?")[0]


def test_a_notebook_from_elsewhere_opens_beside_two_kernels(page: Page, somebody: MakePerson) -> None:
    me = somebody("local")
    project = me.project()
    me.write(project / "elsewhere.ipynb", notebook(*CELLS, kernel="conda-env-elsewhere-py"))
    visit(page, me.launch(project, env=with_gpu(me)), "elsewhere.ipynb")
    expect(kernel(page)).to_have_text("Python (CPU)")
    assert dialogs(page) == []


def test_without_a_gpu_no_notebook_has_a_switch(page: Page, somebody: MakePerson) -> None:
    if Path("/dev/nvidiactl").exists():
        pytest.skip("this machine has a GPU to be had")
    me = somebody("local")
    project = me.project()
    me.write(project / "ships.ipynb", notebook(*CELLS))
    visit(page, me.launch(project), "ships.ipynb")
    page.get_by_role("tab", name="Workbench").click()
    panel = page.locator("#workbench-panel")
    gpu = panel.get_by_role("radio", name="GPU")
    expect(gpu).to_have_attribute("aria-disabled", "true")
    expect(panel.get_by_role("region", name="Device")).to_contain_text("NVIDIA")
    expect(switch(page, "GPU")).to_be_hidden()
