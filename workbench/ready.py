"""Wait for the server, make the URL, open the browser."""

import html
import http.client
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote

from workbench import cancel, labels
from workbench.engines.base import Engine
from workbench.errors import EngineError, NotReadyError
from workbench.model import Endpoint, Running
from workbench.plan import naming

PATIENCE = 60.0
"""Seconds that a server has to answer."""


def endpoint(running: Running, token: str, *, classic: bool = False, notebook: str = "") -> Endpoint:
    """Where this workbench answers; with the page of a `notebook`, a path in the project."""
    page = "tree" if classic else "lab"
    if notebook:
        page = f"{'notebooks' if classic else 'lab/tree'}/{quote(notebook)}"
    return Endpoint(
        url=f"http://{naming.local_host(running.name)}:{running.port}/{page}?token={quote(token)}",
        api_url=f"http://127.0.0.1:{running.port}/",
        token=token,
    )


def answers(port: int, token: str, *, timeout: float = 2.0) -> bool:
    """Whether the server on this port is up and accepts this token."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", "/api/status", headers={"Authorization": f"token {token}"})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        # Not listening yet, or the engine's port forwarder is and the server is not.
        return False
    finally:
        connection.close()


def wait(port: int, token: str, alive: Callable[[], bool], *, patience: float = PATIENCE) -> None:
    """Return when the server answers; `NotReadyError` when it ends or `patience` seconds pass. Can be cancelled.

    `alive` is asked once a second: it costs a call of the engine.
    """
    begun = time.monotonic()
    asked = begun
    while not answers(port, token):
        cancel.check()
        now = time.monotonic()
        if now - begun > patience:
            raise NotReadyError(f"The server did not answer within {patience:.0f} s.")
        if now - asked > 1.0:
            if not alive():
                raise NotReadyError("The server ended before it answered.")
            asked = now
        time.sleep(0.02)


def reach(engine: Engine, running: Running, token: str) -> None:
    """Wait for the server; when it does not come, say why with its own last words."""
    engine.forward(running.port)
    try:
        wait(running.port, token, lambda: _state(engine, running) == "running")
    except NotReadyError as error:
        raise _explained(engine, running, error) from error


def _state(engine: Engine, running: Running) -> str:
    """Of what was started, not of what its engine has started in its place: that was handed over nothing."""
    found = engine.find({labels.NAME: running.name, labels.OWNER: running.owner})
    this = (running.id, running.started)
    return next((each.state for each in found if (each.id, each.started) == this), "gone")


def _explained(engine: Engine, running: Running, error: NotReadyError) -> NotReadyError:
    found = next((each for each in engine.find({labels.NAME: running.name}) if each.id == running.id), None)
    if found and found.out_of_memory:
        return NotReadyError("The workbench was ended for lack of memory.", "Give it more: --memory 4g, or none.")
    try:
        last = tuple(line for line in engine.logs(running.id, tail=20) if line.strip())[-6:]
    except EngineError:
        last = ()
    hint = "These are the server's last lines: correct what they name, then run the same command again."
    return NotReadyError(error.message, hint, detail=last)


def can_open_browser(environ: Mapping[str, str]) -> bool:
    """Whether there is a screen to open a browser on."""
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY") or environ.get("BROWSER"))


def open_browser(url: str, folder: Path) -> bool:
    """Open `url` through a redirect file (0600), so that the token is in no process list. False when there is none."""
    import webbrowser

    page = folder / "open.html"
    target = html.escape(url, quote=True)
    descriptor = os.open(page, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(
            f'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={target}">'
            f'<title>Workbench</title><p><a href="{target}">Open JupyterLab</a></p>\n'
        )
    try:
        return webbrowser.open(page.as_uri())
    except webbrowser.Error:
        return False
