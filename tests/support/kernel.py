"""Speak to a running JupyterLab as a front end does: REST and websocket, with the printed token."""

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests
import websocket


@dataclass
class Ran:
    """What a piece of code did in a kernel."""

    text: str = ""
    """Everything it wrote and displayed, as text."""
    error: str = ""
    """Name and message of the exception that ended it, empty when none did."""
    traceback: list[str] = field(default_factory=list)

    def ok(self) -> str:
        """The text; fails the test when the code failed."""
        assert not self.error, "\n".join([self.error, *self.traceback, self.text])
        return self.text


class Jupyter:
    """A Jupyter server at `api_url`, entered with `token`."""

    def __init__(self, api_url: str, token: str) -> None:
        self.api_url = api_url.rstrip("/") + "/"
        self.token = token
        self.http = requests.Session()
        # Not the machine's proxy: the server is on loopback.
        self.http.trust_env = False
        self.http.headers["Authorization"] = f"token {token}"

    def call(self, method: str, path: str, body: object = None) -> Any:
        """One request to the REST API; the decoded answer. Fails the test on an error status."""
        answer = self.http.request(method, self.api_url + path, json=body, timeout=60)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text[:400]}"
        return answer.json() if answer.content else None

    @contextmanager
    def kernel(self, kernelspec: str | None = None, path: str = "verify.ipynb") -> Iterator["Kernel"]:
        """A kernel as a notebook at `path` gets it; shut down at the end."""
        name = kernelspec or self.call("GET", "api/kernelspecs")["default"]
        wanted = {"kernel": {"name": name}, "name": path, "path": path, "type": "notebook"}
        session = self.call("POST", "api/sessions", wanted)
        try:
            with Kernel(self, session["kernel"]["id"]) as kernel:
                yield kernel
        finally:
            self.call("DELETE", f"api/sessions/{session['id']}")

    def run(self, *cells: str, path: str = "verify.ipynb") -> str:
        """Run cells in a fresh kernel; the text of all. Fails the test when one of them fails."""
        with self.kernel(path=path) as kernel:
            return "".join(kernel.run(cell).ok() for cell in cells)


class Kernel:
    """A kernel's channels."""

    def __init__(self, server: Jupyter, id: str) -> None:
        self.id = id
        self._session = uuid.uuid4().hex
        address = f"ws{server.api_url[4:]}api/kernels/{id}/channels?session_id={self._session}"
        header = [f"Authorization: token {server.token}"]
        self._socket = websocket.create_connection(address, header=header, timeout=60, http_no_proxy=["*"])

    def __enter__(self) -> "Kernel":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def run(self, code: str, timeout: float = 180) -> Ran:
        """Execute one cell and wait until the kernel is idle again, at most `timeout` seconds."""
        request = self.begin(code)
        ran, replied, idle = Ran(), False, False
        deadline = time.monotonic() + timeout
        while not (replied and idle):
            assert time.monotonic() < deadline, f"no answer from the kernel within {timeout} s: {code[:80]}"
            message = self._receive()
            if message.get("parent_header", {}).get("msg_id") != request:
                continue
            kind, content = message["header"]["msg_type"], message["content"]
            replied |= kind == "execute_reply"
            idle |= kind == "status" and content["execution_state"] == "idle"
            _note(ran, kind, content)
        return ran

    def _receive(self) -> dict[str, Any]:
        # Kernels start in their own time; a quiet socket is no error before the deadline.
        self._socket.settimeout(60)
        try:
            # Pings are handed on too: else a server that sends them would keep this waiting beyond any deadline.
            kind, data = self._socket.recv_data(control_frame=True)
        except websocket.WebSocketTimeoutException:
            return {}
        return json.loads(data) if kind == websocket.ABNF.OPCODE_TEXT else {}

    def begin(self, code: str) -> str:
        """Have a cell executed, without waiting for it; the id of the request."""
        id = uuid.uuid4().hex
        header = {"msg_id": id, "msg_type": "execute_request", "session": self._session, "version": "5.3"}
        header["username"] = ""
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False, "stop_on_error": True}
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
        self._socket.send(json.dumps(message))
        return id


def _note(ran: Ran, kind: str, content: dict[str, Any]) -> None:
    match kind:
        case "stream":
            ran.text += content["text"]
        case "execute_result" | "display_data":
            ran.text += content["data"].get("text/plain", "") + "\n"
        case "error":
            ran.error = f"{content['ename']}: {content['evalue']}"
            ran.traceback = content["traceback"]
