"""The web interfaces of services behind the workbench's own address: a real server, and a real service behind it."""

import asyncio
import gzip
import hashlib
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
import websocket
from serving import TOKEN, Serving, begin, free_port, serving
from tornado.httputil import HTTPServerRequest
from tornado.web import Application, RequestHandler, stream_request_body
from tornado.websocket import WebSocketHandler

from workbench.inside.services import declared, passing

MB = 1 << 20
PACKED = gzip.compress(b"packed")
PAGE = {"Accept": "text/html,*/*;q=0.8"}
NAVIGATION = {**PAGE, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


class Seen(RequestHandler):
    """Answers with what it has got, and with the headers that the query asks for."""

    def prepare(self) -> None:
        self.settings["asked"].append(self.request)

    def answer(self) -> None:
        for each in self.get_query_arguments("header"):
            name, _, value = each.partition(": ")
            self.add_header(name, value)
        self.set_status(int(self.get_query_argument("status", "200")))
        if self.get_status() != 304:
            asked, headers = self.request, [*self.request.headers.get_all()]
            self.write({"method": asked.method, "uri": asked.uri, "headers": headers, "body": asked.body.decode()})

    get = post = put = patch = delete = options = answer

    def head(self) -> None:
        self.set_header("X-Method", "HEAD")


@stream_request_body
class Upload(RequestHandler):
    """Answers with the digest of what it has got."""

    begun = threading.Event()
    broken = threading.Event()

    def prepare(self) -> None:
        connection: Any = self.request.connection
        connection.set_max_body_size(1 << 40)
        self.digest, self.size = hashlib.sha256(), 0

    def data_received(self, chunk: bytes) -> None:
        self.begun.set()
        self.digest.update(chunk)
        self.size += len(chunk)

    def post(self) -> None:
        self.write({"size": self.size, "digest": self.digest.hexdigest(), "headers": dict(self.request.headers)})

    def on_connection_close(self) -> None:
        self.broken.set()


class Download(RequestHandler):
    """Writes megabytes; cuts itself off before the end when it is asked to."""

    async def get(self, megabytes: str) -> None:
        for number in range(int(megabytes)):
            self.write(bytes([number % 256]) * MB)
            await self.flush()
        if self.get_query_argument("cut", ""):
            connection: Any = self.request.connection
            connection.stream.close()


class Packed(RequestHandler):
    """Answers with what is compressed."""

    def get(self) -> None:
        self.set_header("Content-Encoding", "gzip")
        self.write(PACKED)


class Events(RequestHandler):
    """An event whenever the test says so, without an end."""

    next = threading.Event()
    gone = threading.Event()

    async def get(self) -> None:
        self.set_header("Content-Type", "text/event-stream")
        await self.flush()
        while not self.gone.is_set():
            if self.next.is_set():
                self.next.clear()
                self.write("data: now\n\n")
                await self.flush()
            await asyncio.sleep(0.01)

    def on_connection_close(self) -> None:
        self.gone.set()


class Echo(WebSocketHandler):
    """Says what it hears, after what it was asked."""

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        return subprotocols[0] if subprotocols else None

    async def open(self, *_: str) -> None:
        await self.write_message(json.dumps({"uri": self.request.uri, "headers": dict(self.request.headers)}))

    async def on_message(self, message: str | bytes) -> None:
        await self.write_message(message, binary=isinstance(message, bytes))


class Service:
    """An application on a port of this machine. `asked` are all requests that it got."""

    def __init__(self) -> None:
        self.port, self.asked = free_port(), list[HTTPServerRequest]()
        started = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self._serve(started)), daemon=True).start()
        assert started.wait(20)

    async def _serve(self, started: threading.Event) -> None:
        rules = [
            (r".*/upload", Upload),
            (r".*/download/(\d+)", Download),
            (r".*/packed", Packed),
            (r".*/events", Events),
            (r".*/echo", Echo),
            (r".*", Seen),
        ]
        Application(rules, asked=self.asked, log_function=lambda _: None).listen(self.port, "127.0.0.1")
        started.set()
        await asyncio.Event().wait()


@pytest.fixture(scope="module")
def service() -> Service:
    return Service()


@pytest.fixture(scope="module")
def server(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A server that leads to it by two names, and to one that is not there."""
    folder = tmp_path_factory.mktemp("services")
    (folder / "project").mkdir()
    told = [
        {"name": "app", "title": "The <b>App</b>", "host": "localhost", "port": service.port, "path": "/#/start"},
        {"name": "whole", "title": "Whole", "host": "localhost", "port": service.port, "path": "/", "absolute": True},
        {"name": "db-ui", "title": "Data & base", "host": "127.0.0.1", "port": free_port()},
    ]
    with serving(folder, free_port(), folder / "project", WORKBENCH_SERVICES=json.dumps(told)) as found:
        yield found


class Asking(requests.Session):
    """Who asks this server: by paths, never for long."""

    def __init__(self, server: Serving, **headers: str) -> None:
        super().__init__()
        self.here = f"http://127.0.0.1:{server.port}"
        self.headers.update(headers)

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **options: Any) -> requests.Response:
        return super().request(method, f"{self.here}{url!s}", *args, **{"timeout": 60, **options})


@pytest.fixture
def stranger(server: Serving) -> Asking:
    """Who has no token."""
    return Asking(server)


@pytest.fixture
def program(server: Serving) -> Asking:
    """Who sends the token."""
    return Asking(server, Authorization=f"token {TOKEN}")


@pytest.fixture
def browser(server: Serving) -> Asking:
    """Who has opened JupyterLab, and so has its cookie."""
    browser = Asking(server)
    assert browser.get(f"/lab?token={TOKEN}", headers=PAGE).status_code == 200
    return browser


def login(browser: Asking) -> str:
    """The name of the cookie by which Jupyter knows a browser."""
    return next(cookie.name for cookie in browser.cookies if cookie.name.startswith("username-"))


def values(seen: Mapping[str, Any], name: str) -> list[str]:
    """What a service got in headers of that name."""
    return [value for key, value in seen["headers"] if key.lower() == name.lower()]


def connect(who: Asking, path: str, *headers: str, **options: Any) -> websocket.WebSocket:
    """Open a websocket, with somebody's cookies."""
    sent = ["Cookie: " + "; ".join(f"{cookie.name}={cookie.value}" for cookie in who.cookies), *headers]
    address = f"{who.here}{path}".replace("http", "ws", 1)
    return websocket.create_connection(address, header=sent, timeout=20, suppress_origin=True, **options)


def raw(server: Serving, path: str, *headers: str) -> bytes:
    """The answer to a request exactly as it is written, with the token."""
    own = (f"Host: localhost:{server.port}", f"Authorization: token {TOKEN}", "Connection: close")
    lines = [f"GET {path} HTTP/1.1", *own, *headers, "", ""]
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as channel:
        channel.sendall("\r\n".join(lines).encode())
        return b"".join(iter(lambda: channel.recv(MB), b""))


def memory(server: Serving) -> float:
    """Megabytes that the server has taken at most so far."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def test_a_browser_with_the_cookie_and_a_program_with_the_token_come_in(
    browser: Asking, program: Asking, stranger: Asking
) -> None:
    assert browser.get("/services/app/a/b?c=1").json()["uri"] == "/a/b?c=1"
    assert program.get("/services/app/a").json()["uri"] == "/a"
    assert stranger.get(f"/services/app/a?token={TOKEN}&c=1").json()["uri"] == "/a?c=1"
    # The token has made a browser of the stranger, as with Jupyter's own pages.
    assert stranger.get("/services/app/a").json()["uri"] == "/a"


def test_a_page_without_login_leads_to_the_login_and_all_else_is_refused(stranger: Asking, service: Service) -> None:
    before = len(service.asked)
    page = stranger.get("/services/app/", headers=PAGE, allow_redirects=False)
    assert page.status_code == 302 and page.headers["Location"].startswith("/login?next=")
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"):
        assert stranger.request(method, "/services/app/", data="x").status_code == 403
    assert stranger.get("/services/app/?token=wrong").status_code == 403
    assert stranger.post("/services/app/", data=b"x" * (20 * MB)).status_code == 403
    assert "`app`" not in stranger.get("/services/nothing/").text
    with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
        connect(stranger, "/services/app/echo")
    assert len(service.asked) == before


def test_other_host_names_are_refused(program: Asking) -> None:
    assert program.get("/services/app/", headers={"Host": "evil.example"}).status_code == 403


def test_what_is_not_declared_is_not_there(server: Serving, service: Service, browser: Asking) -> None:
    before = len(service.asked)
    answer = browser.get("/services/ap/")
    assert answer.status_code == 404 and "`ap`" in answer.text
    assert all(f"`{name}`" in answer.text for name in ("app", "whole", "db-ui"))
    assert "&lt;i&gt;" in browser.get("/services/<i>/", headers=PAGE).text
    port = service.port
    for name in (f"localhost:{port}", f"{port}", "app:80", "", f"app@localhost:{port}"):
        assert browser.get(f"/services/{name}/").status_code == 404
    for path in ("/services/../api", "/services/%2e%2e/api", f"http://localhost:{port}/services/app/"):
        assert raw(server, path).startswith(b"HTTP/1.1 404 ")
    assert len(service.asked) == before


def test_it_is_no_way_to_anywhere_else(program: Asking, service: Service, tmp_path: Path) -> None:
    port = service.port
    elsewhere = (
        *(f"/proxy/{port}/", f"/proxy/localhost:{port}/", f"/proxy/absolute/{port}/"),
        *("/server-proxy/servers-info", "/server-proxy/icon/x"),
    )
    assert [program.get(path).status_code for path in elsewhere] == [404] * len(elsewhere)
    # Whoever asks for it: a file of the environment has done so already, the user's own files and options do here.
    config = tmp_path / "home" / ".jupyter"
    config.mkdir(parents=True)
    (config / "jupyter_server_config.py").write_text("c.ServerApp.jpserver_extensions = {'jupyter_server_proxy': True}")
    (config / "jupyter_server_config.d").mkdir()
    extensions = {"ServerApp": {"jpserver_extensions": {"jupyter_server_proxy": True}}}
    (config / "jupyter_server_config.d" / "mine.json").write_text(json.dumps(extensions))
    option = "--ServerApp.jpserver_extensions={'jupyter_server_proxy': True}"
    for options in ("[]", json.dumps([option])):
        with serving(tmp_path, free_port(), tmp_path, WORKBENCH_OPTIONS=options) as other:
            program.here = f"http://127.0.0.1:{other.port}"
            assert [program.get(path).status_code for path in elsewhere] == [404] * len(elsewhere)


def test_jupyters_credentials_stay_here_and_the_services_own_go_through(
    stranger: Asking, browser: Asking, program: Asking
) -> None:
    assert login(browser)
    browser.cookies.update({"session": "own", "_xsrf": "x", "username-localhost-8888": "2"})
    seen = browser.get("/services/app/", headers={"X-XSRFToken": "x"}).json()
    assert values(seen, "Cookie") == ["session=own"]
    assert not values(seen, "X-XSRFToken")

    for scheme in ("token", "Bearer"):
        seen = program.get("/services/app/", headers={"Authorization": f"{scheme} {TOKEN}"}).json()
        assert not values(seen, "Authorization") and not values(seen, "Cookie")
    referer = {"Referer": f"{browser.here}/lab?token={TOKEN}"}
    assert TOKEN not in json.dumps(browser.get("/services/app/", headers=referer).json())
    path = f"/services/app/?token=another&a=%20&t%6Fken={TOKEN}&b=+"
    assert stranger.get(path).json()["uri"] == "/?token=another&a=%20&b=+"

    seen = browser.get("/services/app/", headers={"Authorization": "Bearer own"}).json()
    assert values(seen, "Authorization") == ["Bearer own"]


def test_a_service_sets_cookies_for_itself_alone(browser: Asking) -> None:
    name = login(browser)
    told = [
        "session=1; HttpOnly; Path=/; Domain=localhost; SameSite=Lax",
        *("plain=2", "deep=3; path=/admin", "told=4; Path=/services/app/admin"),
        *(f"{name}=evil; Path=/", "_xsrf=evil", f"={name}=evil", f"{name}", "username-other=evil"),
    ]
    answer = browser.get("/services/app/x/y", params={"header": [f"Set-Cookie: {cookie}" for cookie in told]})
    assert answer.raw.headers.getlist("Set-Cookie") == [
        "session=1; HttpOnly; SameSite=Lax; Path=/services/app/",
        "plain=2; Path=/services/app/",
        "deep=3; Path=/services/app/admin",
        "told=4; Path=/services/app/admin",
    ]
    assert "session=1" in values(browser.get("/services/app/").json(), "Cookie")[0]
    assert not values(browser.get("/services/whole/").json(), "Cookie")
    assert browser.get("/api/contents").status_code == 200


def test_a_service_changes_nothing_of_jupyters_pages(browser: Asking) -> None:
    headers = ['Clear-Site-Data: "*"', "Service-Worker-Allowed: /", "X-Own: yes"]
    answer = browser.get("/services/app/", params={"header": headers})
    assert answer.headers["X-Own"] == "yes"
    assert not answer.headers.keys() & {"Clear-Site-Data", "Service-Worker-Allowed"}
    # What Jupyter says of its own pages it does not say of these.
    assert "Content-Security-Policy" not in answer.headers


@pytest.mark.parametrize(
    ("told", "led"),
    [
        ("/x?y=1#z", "/services/app/x?y=1#z"),
        ("/services/app/x", "/services/app/x"),
        ("/services/apple", "/services/app/services/apple"),
        ("http://localhost:{service}/x", "/services/app/x"),
        ("http://localhost:{service}", "/services/app/"),
        ("http://127.0.0.1:{server}/x", "/services/app/x"),
        ("http://127.0.0.1:{server}/services/app/x", "/services/app/x"),
        ("//localhost:{service}/x", "/services/app/x"),
        ("next/x", "next/x"),
        ("?page=2", "?page=2"),
        ("https://login.example/?back=x", "https://login.example/?back=x"),
        ("/\\evil.example", "/services/app/\\evil.example"),
    ],
)
def test_where_a_service_leads_to_is_below_its_name(
    server: Serving, service: Service, browser: Asking, told: str, led: str
) -> None:
    where = told.format(service=service.port, server=server.port)
    for name in ("app", "whole"):
        asked = {"status": "302", "header": f"Location: {where.replace('/app/', f'/{name}/')}"}
        answer = browser.get(f"/services/{name}/", params=asked, allow_redirects=False)
        assert answer.status_code == 302
        assert answer.headers["Location"] == led.replace("/app/", f"/{name}/")


def test_the_slash_after_the_name_is_added(browser: Asking) -> None:
    answer = browser.get("/services/app?a=%2F", allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/services/app/?a=%2F")


def test_a_service_hears_where_it_is_seen(server: Serving, service: Service, browser: Asking, program: Asking) -> None:
    host = f"demo.localhost:{server.port}"
    headers = {"Host": host, "X-Forwarded-Host": "evil.example", "X-Forwarded-Prefix": "/evil"}
    seen = program.get("/services/app/", headers={**headers, "Origin": f"http://{host}"}).json()
    own = f"localhost:{service.port}"
    assert values(seen, "Host") == [own] and values(seen, "Origin") == [f"http://{own}"]
    assert values(seen, "X-Forwarded-Host") == [host]
    assert values(seen, "X-Forwarded-Proto") == ["http"]
    assert values(seen, "X-Forwarded-For") == ["127.0.0.1"]
    assert values(seen, "X-Forwarded-Prefix") == ["/services/app"]

    seen = browser.get("/services/whole/a?b=1").json()
    assert seen["uri"] == "/services/whole/a?b=1" and not values(seen, "X-Forwarded-Prefix")


def test_paths_and_headers_arrive_as_they_were_written(server: Serving) -> None:
    answer = raw(server, "/services/app/a%2Fb/%20%C3%BC\u00fc//c;d=1?e=%26&f+g", "X-Name: na\u00efve \u2713")
    seen = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert seen["uri"] == "/a%2Fb/%20%C3%BC%C3%BC//c;d=1?e=%26&f+g"
    assert values(seen, "X-Name") == ["na\u00efve \u2713".encode().decode("latin-1")]
    assert not values(seen, "User-Agent") and not values(seen, "Accept-Encoding")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "GET"])
def test_every_method_with_its_body(browser: Asking, method: str) -> None:
    origin = {"Origin": browser.here}
    seen = browser.request(method, "/services/app/", data="a=1&token=b", headers=origin).json()
    assert (seen["method"], seen["body"]) == (method, "a=1&token=b")
    assert browser.request(method, "/services/app/", headers=origin).json()["body"] == ""


def test_what_a_service_has_packed_stays_packed(program: Asking) -> None:
    assert (
        program.get("/services/app/packed", headers={"Accept-Encoding": "gzip"}, stream=True).raw.read(
            decode_content=False
        )
        == PACKED
    )
    assert program.get("/services/app/packed").text == "packed"


def test_an_answer_without_a_body(browser: Asking) -> None:
    assert browser.head("/services/app/").headers["X-Method"] == "HEAD"
    assert browser.get("/services/app/?status=304").status_code == 304


OWN = {"Sec-Fetch-Site": "same-origin"}


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        # A form on another site, on another server of this machine, and in a browser that does not say from where.
        ("POST", {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, 403),
        ("POST", {"Origin": "http://127.0.0.1:1", "Sec-Fetch-Site": "same-site"}, 403),
        ("POST", {"Origin": "https://evil.example"}, 403),
        ("POST", {"Origin": "null"}, 403),
        ("POST", {"Origin": "null", "Sec-Fetch-Site": "cross-site"}, 403),
        ("POST", {"Sec-Fetch-Site": "cross-site"}, 403),
        ("POST", {"Referer": "https://evil.example/page"}, 403),
        ("POST", {"Origin": "null", **OWN}, 200),  # of a page that wants no referrer
        ("POST", OWN, 200),
        ("DELETE", {"Origin": "{here}", **OWN}, 200),
        ("POST", {"Origin": "{here}"}, 200),
        ("POST", {"Referer": "{here}/services/app/"}, 200),
        # A picture or a script there; a link there, a bookmark.
        ("GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"}, 403),
        ("GET", {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, 403),
        ("GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, 403),
        ("GET", {"Sec-Fetch-Site": "cross-site", **NAVIGATION}, 200),
        ("GET", {"Sec-Fetch-Site": "none", **NAVIGATION}, 200),
    ],
)
def test_pages_of_other_sites_cannot_use_the_cookie(
    service: Service, browser: Asking, method: str, headers: dict[str, str], status: int
) -> None:
    before = len(service.asked)
    sent = {name: value.format(here=browser.here) for name, value in headers.items()}
    answer = browser.request(method, "/services/app/", headers=sent, data="pay=all")
    assert answer.status_code == status
    assert len(service.asked) - before == (status == 200)


def test_websockets(service: Service, browser: Asking) -> None:
    here = f"Origin: {browser.here}"
    browser.cookies.set("session", "own")
    for name, prefix in (("app", ""), ("whole", "/services/whole")):
        channel = connect(browser, f"/services/{name}/echo?a=1&token={TOKEN}", here, subprotocols=["chat", "other"])
        told = json.loads(channel.recv())
        assert told["uri"] == f"{prefix}/echo?a=1"
        assert told["headers"]["Cookie"] == "session=own" and TOKEN not in json.dumps(told)
        assert told["headers"]["Origin"] == f"http://localhost:{service.port}"
        assert channel.getsubprotocol() == "chat"
        channel.send("hä?")
        assert channel.recv() == "hä?"
        channel.send_binary(bytes(range(256)) * 4000)
        assert channel.recv() == bytes(range(256)) * 4000
        channel.close()
    for origin in ("https://evil.example", "http://127.0.0.1:1", "null"):
        with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
            connect(browser, "/services/app/echo", f"Origin: {origin}")
    with pytest.raises(websocket.WebSocketBadStatusException, match="404"):
        connect(browser, "/services/other/echo", here)


def test_a_websocket_to_a_service_that_is_down_is_closed_with_the_reason(server: Serving, browser: Asking) -> None:
    channel = connect(browser, "/services/db-ui/echo", f"Origin: {browser.here}")
    code, data = channel.recv_data()
    assert (code, int.from_bytes(data[:2]), data[2:]) == (websocket.ABNF.OPCODE_CLOSE, 1014, b"db-ui does not answer")
    assert "Traceback" not in server.log


def test_a_large_upload(server: Serving, program: Asking) -> None:
    part, parts = bytes(range(256)) * 4096, 50
    digest = hashlib.sha256()
    for _ in range(parts):
        digest.update(part)
    before = memory(server)
    with_length = program.post("/services/app/upload", data=part * parts).json()
    chunked = program.post("/services/app/upload", data=(part for _ in range(parts))).json()
    for found in (with_length, chunked):
        assert (found["size"], found["digest"]) == (parts * MB, digest.hexdigest())
    assert with_length["headers"]["Content-Length"] == str(parts * MB)
    assert memory(server) - before < 25


def test_a_large_download_is_not_kept_in_memory(server: Serving, program: Asking) -> None:
    before = memory(server)
    with program.get("/services/app/download/50", stream=True) as answer:
        parts = answer.iter_content(MB)
        size = len(next(parts))
        time.sleep(1)  # a browser that reads slowly
        size += sum(map(len, parts))
    assert size == 50 * MB
    assert memory(server) - before < 25


def test_a_download_that_is_cut_does_not_look_whole(server: Serving, program: Asking) -> None:
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        program.get("/services/app/download/3?cut=1")
    assert "Traceback" not in server.log


def test_events_arrive_one_by_one_and_who_leaves_is_no_longer_served(program: Asking) -> None:
    Events.next.clear()
    Events.gone.clear()
    headers = {"Accept": "text/event-stream, */*", "Accept-Encoding": "gzip"}
    with program.get("/services/app/events", headers=headers, stream=True, timeout=20) as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        for _ in range(3):
            Events.next.set()
            assert answer.raw.read1(100).endswith(b"data: now\n\n")
    assert Events.gone.wait(20)


def test_who_breaks_an_upload_off_is_not_waited_for(server: Serving) -> None:
    Upload.begun.clear()
    Upload.broken.clear()
    lines = ("POST /services/app/upload HTTP/1.1", f"Host: localhost:{server.port}", f"Authorization: token {TOKEN}")
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as channel:
        channel.sendall("\r\n".join([*lines, f"Content-Length: {1 << 40}", "", "begun"]).encode())
        assert Upload.begun.wait(20)
    assert Upload.broken.wait(20)
    assert "Traceback" not in server.log


def test_a_service_that_is_down_is_said_in_plain_words(server: Serving, browser: Asking, program: Asking) -> None:
    page = browser.get("/services/db-ui/", headers=PAGE)
    assert page.status_code == 502 and page.headers["Content-Type"].startswith("text/html")
    assert "<h1>Data &amp; base does not answer</h1>" in page.text
    assert "<code>workbench services logs db-ui</code>" in page.text
    upload = program.post("/services/db-ui/", data=b"x" * (20 * MB))
    assert upload.status_code == 502 and "`workbench services logs db-ui`" in upload.text
    assert "Traceback" not in server.log


def test_jupyterlab_hears_of_them_and_not_of_the_proxys_own_launcher(browser: Asking) -> None:
    page = browser.get("/lab", headers=PAGE).text
    begin = '<script id="jupyter-config-data" type="application/json">'
    config = json.loads(page.partition(begin)[2].partition("</script")[0])
    assert [each["name"] for each in config["workbenchServices"]] == ["app", "whole", "db-ui"]
    assert config["workbenchServices"][0]["title"] == "The <b>App</b>" and "<b>" not in page
    assert "@jupyterhub/jupyter-server-proxy" in config["disabledExtensions"]


def test_without_services_nothing_of_it_is_loaded(tmp_path: Path, program: Asking) -> None:
    with serving(tmp_path, free_port(), tmp_path) as server:
        loaded = Path(f"/proc/{server.process.pid}/maps").read_text()
        assert "tornado" in loaded and "aiohttp" not in loaded
        program.here = f"http://127.0.0.1:{server.port}"
        assert program.get("/services/app/").status_code == 404


@pytest.mark.parametrize(
    "told",
    [
        *("{", "3", "[3]", "[{}]", '[{"name": "a", "host": "a"}]', '[{"name": "a", "host": "a", "port": "80"}]'),
        *('[{"name": "..", "host": "a", "port": 80}]', '[{"name": "a/b", "host": "a", "port": 80}]'),
        *('[{"name": "a", "host": "a/b", "port": 80}]', '[{"name": "a", "host": "a", "port": 80, "path": "b"}]'),
        *('[{"name": "a", "host": "a", "port": 0}]', '[{"name": "a", "host": "a", "port": 80, "more": 1}]'),
        '[{"name": "a", "host": "a", "port": 80}, {"name": "a", "host": "b", "port": 80}]',
    ],
)
def test_a_malformed_list_is_an_error_that_names_the_variable(told: str) -> None:
    with pytest.raises(ValueError, match="WORKBENCH_SERVICES"):
        declared.read(told)


def test_a_malformed_list_ends_the_server(tmp_path: Path) -> None:
    server = begin(tmp_path, 0, tmp_path, WORKBENCH_SERVICES="{")
    assert server.process.wait(30) == 2
    assert "WORKBENCH_SERVICES" in server.log and "Traceback" not in server.log


def test_what_only_a_broken_service_writes() -> None:
    def answered(*headers: tuple[str, str]) -> list[tuple[str, str]]:
        return list(passing.answered(headers, "login", "/services/a/", ["a:80"]))

    own = ("X-A", "1")
    assert answered(("X-A", "1\r\nX-B: 2")) == [("X-A", "1  X-B: 2")]
    assert answered(("connection", "keep-alive, X-Hop"), ("x-hop", "1"), ("Keep-Alive", "5"), own) == [own]
    for cookie in ("\tlogin =1", " _xsrf=1", "login", "=login=1", "; Path=/", "_xsrf\x00=1"):
        assert answered(("Set-Cookie", cookie)) == []
    assert answered(("Location", "http://[::1/")) == [("Location", "http://[::1/")]
    assert answered(("Location", "HTTP://A:80?b")) == [("Location", "/services/a/?b")]
