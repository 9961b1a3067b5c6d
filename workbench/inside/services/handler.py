"""Requests to a service, and its answers, as they come. jupyter-server-proxy's handler, for declared services only.

Who may come in is Jupyter's to say, as with its own pages. What that handler would hold back until it is whole, a body
or an answer of any size, is streamed here.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import quote

import aiohttp
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import ensure_async, url_path_join
from jupyter_server_proxy.handlers import ProxyHandler  # type: ignore[import-untyped]
from tornado import web
from tornado.httpclient import HTTPError
from tornado.httputil import HTTPHeaders
from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketError
from yarl import URL

from workbench.inside.services import pages, passing
from workbench.inside.services.declared import WebService

PATIENCE = 10.0
"""Seconds for a service to take a connection. For its answer there is no limit: it may compute, or wait for news."""
ANY_SIZE = 1 << 62
LONGEST = 1 << 16
"""Bytes of one line of an answer's head."""
NOT_ADDED = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
"""Headers that aiohttp would add to a request without them."""
AS_WRITTEN = "%:/?#[]@!$&'()*+,;=-._~"
"""What a path may hold as it is (RFC 3986); anything else is quoted."""
PREFIXES = ("X-Forwarded-Prefix", "X-Forwarded-Context", "X-ProxyContextPath")
"""By which services ask for the part of the path that they do not see."""
BAD_GATEWAY = 1014
"""The code with which a websocket is closed, as registered with IANA."""


class Client:
    """The way to services: nothing is remembered from one request to the next."""

    @cached_property
    def session(self) -> aiohttp.ClientSession:
        """Made with the first request, when there is a loop."""
        return aiohttp.ClientSession(
            # A connection that is kept is closed by some services just when it is used again.
            connector=aiohttp.TCPConnector(limit=0, force_close=True, use_dns_cache=False),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=PATIENCE),
            auto_decompress=False,
            skip_auto_headers=NOT_ADDED,
            max_line_size=LONGEST,
            max_field_size=LONGEST,
        )

    async def close(self) -> None:
        """End what is under way."""
        if "session" in vars(self):
            await self.session.close()


class Refused(web.HTTPError):
    """An answer in place of the service's. `said` is what it says."""

    def __init__(self, status: int, said: pages.Said) -> None:
        super().__init__(status)
        self.said = said


@web.stream_request_body
class Service(ProxyHandler):  # type: ignore[misc]
    """`/services/NAME/…`, for every method and for websockets."""

    auth_resource = "workbench"

    def initialize(self, services: Mapping[str, WebService], client: Client) -> None:
        """The services by name."""
        self.services, self.client = services, client
        self.parts: asyncio.Queue[bytes] = asyncio.Queue(1)
        self.exchange: asyncio.Task[None] | None = None
        self.refusal: web.HTTPError | None = None

    async def prepare(self) -> None:
        """Let in who may come in, and find the service. Its answer is asked for before the body is here."""
        try:
            await super().prepare()
            if not self._finished:  # on the way to the login page
                await self._admit(*self.path_args)
        except web.HTTPError as error:
            # Said when the body is here: who is sending it does not listen yet, and would see the connection break.
            self.refusal = error

    async def _admit(self, name: str | None, path: str | None) -> None:
        allowed = self.authorizer.is_authorized(self, self.current_user, "execute", self.auth_resource)
        if not await ensure_async(allowed):
            raise web.HTTPError(403)
        if self._is_foreign():
            raise Refused(403, pages.foreign())
        service = self.services.get(name or "")
        if service is None:
            raise Refused(404, pages.unknown(name or "", self.services.values()))
        self.service = service
        self.prefix = url_path_join(self.base_url, "services", service.name) + "/"
        if path and not self._is_websocket():
            connection: Any = self.request.connection
            connection.set_max_body_size(ANY_SIZE)
            self.exchange = asyncio.ensure_future(self._exchange())
            # Who breaks an upload off is told nothing more: then nobody asks how it ended.
            self.exchange.add_done_callback(lambda ended: ended.cancelled() or ended.exception())

    def _is_websocket(self) -> bool:
        upgrade = str(self.request.headers.get("Upgrade", ""))
        return self.request.method == "GET" and upgrade.lower() == "websocket"

    def _is_foreign(self) -> bool:
        """Whether a page of another site asks by means of this browser's cookie.

        Ports are of one site, and so are other servers on this machine: only pages of this very address may ask. From
        elsewhere a link may lead here, but nothing more.
        """
        if self.token_authenticated:
            return False
        headers = self.request.headers
        site = headers.get("Sec-Fetch-Site")
        if site in ("same-origin", "none"):
            return False
        if "Origin" in headers:
            return not self.check_origin()
        if self.request.method not in ("GET", "HEAD"):
            return site is not None or ("Referer" in headers and not self.check_referer())
        mode, use = headers.get("Sec-Fetch-Mode"), headers.get("Sec-Fetch-Dest")
        return site is not None and (mode, use) != ("navigate", "document")

    def get_login_url(self) -> str:
        """The login page, for who wants to see a page: a 403 for all others."""
        if not self._wants_page():
            raise web.HTTPError(403)
        self.set_header("Connection", "close")  # tornado closes it, as the request was not read to its end
        return str(super().get_login_url())

    def _wants_page(self) -> bool:
        return "text/html" in self.request.headers.get("Accept", "")

    async def get(self, *args: str) -> None:
        """A page, or a websocket."""
        if self.refusal:
            raise self.refusal
        await super().get(*args)

    async def http_get(self, *_: str) -> None:
        """The body has come to its end: wait for the exchange."""
        if self.refusal:
            raise self.refusal
        if self.exchange is None:
            self.redirect(f"{self.request.path}/{'?' if self.request.query else ''}{self.request.query}")
            return
        await self.data_received(b"")
        try:
            await self.exchange
        except asyncio.CancelledError:
            if not self.exchange.cancelled():
                raise

    head = post = put = patch = delete = options = http_get

    async def data_received(self, chunk: bytes) -> None:
        """Hand on a part of the body as fast as the service takes it. What comes after its answer is dropped."""
        if self.exchange:
            handed = asyncio.ensure_future(self.parts.put(chunk))
            await asyncio.wait((handed, self.exchange), return_when=asyncio.FIRST_COMPLETED)
            handed.cancel()

    async def _body(self) -> AsyncIterator[bytes]:
        while part := await self.parts.get():
            yield part

    async def _exchange(self) -> None:
        headers = self.request.headers
        has_body = headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in headers
        asking = self.client.session.request(
            str(self.request.method),
            URL(self.get_client_uri("http", self.service.host, self.service.port, ""), encoded=True),
            headers=[(name, _as_sent(value)) for name, value in self._asked(length=has_body)],
            data=self._body() if has_body else None,
            allow_redirects=False,
        )
        begun = False
        try:
            async with asking as answer:
                self._begin(answer)
                begun = True
                await JupyterHandler.flush(self)
                async for chunk in answer.content.iter_any():
                    self.write(chunk)
                    await JupyterHandler.flush(self)
        except StreamClosedError:  # the browser has gone
            pass
        except (aiohttp.ClientError, OSError):
            if begun:
                self._break_off()
            else:
                raise Refused(502, pages.down(self.service)) from None

    def _begin(self, answer: aiohttp.ClientResponse) -> None:
        """The head of an answer as the service wrote it, and none of Jupyter's own headers."""
        self._record_activity()
        self._headers = HTTPHeaders()
        self.set_status(answer.status)
        headers = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.raw_headers)
        places = {self.service.place.lower(), self.request.host.lower()}
        for name, value in passing.answered(headers, self._login(), self.prefix, places):
            self.add_header(name, value)

    def _break_off(self) -> None:
        """What was cut must not look whole."""
        connection: Any = self.request.connection
        connection.stream.close()

    def on_connection_close(self) -> None:
        """The browser has gone: the service need not go on."""
        super().on_connection_close()
        # Ends the wait for a body; a websocket's handler, which has none, leaves it out.
        web.RequestHandler.on_connection_close(self)
        if self.exchange:
            self.exchange.cancel()

    async def open(self, *_: str) -> None:
        """Connect a websocket with the service's."""
        try:
            await self.proxy_open(self.service.host, self.service.port)
        except (OSError, HTTPError, WebSocketError):
            self.close(BAD_GATEWAY, f"{self.service.name} does not answer")

    def get_client_uri(self, protocol: str, host: str, port: int, proxied_path: str) -> str:
        """The service's address: path and query as they were written, which decoding and encoding would not keep."""
        whole = self.request.path
        path = whole if self.service.absolute else whole.removeprefix(self.prefix.rstrip("/")) or "/"
        query = passing.query(self.request.query, self.token or "")
        return f"{protocol}://{host}:{port}{_quoted(path)}{'?' if query else ''}{_quoted(query)}"

    def proxy_request_headers(self) -> HTTPHeaders:
        """The headers of a websocket's request."""
        headers = HTTPHeaders()
        for name, value in self._asked():
            headers.add(name, value)
        return headers

    def _asked(self, *, length: bool = False) -> list[passing.Header]:
        """The headers for the service, and by which names it is known on both sides."""
        request, service = self.request, self.service
        found = list(passing.asked(request.headers.get_all(), self.token or "", self._login()))
        # Its own name, as kernels call it: a service that refuses strange names knows no other. And who asks is of
        # the same origin, for services that compare; that was looked at above.
        origin = f"http://{service.place}"
        found = [(name, origin if name.lower() == "origin" else value) for name, value in found]
        prefix = self.prefix.rstrip("/")
        return [
            *found,
            ("Host", service.place),
            ("X-Forwarded-For", str(request.remote_ip)),
            ("X-Forwarded-Host", request.host),
            ("X-Forwarded-Proto", request.protocol),
            *((name, prefix) for name in PREFIXES if not service.absolute),
            *((name, request.headers[name]) for name in ("Content-Length",) if length and name in request.headers),
        ]

    def _login(self) -> str:
        return str(self.identity_provider.get_cookie_name(self))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """What is said in place of a service's page."""
        error = kwargs.get("exc_info", (None, None))[1]
        if not isinstance(error, Refused):
            super().write_error(status_code, **kwargs)
            return
        wants_page = self._wants_page()
        self.set_header("Content-Type", f"text/{'html' if wants_page else 'plain'}; charset=utf-8")
        self.write(pages.as_page(error.said) if wants_page else pages.as_text(error.said))


def _quoted(text: str) -> str:
    # tornado reads a request's first line as Latin-1; a browser means bytes.
    return quote(text, safe=AS_WRITTEN, encoding="latin-1")


def _as_sent(value: str) -> str:
    # aiohttp writes UTF-8, tornado has read Latin-1.
    return value.encode("latin-1").decode("utf-8", "replace")
