"""What is mounted from a project is what was agreed to: code inside may have put a link in its place since."""

import os
from collections.abc import Iterable
from pathlib import PurePath

from workbench.errors import EngineError


def refuse_links(sources: Iterable[str], root: str) -> None:
    """Raise EngineError when one of these folders in the project `root` leads elsewhere by now.

    Engines follow links each time that they start a container, also one whose mounts were resolved when it was made.
    """
    for source in sources:
        path = PurePath(source)
        if (
            root
            and path != PurePath(root)
            and path.is_relative_to(root)
            and (real := os.path.realpath(source)) != source
        ):
            raise EngineError(
                f"{source} was a folder or file of the project when it was agreed to, and leads to {real} by now.",
                "See what has put a link there; with the folder back in its place, run the command again.",
            )
