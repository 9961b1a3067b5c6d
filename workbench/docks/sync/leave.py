"""Leave a dock: remove the copy of a project there, once all that is not ignored is here."""

import shlex
import shutil

from workbench.docks import tunnel
from workbench.docks.book import book
from workbench.docks.sync import copy
from workbench.errors import DockError
from workbench.state import State


def leave(state: State, dock: str) -> None:
    """Remove the copy and what both sides remember of it. Raises DockError where not everything is here."""
    with copy.held(state):
        if not copy.settle(state):
            raise DockError(f"Not everything of the project has come back from {dock}.", "See: workbench sync")
        what = copy.read(state)
    if what is None:
        return
    name = shlex.quote(state.folder.name)
    with tunnel.held(book().find(dock), engine=False) as there:
        there.run(f'rm -rf -- "$HOME"/{shlex.quote(what.copy)} "$HOME"/.local/share/workbench/sync/{name}')
    shutil.rmtree(copy.folder_of(state), ignore_errors=True)
