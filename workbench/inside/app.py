"""Jupyter's server with a workbench's manners: kernels wait for the project, and a stop never cuts a save."""

import asyncio
import logging
import signal
from concurrent.futures import Future
from typing import Any, NamedTuple

from jupyter_server import serverapp
from jupyter_server.services.contents.manager import AsyncContentsManager
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager, ServerKernelManager
from jupyter_server.services.sessions import sessionmanager
from jupyterlab.labapp import LabApp
from traitlets import Instance, default
from traitlets.config import Config

from workbench.inside import settings
from workbench.inside.place import Place
from workbench.inside.report import say
from workbench.inside.saves import Saves, counted
from workbench.inside.sessions import FILE, Sessions


class OptionError(Exception):
    """A Jupyter option asks for what a workbench does not leave to options."""


class Terms(NamedTuple):
    """What a server is started with. `project_ready` ends, always with a result, when the live install has ended."""

    place: Place
    token: str
    project_ready: "Future[Any]"
    returning: bool = False
    """Whether open tabs wait for their kernels."""

    def __repr__(self) -> str:
        return f"Terms({self.place.name!r}, ...)"


class KernelManager(ServerKernelManager):
    """A kernel that starts once the project is installed."""

    async def start_kernel(self, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        """Wait for the live install, then start the kernel."""
        # The shield: a browser that goes away cancels its request, not the install.
        await asyncio.shield(asyncio.wrap_future(ServerApp.instance().terms.project_ready))
        return await super().start_kernel(*args, **kwargs)


class KernelManagers(AsyncMappingKernelManager):
    """All kernels of this server."""

    @default("kernel_manager_class")
    def _kernel_manager_class(self) -> str:
        return "workbench.inside.app.KernelManager"


class SessionManager(sessionmanager.SessionManager):
    """The sessions of this server; it is told of each change."""

    async def save_session(self, *args: Any, **kwargs: Any) -> Any:
        """Add a session."""
        saved = await super().save_session(*args, **kwargs)  # type: ignore[no-untyped-call]
        ServerApp.instance().sessions.changed()
        return saved

    async def update_session(self, *args: Any, **kwargs: Any) -> None:
        """Change a session: its path, or its kernel."""
        await super().update_session(*args, **kwargs)  # type: ignore[no-untyped-call]
        ServerApp.instance().sessions.changed()

    async def delete_session(self, *args: Any, **kwargs: Any) -> None:
        """End a session and its kernel."""
        await super().delete_session(*args, **kwargs)  # type: ignore[no-untyped-call]
        ServerApp.instance().sessions.changed()


class ServerApp(serverapp.ServerApp):
    """A workbench's server. Has its parent's name: sections of configuration go by the name of the class."""

    terms = Instance(Terms)

    def parse_command_line(self, argv: list[str] | None = None) -> None:
        """Read the user's options, and refuse those that are not theirs."""
        super().parse_command_line(argv)
        fixed = settings.fixed(self.terms.place, self.terms.token)
        refused = settings.forbidden(self.config, fixed)
        if refused:
            raise OptionError(f"A workbench itself decides about {', '.join(refused)}: leave the option out.")
        # From here on these count as command line options: stronger than any configuration file.
        self.update_config(Config(fixed))

    def load_config_file(self, suppress_errors: bool = True) -> None:  # type: ignore[override]
        """Our defaults first, so that the user's own files win."""
        self.update_config(Config(settings.defaults(self.terms.place)))
        super().load_config_file(suppress_errors)

    def find_server_extensions(self) -> None:
        """Whatever a configuration or an option says: some extensions are off."""
        super().find_server_extensions()
        self.jpserver_extensions.update(dict.fromkeys(settings.NEVER, False))

    def init_configurables(self) -> None:
        """Count the saves of whatever contents manager is configured; sessions are kept."""
        self.saves = Saves()
        if issubclass(self.contents_manager_class, AsyncContentsManager):
            self.contents_manager_class = counted(self.contents_manager_class, self.saves)
        keep = self.terms.place.keep
        self.sessions = Sessions(self, keep and keep / FILE)
        super().init_configurables()

    def init_httpserver(self) -> None:
        """Have sessions come back before anybody can ask for them."""
        self.sessions.begin(returning=self.terms.returning)
        super().init_httpserver()

    def init_signal(self) -> None:
        """SIGTERM and SIGINT both end the server in good order; there is no question on a terminal."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._signal_stop)

    def start_app(self) -> None:
        """Say where the server is before it begins to answer."""
        super().start_app()
        say(f"serving {self.terms.place.root} as {self.terms.place.name}")

    def _signal_stop(self, sig: int, frame: object) -> None:
        if not self._stopping:
            say("stopping: saves are finished, kernels are shut down")
            self.stop(from_signal=True)

    async def _stop(self) -> None:
        self.sessions.end()
        if not await self.saves.finished():
            say("a save did not end in time; its notebook is put right at the next start")
        await super()._stop()
        say("stopped")


def serve(terms: Terms) -> None:
    """Run the server until it is told to stop. OptionError for an option that is not the user's."""
    # Jupyter's own default, at which tornado grumbles once in every server's life.
    logging.getLogger("tornado.general").addFilter(lambda record: "websocket_ping_timeout" not in record.getMessage())
    server = ServerApp.instance(terms=terms, no_browser_open_file=True)
    server.aliases.update(LabApp.aliases)
    server.initialize(list(terms.place.options), starter_extension=LabApp.name)
    server.start()
