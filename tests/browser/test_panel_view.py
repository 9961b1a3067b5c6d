"""The panel's view in Chromium, given states that a workbench is seldom in: what it shows, and what it asks for."""

import json
import os
import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright
from support.panel import document, service
from support.require import require

from workbench.notebook.units import size

STATIC = Path(__file__).parents[2] / "workbench/notebook/labextensions/workbench/static"
BEGIN = """
async ([doc, width]) => {
  window.panel = await import("/panel.js");
  document.head.insertAdjacentHTML("beforeend", '<link rel="stylesheet" href="/panel.css">');
  document.body.replaceChildren(document.createElement("div"));
  document.body.firstElementChild.style.width = `${width}px`;
  const listeners = new Set();
  window.asked = [];
  window.tell = (doc, link = "online") => {
    Object.assign(window, { doc, link });
    listeners.forEach((listener) => listener());
  };
  window.refusal = null;
  window.lines = [];
  Object.assign(window, { doc, link: "online" });
  const source = {
    state: () => window.doc,
    link: () => window.link,
    subscribe: (listener) => (listeners.add(listener), () => listeners.delete(listener)),
    send: async (verb, args = {}) => {
      if (verb === "logs") return { lines: window.lines };
      if (verb === "service_logs") return { lines: (await window.logs)[args.service] };
      window.asked.push([verb, args]);
      if (window.refusal) throw window.refusal;
      return {};
    },
    notebook: () => ({ name: "tides.ipynb", device: "cpu" }),
    choose: async (device) => void window.asked.push(["choose", device]),
    save: async () => void window.asked.push(["save"]),
  };
  window.mounted = window.panel.mount(document.body.firstElementChild, source);
}
"""
GPU = {"index": 0, "name": "Stand-in A", "memory": 80_000_000_000, "memory_used": 1_000_000_000, "load": 0.25}
BOTH = {
    "selected": "cpu",
    "gpus": "all",
    "kernels": {"cpu": "python3", "gpu": "python3-gpu"},
    "possible": True,
    "why": "",
}
ACTION = {
    "verb": "rebuild",
    "device": "cpu",
    "phase": "building",
    "text": "building the image: 3/7",
    "done": 3,
    "total": 7,
    "since": 0.0,
    "can_cancel": True,
}


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(STATIC)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/panel.css"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    options = ["--disable-gpu"] + (["--no-sandbox"] if os.geteuid() == 0 else [])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=require("chromium"), args=options)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 900, "height": 1200})
    page.goto(address)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    yield page
    page.close()
    assert wrong == []


def show(page: Page, width: int = 300, **parts: Any) -> None:
    """A panel of this width, in this state."""
    page.evaluate(BEGIN, [document(**parts), width])


def change(page: Page, link: str = "online", **parts: Any) -> None:
    page.evaluate("([parts, link]) => tell({...doc, ...parts}, link)", [parts, link])


def asked(page: Page) -> list[Any]:
    found: list[Any] = page.evaluate("asked")
    return found


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def test_what_comes_from_elsewhere_is_text(page: Page) -> None:
    evil = "<img src=x onerror='window.hit=1'>`<b>`"
    kernel = {"id": "k", "name": evil, "display_name": evil, "state": evil, "path": evil, "device": "cpu"}
    known = {**document()["workbench"], "project": evil, "image": evil, "ports": [{"container": 1, "host": evil}]}
    show(
        page,
        workbench=known,
        kernels=[kernel],
        packages=[{"name": evil, "version": evil}],
        changes=[evil],
        gpus=[{**GPU, "name": evil}],
        agent={"connected": False, "why": evil, "hint": evil},
        diffs={"on": True, "last_written": None, "pending": 0, "warnings": {evil: evil}},
        services=[
            service(evil, title=evil, state=evil, health=evil, ports=[evil], web=True, path=evil, restart=True),
            service("..", state="running", health=evil, web=True, path="//evil.example/javascript:alert(1)"),
        ],
        last={"verb": evil, "device": None, "ok": False, "message": evil, "hint": evil, "at": 1.0},
    )
    page.evaluate("evil => window.lines = [evil]", evil)
    expect(page.get_by_role("heading", name="<img")).to_be_visible()
    page.evaluate("evil => window.logs = [[evil]]", evil)
    change(page, agent=document()["agent"])
    page.get_by_role("region", name="Services").get_by_role("button", name="Logs").first.click()
    expect(page.get_by_role("log")).to_have_text(evil)
    assert page.locator("img, b").count() == 0
    own = "http://tides-1a2b3c.localhost:23456/"
    assert all(link.startswith(own) for link in page.locator("a").evaluate_all("all => all.map((one) => one.href)"))
    assert page.evaluate("window.hit") is None


@pytest.mark.parametrize("width", [300, 420, 900])
def test_nothing_is_wider_than_the_panel(page: Page, width: int) -> None:
    long = "a-rather-long-name-" * 6
    known = {**document()["workbench"], "project": long, "image": long}
    kernel = {**document()["kernels"][0], "path": f"folder/{long}.ipynb"}
    beside = service(long, title=long, state="stopped", exit_code=137, ports=[f"127.0.0.1:{long}"], restart=True)
    parts = {"gpus": [{**GPU, "name": long}], "device": BOTH, "changes": [long], "services": [beside]}
    show(page, width, workbench=known, kernels=[kernel], **parts)
    press(page, "Restart")
    assert page.evaluate("document.querySelector('.wb-panel').scrollWidth") <= width


def test_without_an_agent_only_the_numbers_live(page: Page) -> None:
    lost = {"connected": False, "why": "Its agent has ended.", "hint": "`workbench panel --repair` starts it."}
    show(page, agent=lost)
    expect(page.get_by_role("status")).to_contain_text("Its agent has ended. workbench panel --repair starts it.")
    for name in ("Restart", "Rebuild", "Stop", "Logs"):
        button = page.get_by_role("button", name=name, exact=True)
        expect(button).to_have_attribute("aria-disabled", "true")
        button.click(force=True)
    assert page.get_by_role("alertdialog").count() == 0 and asked(page) == []
    change(page, usage={**document()["usage"], "memory": 456_000_000, "at": 2.0})
    expect(page.locator("[data-gauge=Memory]")).to_contain_text("456 MB")


def test_progress_and_cancel(page: Page) -> None:
    show(page, action=ACTION)
    bar = page.get_by_role("progressbar", name="Rebuilding")
    expect(bar).to_have_attribute("aria-valuenow", "3")
    expect(bar).to_have_attribute("aria-valuemax", "7")
    expect(page.get_by_role("button", name="Stop", exact=True)).to_have_attribute("aria-disabled", "true")
    press(page, "Cancel")
    assert asked(page) == [["cancel", {}]]
    change(page, action={**ACTION, "total": 0, "can_cancel": False})
    expect(bar).not_to_have_attribute("aria-valuenow", "3")
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    change(page, link="coming")
    expect(page.get_by_role("status")).to_contain_text("Rebuilding: waiting for the server")


@pytest.mark.parametrize(
    ("verb", "packages", "says"),
    [
        (
            "Restart",
            3,
            "1 kernel loses its variables. Notebooks are saved first. Packages installed by hand (3) are kept.",
        ),
        (
            "Rebuild",
            3,
            "1 kernel loses its variables. Notebooks are saved first. Packages installed by hand (3) are lost.",
        ),
        ("Stop", 0, "1 kernel loses its variables. Notebooks are saved first."),
    ],
)
def test_what_is_lost_is_said_first(page: Page, verb: str, packages: int, says: str) -> None:
    show(page, packages=[{"name": f"p{number}", "version": "1"} for number in range(packages)])
    press(page, verb)
    question = page.get_by_role("alertdialog")
    expect(question).to_contain_text(says)
    assert asked(page) == []
    question.get_by_role("button", name=verb, exact=True).click()
    expect(question).to_have_count(0)
    assert asked(page) == [["save"], [verb.lower(), {}]]


def test_the_device(page: Page) -> None:
    show(page)
    gpu = page.get_by_role("radio", name="GPU")
    gpu.click()
    press(page, "Move to the GPU")
    expect(page.get_by_role("alertdialog")).to_have_count(0)
    assert asked(page) == [["save"], ["set_device", {"device": "gpu"}]]
    change(page, device=BOTH, gpus=[GPU])
    gpu.click()
    assert asked(page)[2:] == [["choose", "gpu"]]
    expect(page.locator(".wb-gpu")).to_have_text("Stand-in A1.0 GB of 80.0 GB · 25 % busy")
    press(page, "Release the GPU")
    expect(page.get_by_role("alertdialog")).to_contain_text("without the GPU")
    none = {
        "selected": "cpu",
        "gpus": "",
        "kernels": {"cpu": "python3", "gpu": None},
        "possible": False,
        "why": "No driver.",
    }
    change(page, device=none, gpus=[])
    expect(gpu).to_have_attribute("aria-disabled", "true")
    expect(gpu).to_have_attribute("title", "No driver.")
    expect(page.get_by_role("region", name="Device")).to_contain_text("No driver.")


def test_a_refusal_is_shown_until_it_is_dismissed(page: Page) -> None:
    show(page)
    page.evaluate("window.refusal = {code: 'too_soon', message: 'Not so fast.', hint: 'Wait 10 s.'}")
    press(page, "Restart")
    page.get_by_role("alertdialog").get_by_role("button", name="Restart").click()
    expect(page.get_by_role("status")).to_contain_text("Not so fast. Wait 10 s.")
    press(page, "Dismiss")
    expect(page.get_by_text("Not so fast.")).to_be_hidden()
    last = {"verb": "rebuild", "device": None, "ok": False, "message": "No such package.", "hint": "", "at": 5.0}
    change(page, last=last)
    expect(page.get_by_role("status")).to_contain_text("No such package.")
    press(page, "Dismiss")
    change(page, last={**last})
    expect(page.get_by_text("No such package.")).to_be_hidden()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (["requirements.txt changed"], "Changed since the start: requirements.txt. Rebuild applies it."),
        (["pyproject.toml changed", "the memory limit"], "run-notebook --restart applies it."),
        (["apt.txt is new"], "run-notebook --restart applies it."),
    ],
)
def test_what_applies_a_change(page: Page, changes: list[str], says: str) -> None:
    show(page, changes=changes)
    expect(page.get_by_role("status")).to_contain_text(says)


def test_keys_alone_are_enough(page: Page) -> None:
    show(page, device=BOTH)
    seen = []
    for _ in range(6):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.textContent"))
    assert seen == ["Restart", "Rebuild", "Stop", "Logs", "Copy URL", "CPU"]
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="GPU")).to_be_focused()
    assert asked(page) == []
    page.keyboard.press("Space")
    assert asked(page) == [["choose", "gpu"]]
    page.get_by_role("button", name="Stop", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("alertdialog").get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("alertdialog")).to_have_count(0)
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_focused()
    assert len(asked(page)) == 1


def test_news_takes_neither_focus_nor_selection(page: Page) -> None:
    show(page)
    page.evaluate("window.lines = ['one', 'two']")
    press(page, "Logs")
    log = page.get_by_role("log")
    expect(log).to_have_text("onetwo")
    page.evaluate("getSelection().selectAllChildren(document.querySelector('.wb-log').firstChild)")
    stop = page.get_by_role("button", name="Stop", exact=True)
    stop.focus()
    page.evaluate("window.lines = ['two', 'three']")
    change(page, action=ACTION, usage={**document()["usage"], "cpu": 1.5, "at": 9.0})
    expect(log).to_have_text("onetwothree")
    expect(stop).to_be_focused()
    assert page.evaluate("getSelection().toString()").strip() == "one"


def test_the_log_pauses_and_wraps(page: Page) -> None:
    show(page)
    page.evaluate("window.lines = ['one']")
    press(page, "Logs")
    log = page.get_by_role("log")
    expect(log).to_have_text("one")
    press(page, "Pause")
    page.evaluate("window.lines = ['one', 'two']")
    press(page, "Wrap")
    expect(log).to_have_css("white-space", "pre-wrap")
    expect(log).to_have_text("one")
    press(page, "Pause")
    expect(log).to_have_text("onetwo")
    press(page, "Close the log")
    expect(log).to_be_hidden()


SERVICES = [
    service("db", health="healthy", ports=["5432/tcp"], restart=True),
    service("mlflow", title="MLflow", health="starting", ports=["127.0.0.1:5000->5000/tcp"], web=True, path="/#/runs"),
]


def services(page: Page) -> Locator:
    return page.get_by_role("region", name="Services")


def test_services_are_shown_where_there_are_any(page: Page) -> None:
    show(page)
    expect(services(page)).to_have_count(0)
    change(page, services=SERVICES)
    expect(services(page).locator("li")).to_have_text(
        [re.compile(r"db\s*healthy\s*5432"), re.compile(r"MLflow\s*starting\s*127\.0\.0\.1:5000(?!->)")]
    )
    link = services(page).get_by_role("link")
    expect(link).to_have_text("MLflow")
    expect(link).to_have_attribute("href", "http://tides-1a2b3c.localhost:23456/services/mlflow/#/runs")
    expect(link).to_have_attribute("target", "_blank")
    change(page, services=[])
    expect(services(page)).to_have_count(0)


@pytest.mark.parametrize(
    ("more", "says", "dot"),
    [
        ({}, "running", "online"),
        ({"health": "healthy"}, "healthy", "online"),
        ({"health": "starting"}, "starting", "busy"),
        ({"state": "created"}, "created", "busy"),
        ({"health": "unhealthy"}, "unhealthy", "lost"),
        ({"state": "stopped", "exit_code": 0}, "stopped", "off"),
        ({"state": "stopped", "exit_code": 137}, "exit code 137", "lost"),
        ({"state": "gone"}, "gone", "lost"),
        ({"state": None}, "unknown", "off"),
    ],
)
def test_how_a_service_is(page: Page, more: dict[str, Any], says: str, dot: str) -> None:
    show(page, services=[service("db", **more)])
    expect(services(page).locator(".wb-state")).to_have_text(says)
    expect(services(page).locator(".wb-dot")).to_have_attribute("data-state", dot)


def test_the_log_of_a_service_takes_the_place_of_another(page: Page) -> None:
    show(page, services=SERVICES)
    page.evaluate("Object.assign(window, {lines: ['server'], logs: [['database'], ['tracking']]})")
    press(page, "Logs")
    log = page.get_by_role("log")
    expect(log).to_have_text("server")
    press(page, "Logs of mlflow")
    expect(page.get_by_role("heading", name="Log of mlflow")).to_be_visible()
    expect(log).to_have_text("tracking")
    expect(log).to_have_attribute("aria-label", "Log of mlflow")
    expect(page.get_by_role("button", name="Logs", exact=True)).to_have_attribute("aria-expanded", "false")
    expect(page.get_by_role("button", name="Logs of mlflow")).to_have_attribute("aria-expanded", "true")
    # Another place in the list, the same service.
    change(page, services=SERVICES[::-1])
    page.evaluate("window.logs = [['tracking', 'more'], ['database']]")
    expect(log).to_have_text("trackingmore")
    press(page, "Logs of mlflow")
    expect(log).to_be_hidden()


def test_an_answer_that_comes_late_is_not_shown_as_another_log(page: Page) -> None:
    show(page, services=SERVICES)
    page.evaluate("window.logs = new Promise((resolve) => (window.answer = resolve)); window.lines = ['server']")
    press(page, "Logs of db")
    press(page, "Logs")
    log = page.get_by_role("log")
    expect(log).to_have_text("server")
    page.evaluate("answer([['database'], []])")
    page.evaluate("window.lines = ['server', 'more']")
    expect(log).to_have_text("servermore")


def test_a_service_is_restarted_where_that_is_allowed(page: Page) -> None:
    show(page, services=SERVICES)
    expect(page.get_by_role("button", name="Restart mlflow")).to_have_count(0)
    press(page, "Restart db")
    question = page.get_by_role("alertdialog")
    expect(question).to_contain_text("Restart db?")
    assert asked(page) == []
    question.get_by_role("button", name="Restart", exact=True).click()
    expect(question).to_have_count(0)
    # Nothing of the notebooks is at stake: they are not saved for it.
    assert asked(page) == [["restart_service", {"service": 0}]]
    doing = {**ACTION, "verb": "restart_service", "device": None, "service": "db", "text": "restarting db", "total": 0}
    change(page, action={**doing, "can_cancel": False})
    # Said once, though the action has the same words.
    expect(page.get_by_role("status")).to_have_text("Restarting db", use_inner_text=True)
    expect(page.get_by_role("button", name="Restart db")).to_have_attribute("aria-disabled", "true")
    last = {"verb": "restart_service", "device": None, "service": "db", "ok": True, "message": "", "hint": ""}
    change(page, action=None, last={**last, "at": page.evaluate("Date.now() / 1000")})
    expect(page.get_by_role("status")).to_contain_text("Restarted db.")
    change(page, last={**last, "ok": False, "at": 9.0})
    expect(page.get_by_role("status")).to_contain_text("Restarting db failed.")


def test_without_an_agent_services_are_not_known_and_cannot_be_asked(page: Page) -> None:
    lost = {"connected": False, "why": "Its agent has ended.", "hint": ""}
    show(page, agent=lost, services=[service("db", state=None, restart=True)])
    for name in ("Logs of db", "Restart db"):
        button = page.get_by_role("button", name=name)
        expect(button).to_have_attribute("aria-disabled", "true")
        expect(button).to_have_attribute("title", "Its agent has ended.")


@pytest.mark.parametrize(
    ("known", "fresh", "new"),
    [
        ([], ["a", "b"], ["a", "b"]),
        (["a", "b"], ["a", "b"], []),
        (["a", "b"], ["b", "c"], ["c"]),
        (["a", "a"], ["a", "a", "a"], ["a"]),
        (["a", "b", "c"], ["x", "y"], ["x", "y"]),
        (["a", "b"], [], []),
    ],
)
def test_new_lines_of_a_log(page: Page, known: list[str], fresh: list[str], new: list[str]) -> None:
    show(page)
    assert page.evaluate("([known, fresh]) => panel.added(known, fresh)", [known, fresh]) == new


def test_numbers_read_as_they_do_in_a_terminal(page: Page) -> None:
    show(page)
    numbers = [0, 1, 999, 1000, 1234, 99_900, 123_456, 1_500_000, 123_000_000, 4_000_000_000, 3_000_000_000_000]
    assert page.evaluate("numbers => numbers.map(panel.size)", numbers) == [size(number) for number in numbers]
    spans = {0: "0 s", 59: "59 s", 60: "1 min", 3599: "59 min", 7500: "2 h 5 min", 349_200: "4 d 1 h"}
    found = page.evaluate("spans => spans.map((span) => panel.duration(Number(span)))", list(spans))
    assert found == list(spans.values())


def test_the_history_grows_with_the_numbers_and_no_further(page: Page) -> None:
    show(page)
    grown = """
    (doc) => {
      for (let at = 0; at < 100; at++) doc = panel.remembered({...doc, usage: {...doc.usage, cpu: at, at}});
      return panel.remembered(doc).history.cpu;
    }"""
    assert page.evaluate(grown, document()) == list(range(40, 100))


def test_as_a_widget(page: Page) -> None:
    """The module as anywidget uses it, over a model."""
    show(page)
    draw = """
    (doc) => {
      const heard = {};
      const values = { state: doc, device: "cpu" };
      window.model = {
        get: (name) => values[name],
        set: (name, value) => { values[name] = value; heard[`change:${name}`]?.(); },
        on: (name, act) => { heard[name] = act; },
        off: (name) => { delete heard[name]; },
        send: ({ id, verb, args }) => {
          window.asked.push([verb, args]);
          heard["msg:custom"]({ id, ok: verb !== "restart", result: {}, error: { message: `No ${verb}.` } });
        },
        heard,
      };
      mounted.dispose();
      window.end = panel.default.render({ model, el: document.body.firstElementChild });
    }"""
    page.evaluate(draw, document(device=BOTH))
    page.get_by_role("radio", name="GPU").click()
    assert asked(page) == [["set_device", {"device": "gpu"}]]
    page.evaluate("model.set('device', 'gpu')")
    expect(page.get_by_role("radio", name="GPU")).to_be_checked()
    press(page, "Restart")
    expect(page.get_by_role("alertdialog")).to_contain_text("Save your notebooks first.")
    page.get_by_role("alertdialog").get_by_role("button", name="Restart").click()
    expect(page.get_by_role("status")).to_contain_text("No restart.")
    page.evaluate("doc => model.set('state', doc)", document(action=ACTION))
    expect(page.get_by_role("progressbar")).to_be_visible()
    page.evaluate("end()")
    assert page.evaluate("JSON.stringify(model.heard)") == json.dumps({})
    expect(page.get_by_role("region", name="Workbench")).to_have_count(0)
