"""Notebooks find their kernels again: the sessions of a server are kept, and come back under their ids at the next.

They come back for tabs that wait for them, and after an end that was not in order; after an ordinary stop they do not.
"""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from jupyter_core.utils import ensure_async

from workbench.inside.delivery import write_private
from workbench.inside.report import say

FILE = "sessions.json"
PAUSE = 0.1
"""Seconds from a change to the file: changes in quick succession are one."""
DEFAULT = "python3"
"""The kernelspec of the device that a workbench has started on."""


class Session(NamedTuple):
    """A notebook or console with its kernel."""

    id: str
    path: str
    name: str
    type: str
    kernel: str
    spec: str


class Kept(NamedTuple):
    """What the server before has left: its sessions, and whether it was told to stop."""

    sessions: tuple[Session, ...] = ()
    in_order: bool = True


def read(file: Path) -> Kept:
    """What the file holds; nothing when it is not there or not ours."""
    try:
        found = json.loads(file.read_bytes())
        return Kept(tuple(_session(each) for each in found["sessions"]), found["in_order"] is not False)
    except (OSError, ValueError, KeyError, TypeError):
        return Kept()


class Sessions:
    """The sessions of a server, in `file` (0600) where there is one."""

    def __init__(self, server: Any, file: Path | None) -> None:
        self._server, self._file = server, file
        self._kept = Kept()
        self._due: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.heard: list[Callable[[], object]] = []
        """Called after each change."""

    def begin(self, *, returning: bool) -> None:
        """Have what was kept come back if anybody waits for it. The server's loop does not run yet.

        Sessions and the ids of their kernels are known from here on; the kernels start when the loop runs.
        """
        if self._file is None:
            return
        before = read(self._file)
        wanted = before.sessions if returning or not before.in_order else ()
        self._keep(Kept(wanted, in_order=False))
        if wanted:
            self._server.io_loop.run_sync(lambda: self._restore(wanted))

    def changed(self) -> None:
        """Something is different: keep it soon."""
        for hear in self.heard:
            hear()
        if self._file and self._due is None:
            self._due = asyncio.get_running_loop().call_later(PAUSE, lambda: self._begin_task(self._note()))

    def end(self) -> None:
        """The server is told to stop: what is kept stays as it is now, whatever becomes of the kernels."""
        if self._file:
            self._keep(self._kept._replace(in_order=True))
            self._file = None

    async def _note(self) -> None:
        self._due = None
        models = await self._server.session_manager.list_sessions()
        self._keep(Kept(tuple(map(_from_model, models)), in_order=False))

    def _keep(self, kept: Kept) -> None:
        if self._file is None or (kept == self._kept and self._file.exists()):
            return
        document = {"in_order": kept.in_order, "sessions": [session._asdict() for session in kept.sessions]}
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(self._file, json.dumps(document, indent=1))
        except OSError as error:
            say(f"the notebooks' sessions cannot be kept: {error}")
            self._file = None
            return
        self._kept = kept

    async def _restore(self, sessions: tuple[Session, ...]) -> None:
        known = set(self._server.kernel_spec_manager.find_kernel_specs())
        for session in sessions:
            try:
                await self._bring_back(session, session.spec if session.spec in known else DEFAULT)
            except Exception as error:  # whatever it is, the server starts
                _missed(session, error)

    async def _bring_back(self, session: Session, spec: str) -> None:
        manager, contents, kernels = self._managers()
        if session.type == "notebook" and not await ensure_async(contents.file_exists(session.path)):
            return
        # A kernel of which only the id is there as yet: Jupyter calls it pending. Nothing waits for its start here,
        # which itself waits for the live install; and nobody else starts kernels before the loop runs.
        kernels.use_pending_kernels = True
        try:
            folder = await ensure_async(contents.get_kernel_path(path=session.path))
            env = manager.get_kernel_env(session.path, session.name)
            await kernels.start_kernel(kernel_id=session.kernel, kernel_name=spec, path=folder, env=env)
        finally:
            kernels.use_pending_kernels = False
        told = {"path": session.path, "name": session.name, "type": session.type}
        await manager.save_session(session.id, kernel_id=session.kernel, **told)
        self._begin_task(self._see_through(session))

    async def _see_through(self, session: Session) -> None:
        """Wait for the kernel; one that does not start is not left behind."""
        kernels = self._server.kernel_manager
        ready = kernels.get_kernel(session.kernel).ready
        try:
            await (ready if isinstance(ready, asyncio.Future) else asyncio.wrap_future(ready))
        except Exception as error:
            _missed(session, error)
            kernels.remove_kernel(session.kernel)
            self.changed()

    def _managers(self) -> tuple[Any, Any, Any]:
        return self._server.session_manager, self._server.contents_manager, self._server.kernel_manager

    def _begin_task(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _session(found: dict[str, Any]) -> Session:
    session = Session(**found)
    if not all(isinstance(value, str) for value in session):
        raise TypeError("not a session")
    return session


def _from_model(model: dict[str, Any]) -> Session:
    kernel = model["kernel"]
    return Session(model["id"], model["path"], model["name"] or "", model["type"], kernel["id"], kernel["name"])


def _missed(session: Session, error: Exception) -> None:
    say(f"the kernel of {session.path} did not come back: {error}")
