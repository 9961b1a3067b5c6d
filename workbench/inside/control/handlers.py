"""What a page asks for: the state, its changes as a stream, the log, and the verbs. Jupyter's own rules of who may."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado import web
from tornado.iostream import StreamClosedError

from workbench.inside import wire

if TYPE_CHECKING:
    from workbench.inside.control.listeners import Listener
    from workbench.inside.control.monitor import Monitor

REFUSED: Mapping[str, HTTPStatus] = {
    **dict.fromkeys(("malformed", "unknown_verb", "bad_arguments", "version"), HTTPStatus.BAD_REQUEST),
    **dict.fromkeys(("too_many", "too_soon"), HTTPStatus.TOO_MANY_REQUESTS),
    **dict.fromkeys(("no_agent", "leaving"), HTTPStatus.SERVICE_UNAVAILABLE),
}
"""The answer's status by the code of a refusal; a conflict for all others."""


class Handler(APIHandler):
    """What all have in common."""

    auth_resource = "workbench"
    # A page that only watches does not keep a server from ending for want of activity.
    _track_activity = False

    async def prepare(self) -> None:  # type: ignore[override]
        """A server that stops answers no more, or a page that waits for the next one would take it for that one."""
        await super().prepare()
        if self.monitor.closed:
            self.set_header("Connection", "close")
            self.refuse({"code": "leaving", "message": "The server stops."})

    @property
    def monitor(self) -> "Monitor":
        """The state and who hears of it."""
        found: Monitor = self.settings["workbench_control"].monitor
        return found

    async def ask(self, verb: str, arguments: Mapping[str, Any]) -> dict[str, Any] | None:
        """The result of a verb; None when it was refused, and that was answered."""
        reply = await self.monitor.link.ask(verb, arguments)
        if reply.get("ok") is True:
            return dict(reply.get("result") or {})
        self.refuse(reply.get("error") or {})
        return None

    def refuse(self, error: Mapping[str, Any]) -> None:
        """Answer that it is not done, and why."""
        code = str(error.get("code", "failed"))
        self.set_status(REFUSED.get(code, HTTPStatus.CONFLICT))
        self.finish({"ok": False, "error": {"code": code, "message": "", "hint": "", **error}})


class State(Handler):
    """`GET state`: the whole document."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Look, and answer."""
        await self.monitor.look()
        self.set_header("Cache-Control", "no-store")
        self.finish(self.monitor.document())


class Events(Handler):
    """`GET events`: the document and its changes, as they come."""

    listener: "Listener | None" = None

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Write events until one side ends."""
        await self.monitor.look()
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("Cache-Control", "no-store")
        # Events leave as they are: compression would keep them back.
        self.set_header("Content-Encoding", "identity")
        follows = self.get_query_argument("follow", "") == "log"
        with self.monitor.listening(follows, self._drop) as self.listener:
            while (event := await self.listener.next()) is not None:
                try:
                    self.write(event)
                    await self.flush()
                except StreamClosedError:
                    return

    def on_connection_close(self) -> None:
        """The page has gone."""
        super().on_connection_close()
        if self.listener:
            self.listener.leave()

    def _drop(self) -> None:
        """End the connection of a page that does not read."""
        connection: Any = self.request.connection
        connection.stream.close()


class Logs(Handler):
    """`GET logs`, `GET services/<place in the list>/logs`: the last lines that the server, or a service, wrote."""

    @web.authenticated
    @authorized
    async def get(self, service: str | None = None) -> None:
        """Ask the agent."""
        tail = self.get_query_argument("tail", "200")
        if not tail.isdecimal() or len(tail) > 6:
            self.refuse({"code": "bad_arguments", "message": "`tail` must be a number."})
            return
        wanted = {"tail": max(1, min(int(tail), wire.LINES))}
        if service is None:
            result = await self.ask("logs", wanted)
        else:
            result = await self.ask("service_logs", {"service": int(service), **wanted})
        if result is not None:
            self.finish(result)


class Verbs(Handler):
    """`POST verbs/<verb>`: what the agent does."""

    _track_activity = True

    @web.authenticated
    @authorized
    async def post(self, verb: str) -> None:
        """Hand a verb and its arguments on, and its answer back."""
        if verb not in wire.VERBS:
            self.refuse({"code": "unknown_verb", "message": f"There is no verb {verb[:40]!r}."})
            return
        try:
            arguments = wire.decode(self.request.body or b"{}")
        except wire.Malformed as error:
            self.refuse({"code": "malformed", "message": f"The arguments cannot be read: {error}."})
            return
        result = await self.ask(verb, arguments)
        if result is not None:
            self.finish({"ok": True, "result": result})


HANDLERS = [
    (r"/workbench/api/state", State),
    (r"/workbench/api/events", Events),
    (r"/workbench/api/logs", Logs),
    (r"/workbench/api/services/([0-9]{1,3})/logs", Logs),
    (r"/workbench/api/verbs/([^/]+)", Verbs),
]
