"""`run-notebook --dock NAME --ship`: the image of a workbench made here, and only what is missing of it sent there."""

import os
from contextlib import closing

from workbench import engines
from workbench.docks import tunnel
from workbench.docks.book import book
from workbench.flow import Ui, build_on
from workbench.images import transfer
from workbench.model import ImageBuild
from workbench.ssh import Connection


def ship(build: ImageBuild, dock: str, ui: Ui) -> None:
    """Have the image on a dock. Raises NoEngineError where no engine of this machine has images."""
    host = book().find(dock).host
    engine, store = engines.with_images("auto", os.environ)
    with closing(engine):
        build_on(engine, build, ui)
        transfer.transfer(store, build.tag, Connection(host, tunnel.folder_of(host)), ui)
