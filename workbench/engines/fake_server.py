"""The port of a fake workbench: answers `/api/status` to those who have the token, as Jupyter does."""

import hmac
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit


class FakeServer:
    """A server on 127.0.0.1 in a thread of this process; it listens once the constructor has returned."""

    def __init__(self, port: int, token: str) -> None:
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.token = token
        # The poll interval is how long `close` waits.
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    token = ""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        given = self.headers.get("Authorization", "").removeprefix("token ") or "".join(
            parse_qs(address.query).get("token", [])
        )
        if not hmac.compare_digest(given.encode(), self.server.token.encode()):
            self._answer(403, b'{"message": "Forbidden"}')
        elif address.path == "/api/status":
            self._answer(200, b'{"kernels": 0, "connections": 0}')
        else:
            self._answer(404, b'{"message": "Not Found"}')

    def log_message(self, format: str, *args: object) -> None:
        """Requests hold the token: they are not logged."""

    def _answer(self, code: int, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
