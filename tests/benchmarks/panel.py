"""The panel at length: `python3 tests/benchmarks/panel.py [--switches 30] [--moves 30] [--minutes 10]`.

Needs what the browser tests need (Docker with a GPU or its stand-ins, Chromium), in the same variables. A real page in
Chromium switches a notebook's kernel between CPU and GPU, has the container made anew with and without the GPU, and
then looks on while nothing happens. What must hold each time is asserted; times and sizes are printed.
"""

import argparse
import statistics
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

import psutil
from browser import test_panel as steps
from playwright.sync_api import Locator, Page, expect
from support.engines import engine
from support.person import Person, Workbench, person


def main() -> None:
    """Run the parts that were asked for, one after the other, in one workbench."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--switches", type=int, default=30, help="changes of the kernel")
    parser.add_argument("--moves", type=int, default=30, help="changes of the container")
    parser.add_argument("--minutes", type=float, default=10, help="minutes of rest")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="p-"))
    with contextmanager(steps.page.__wrapped__)() as page, person(folder, engine("docker")) as me:
        bench, panel = steps.begin(page, me)
        url, id = page.url, me.containers()[0].id
        print(told("kernel switched", [switched(page, number) for number in range(options.switches)]))
        assert [each.id for each in me.containers()] == [id]
        assert steps.dialogs(page) == []
        print(told("container made anew", [moved(page, panel, me, bench, url) for _ in range(options.moves)]))
        rest(me, bench, options.minutes * 60)


def switched(page: Page, number: int) -> float:
    """Seconds from a click on the toolbar's switch to an idle kernel of the other environment."""
    device = ("GPU", "CPU")[number % 2]
    begun = time.monotonic()
    steps.switch(page, device).click()
    expect(steps.kernel(page)).to_have_text(f"Python ({device})")
    expect(page.get_by_text("| Idle")).to_be_visible()
    seconds = time.monotonic() - begun
    steps.run_cell(page, 0, "on Beagle")
    return seconds


def moved(page: Page, panel: Locator, me: Person, bench: Workbench, url: str) -> float:
    """Seconds from the yes to an idle kernel in the new container, with the GPU if the old one had none."""
    release = panel.get_by_role("button", name="Release the GPU")
    expect(panel.get_by_role("status").get_by_text("now.")).to_be_hidden()
    before = me.containers()[0].id
    if release.is_visible():
        device = "CPU"
        release.click()
        asked = panel.get_by_role("alertdialog").get_by_role("button", name="Release the GPU")
    else:
        device = "GPU"
        panel.get_by_role("radio", name="GPU").click()
        asked = panel.get_by_role("alertdialog").get_by_role("button", name="Move to the GPU")
    page.evaluate("dialogs.length = 0")
    asked.click()
    begun = time.monotonic()
    expect(panel.get_by_role("status")).to_contain_text(f"On the {device} now.")
    expect(steps.kernel(page)).to_have_text(f"Python ({device})")
    expect(page.get_by_text("| Idle")).to_be_visible()
    seconds = time.monotonic() - begun
    steps.run_cell(page, 0, "on Beagle")
    (container,) = me.containers()
    (listed,) = me.listed()
    assert container.id != before
    assert (listed["port"], listed["token"], page.url) == (bench.port, bench.token, url)
    assert steps.dialogs(page) == [], steps.dialogs(page)
    return seconds


def rest(me: Person, bench: Workbench, seconds: float) -> None:
    """What agent, relay and server use with the panel open and nobody at work."""
    found = {"agent": agent(me), **inside(bench)}
    begun, before = time.monotonic(), {name: use(each) for name, each in found.items()}
    time.sleep(seconds)
    passed = time.monotonic() - begun
    for name, each in found.items():
        (cpu, memory), (cpu_now, memory_now) = before[name], use(each)
        share, growth = (cpu_now - cpu) / passed, memory_now - memory
        print(f"{name}: {share:.2%} of a core, {memory_now / 1e6:.0f} MB, {growth / 1e6:+.1f} MB in {passed:.0f} s")


def agent(me: Person) -> psutil.Process:
    (found,) = [each for each in me.processes() if "workbench.agent" in each.cmdline()]
    return found


def inside(bench: Workbench) -> dict[str, psutil.Process]:
    """Server and relay of the container, as this machine sees them."""
    found = {}
    for process in psutil.process_iter():
        try:
            words, own = process.cmdline(), process.environ().get("WORKBENCH_NAME") == bench.name
        except psutil.Error:
            continue
        for name in ("server", "relay"):
            if own and f"workbench.inside.{name}" in words:
                found[name] = process
    return found


def use(process: psutil.Process) -> tuple[float, int]:
    """Seconds of CPU so far, and bytes of memory of its own."""
    times = process.cpu_times()
    return times.user + times.system, process.memory_full_info().uss


def told(what: str, seconds: list[float]) -> str:
    if not seconds:
        return f"{what}: not tried"
    middle, longest = statistics.median(seconds), max(seconds)
    return f"{what} {len(seconds)} times: median {middle:.1f} s, longest {longest:.1f} s"


if __name__ == "__main__":
    main()
