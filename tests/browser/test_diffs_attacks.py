"""Copies of notebooks that want something to run, opened in Chromium: nothing runs, nothing is fetched.

Each page is opened twice: as it is, and without its Content-Security-Policy, so that each of the two guards holds
alone. The attacks themselves are tried first, or the test would prove nothing.
"""

import os
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from inside.diffs.attacks import HOST, LIVE, Attack, attacks
from playwright.sync_api import BrowserContext, Dialog, Error, Page, sync_playwright
from support.require import require

from workbench.inside.diffs.convert import convert

POLICY = re.compile(r"<meta http-equiv=\"Content-Security-Policy\"[^>]*>\n")
ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "header", "h1", "h2", "h3", "h4", "h5", "h6", "main", "section",
    "div", "span", "p", "pre", "code", "img", "a", "b", "i", "em", "strong", "del", "ul", "ol", "li", "table", "thead",
    "tbody", "tr", "th", "td", "details", "summary", "blockquote", "br", "hr", "dl", "dt", "dd",
}  # fmt: skip
ATTRIBUTES = {"class", "id", "style", "href", "rel", "src", "alt", "title", "width", "height", "open"}
TOUCH = """() => {
    const events = ['mouseover', 'mouseenter', 'focus', 'load', 'error', 'toggle', 'animationstart', 'beforetoggle'];
    for (const element of document.querySelectorAll('*')) {
        for (const name of events) element.dispatchEvent(new Event(name));
        if (/^http|^file:[^#]*$/.test(element.href)) continue;
        element.dispatchEvent(new MouseEvent('click', {bubbles: true, cancelable: true}));
    }
}"""
"""What a person could do to a page, done to all of it; but links to other pages are not followed."""
FOUND = """() => [...document.querySelectorAll('*')].map(element => ({
    name: element.localName, space: element.namespaceURI,
    attributes: [...element.attributes].map(each => each.name),
    href: element.href && String(element.href), src: element.src,
    style: element.getAttribute('style') || '',
}))"""


class Listener(ThreadingHTTPServer):
    """Hears whom a page tells of itself."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.heard: list[str] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    """Answers with a script, whatever is asked."""

    def do_GET(self) -> None:
        self.server.heard.append(self.path)  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Type", "text/javascript")
        self.end_headers()
        self.wfile.write(b"document.title='RAN'")

    do_POST = do_HEAD = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    with Listener() as server:
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def context() -> Iterator[BrowserContext]:
    options = ["--disable-gpu", "--disable-background-networking", "--no-first-run"]
    options += ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=require("chromium"), args=options)
        made = started.new_context()
        made.set_default_timeout(10_000)
        yield made
        started.close()


@pytest.fixture(scope="module")
def page(context: BrowserContext) -> Page:
    """A tab that is used again and again."""
    return context.new_page()


@pytest.fixture
def new_page(context: BrowserContext) -> Iterator[Page]:
    """A tab that an attack may leave in any state."""
    page = context.new_page()
    yield page
    page.close()


class Seen:
    """What happens when a file is opened, and everything in it is touched."""

    def __init__(self, page: Page, listener: Listener, file: Path, title: str = "a") -> None:
        self.signs: list[str] = []
        before = len(listener.heard)
        page.on("dialog", self._dialog)
        page.on("popup", self._popup)
        try:
            self._open(page, file, title)
        except Error as error:  # the page went elsewhere
            self.signs.append(error.message)
        page.remove_listener("dialog", self._dialog)
        page.remove_listener("popup", self._popup)
        self.signs += listener.heard[before:]

    def _open(self, page: Page, file: Path, title: str) -> None:
        page.goto(file.as_uri())
        self.found = page.evaluate(FOUND)
        page.wait_for_timeout(40)
        page.evaluate(TOUCH)
        page.wait_for_timeout(40)
        if page.title() != title:
            self.signs.append(f"title {page.title()}")

    def _dialog(self, dialog: Dialog) -> None:
        self.signs.append(f"dialog {dialog.message}")
        dialog.dismiss()

    def _popup(self, page: Page) -> None:
        self.signs.append(f"page {page.url}")


ALL = list(attacks())


def test_there_are_enough_of_them() -> None:
    assert len(ALL) > 100
    assert len({attack.title for attack in ALL}) == len(ALL)


@pytest.mark.parametrize("title", LIVE)
def test_the_attack_is_one(title: str, tmp_path: Path, new_page: Page, listener: Listener) -> None:
    file = tmp_path / "a.html"
    file.write_text(f"<!doctype html><title>a</title><p>{LIVE[title].replace(HOST, listener.address)}")
    before = len(listener.heard)
    seen = Seen(new_page, listener, file)
    new_page.wait_for_timeout(0 if seen.signs else 2000)  # a browser may take its time to tell of a click
    assert seen.signs + listener.heard[before:]


@pytest.mark.parametrize("attack", ALL, ids=lambda attack: attack.title)
def test_nothing_runs(attack: Attack, tmp_path: Path, page: Page, listener: Listener) -> None:
    made = convert(attack.content.replace(HOST.encode(), listener.address.encode()), attack.name)
    assert len(POLICY.findall(made.page)) == 1
    folder = tmp_path / f"{attack.name}_files"
    folder.mkdir()
    for name, content in made.images.items():
        (folder / name).write_bytes(content)
    file = tmp_path / "a.html"
    for text in (made.page, POLICY.sub("", made.page)):
        file.write_text(text, encoding="utf-8")
        seen = Seen(page, listener, file, attack.name)
        assert seen.signs == []
        check(seen.found, tmp_path)
    for drawing in folder.glob("*.svg"):
        assert Seen(page, listener, drawing, "").signs == []


def check(found: list[dict[str, Any]], folder: Path) -> None:
    """What a browser made of the page is what a page may have."""
    for element in found:
        assert element["space"] == "http://www.w3.org/1999/xhtml", element
        assert element["name"] in ALLOWED, element
        assert ATTRIBUTES.issuperset(element["attributes"]) or element["name"] in ("html", "meta"), element
        assert "url" not in element["style"], element
        assert re.match(r"(https?|mailto|file):", element["href"] or "file:"), element
        if element["name"] == "img":
            assert element["src"].startswith(folder.parent.as_uri()), element
