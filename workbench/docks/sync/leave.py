"""Leave a dock: remove the copy of a project there, once all that is not ignored is here."""

import shlex
import shutil
import time

from workbench.docks import tunnel
from workbench.docks.book import book
from workbench.docks.sync import copy
from workbench.errors import DockError
from workbench.state import State

PATIENCE = 60.0
"""Seconds in which whoever keeps the copy must have ended."""


def leave(state: State, dock: str) -> None:
    """Remove the copy and what both sides remember of it. Raises DockError where not everything is here."""
    with copy.held(state):
        settled, now, what = copy.settle(state), copy.status(state), copy.read(state)
    if what is None:
        return
    if not settled or now is None or now.failed:
        raise DockError(
            f"Not everything of the project has come back from {dock}.", "See what is missing: workbench sync"
        )
    _end_keeping(state, what)
    name = shlex.quote(state.folder.name)
    with tunnel.held(book().find(dock), engine=False) as there:
        done = there.run(f'rm -rf -- "$HOME"/{shlex.quote(what.copy)} "$HOME"/.local/share/workbench/sync/{name}')
    if done.code:
        raise DockError(
            f"The copy on {dock} cannot be removed.",
            f"Remove it yourself there: {what.copy} in your home.",
            detail=done.err.splitlines()[-3:],
        )
    shutil.rmtree(copy.folder_of(state), ignore_errors=True)


def _end_keeping(state: State, what: copy.What) -> None:
    """Nobody may look at both sides while one of them goes: what is gone there would be taken for deleted."""
    (copy.folder_of(state) / copy.WHAT).unlink(missing_ok=True)
    deadline = time.monotonic() + PATIENCE
    while copy.kept(state):
        if time.monotonic() > deadline:
            copy.want(state, what)
            raise DockError(f"The copy on {what.dock} is still being kept the same.", "Run the same command again.")
        time.sleep(0.1)
