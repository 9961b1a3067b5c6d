"""Web interfaces of services from JupyterLab's launcher, in Chromium: a tile opens the page, whose requests arrive."""

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from inside.serving import TOKEN, Serving, free_port, serving
from playwright.sync_api import Error, Locator, Page, expect
from support.person import MakePerson
from support.require import require
from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketHandler

from browser.test_notebook import MINUTE, page, picture
from browser.test_panel_services import container

__all__ = ["page"]

SOON = 20_000
PAGE = """<!doctype html><title>Tracker</title><link rel="icon" href="data:,"><h1>Tracker</h1>
<ul id="heard"></ul><form method="post" action="form"><button>Send</button></form>
<script>
const heard = document.getElementById("heard");
const hear = (text) => heard.append(Object.assign(document.createElement("li"), { textContent: text }));
fetch("asked", { method: "POST", body: "by script" }).then((answer) => answer.text()).then(hear);
const socket = new WebSocket(new URL("socket", location.href).href.replace("http", "ws"));
socket.onopen = () => socket.send("by socket");
socket.onmessage = (event) => hear(event.data);
new EventSource("events").onmessage = (event) => hear(event.data);
</script>
"""
FORM = """<!doctype html><form method="post" action="{action}"><input name="pay" value="all"></form>
<script>if ("{action}") document.forms[0].submit()</script>"""
CONNECT = """(address) => new Promise((done) => {
  const socket = new WebSocket(address);
  socket.onopen = () => done("open");
  socket.onerror = () => done("refused");
})"""


class Tracker(RequestHandler):
    """A page that uses all that a browser has to ask with."""

    posted: tuple[str, ...] = ()

    async def get(self) -> None:
        if not self.request.path.endswith("/events"):
            self.write(PAGE)
            return
        self.set_header("Content-Type", "text/event-stream")
        self.write("data: by event\n\n")
        await self.flush()
        await asyncio.sleep(60)

    def post(self) -> None:
        Tracker.posted += (self.request.path,)
        self.write(f"posted {self.request.path} {self.request.body.decode()}")


class Socket(WebSocketHandler):
    """Says what it hears."""

    async def on_message(self, message: str | bytes) -> None:
        await self.write_message(message)


class Elsewhere(RequestHandler):
    """A page of another site, with a form that sends itself."""

    def get(self) -> None:
        self.write(FORM.format(action=self.get_query_argument("action", "")))


def serve(application: Application) -> int:
    """Serve on a port of this machine for as long as the tests run; the port."""
    port, started = free_port(), threading.Event()

    async def run() -> None:
        application.listen(port, "127.0.0.1")
        started.set()
        await asyncio.Event().wait()

    threading.Thread(target=lambda: asyncio.run(run()), daemon=True).start()
    assert started.wait(20)
    return port


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Serving]:
    """A server with a service that answers and one that does not."""
    port = serve(Application([(".*/socket", Socket), (".*", Tracker)]))
    told = [
        {"name": "tracker", "title": "Tracker <i>1</i>", "host": "127.0.0.1", "port": port, "path": "/runs/#/latest"},
        {"name": "db-ui", "title": "Database", "host": "127.0.0.1", "port": free_port()},
    ]
    (tmp_path / "project").mkdir()
    with serving(tmp_path, free_port(), tmp_path / "project", WORKBENCH_SERVICES=json.dumps(told)) as found:
        yield found


def home(server: Serving) -> str:
    return f"http://demo.localhost:{server.port}"


def tile(page: Page, url: str, title: str) -> Locator:
    """The tile of a service in the launcher of JupyterLab at `url`.

    Chromium breaks off what it loads when a network interface comes or goes, as with each container: then once more.
    """
    card = page.locator(".jp-LauncherCard", has_text=title)
    for patience in (SOON, SOON, MINUTE):
        try:
            page.goto(url)
            card.wait_for(timeout=patience)
            return card
        except Error:
            if patience == MINUTE:
                raise
    raise AssertionError


def test_a_tile_opens_the_page_of_a_service(page: Page, server: Serving) -> None:
    page.goto(f"{home(server)}/lab?token={TOKEN}")
    section = page.locator(".jp-Launcher-section").filter(has=page.get_by_role("heading", name="Services"))
    tiles = section.locator(".jp-LauncherCard")
    expect(tiles).to_have_text(["Tracker <i>1</i>", "Database"])
    section.scroll_into_view_if_needed()
    picture(page, "services-launcher.png")

    with page.expect_popup() as opened:
        tiles.nth(0).click()
    tracker = opened.value
    expect(tracker.get_by_role("heading", name="Tracker")).to_be_visible()
    assert tracker.url == f"{home(server)}/services/tracker/runs/#/latest"
    heard = tracker.get_by_role("listitem")
    expect(heard).to_have_count(3)
    assert sorted(heard.all_inner_texts()) == ["by event", "by socket", "posted /runs/asked by script"]
    picture(tracker, "services-page.png")
    tracker.get_by_role("button", name="Send").click()
    expect(tracker.locator("body")).to_have_text("posted /runs/form")

    with page.expect_popup() as opened:
        tiles.nth(1).click()
    down = opened.value
    expect(down.get_by_role("heading")).to_have_text("Database does not answer")
    expect(down.locator("code").last).to_have_text("workbench services logs db-ui")
    picture(down, "services-down.png")

    page.keyboard.press("Control+Shift+C")
    page.locator(".lm-CommandPalette-input").fill("open tracker")
    with page.expect_popup() as opened:
        page.locator(".lm-CommandPalette-item").filter(has_text="Open Tracker <i>1</i>").click()
    expect(opened.value.get_by_role("heading", name="Tracker")).to_be_visible()


@pytest.mark.parametrize("host", ["127.0.0.1", "demo.localhost"])
def test_a_page_of_another_server_cannot_use_the_login(page: Page, server: Serving, host: str) -> None:
    page.goto(f"{home(server)}/services/tracker/?token={TOKEN}")
    expect(page.get_by_role("listitem")).to_have_count(3)
    posted = Tracker.posted
    # Of the same host, on another port, a browser takes it for the same site, and sends the cookie with it.
    port = serve(Application([(".*", Elsewhere)]))
    page.goto(f"http://{host}:{port}/?action={home(server)}/services/tracker/pay")
    page.wait_for_url("**/services/tracker/pay**")
    expect(page.locator("body")).not_to_contain_text("posted")
    page.goto(f"http://{host}:{port}/")
    address = f"{home(server)}/services/tracker/socket".replace("http", "ws")
    assert page.evaluate(CONNECT, address) == "refused"
    assert Tracker.posted == posted
    page.goto(f"{home(server)}/services/tracker/")
    expect(page.get_by_role("listitem")).to_have_count(3)


COMPOSE = """
services:
  files:
    image: {image}
    init: true
    command: ["python3", "-m", "http.server", "5000", "--directory", "/usr/share"]
"""
PROJECT = """
[tool.workbench.services.files]
web = { port = 5000, title = "Files", path = "/doc/" }
"""


@pytest.mark.xdist_group("churn")
def test_a_service_of_the_projects_compose_file(page: Page, somebody: MakePerson) -> None:
    me = somebody("docker")
    project = me.project(name="churn")
    me.write(project / "compose.yaml", COMPOSE.format(image=require("base-image")))
    me.write(project / "pyproject.toml", PROJECT)
    try:
        bench = me.launch(project)
        card = tile(page, bench.url, "Files")
        with page.expect_popup() as opened:
            card.click()
        files = opened.value
        expect(files.get_by_role("heading")).to_have_text("Directory listing for /doc/")
        # A folder without its slash: the service leads to the address with it.
        files.goto(f"http://{bench.name}.localhost:{bench.port}/services/files/doc")
        assert files.url.endswith("/services/files/doc/")
        me.engine.docker("stop", "-t", "1", container(me, "files"))
        files.reload()
        expect(files.get_by_role("heading")).to_have_text("Files does not answer")
    finally:
        me.run("workbench", "services", "down", cwd=project).ok()
