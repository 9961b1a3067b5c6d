"""Files of the user's that are written whole or not at all, or used by several commands at a time."""

import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def replace(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Give a file a new content unless it has it, keeping its mode; a new one can be read by all, as an editor has it.

    `mode`: what a new one has instead.
    """
    if path.is_file() and path.read_bytes() == content:
        return
    descriptor, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        if path.exists():
            shutil.copymode(path, part)
        else:
            Path(part).chmod(stat.S_IMODE(mode))
        Path(part).replace(path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise


@contextmanager
def shared(folder: Path) -> Iterator[Callable[[], bool]]:
    """Use something in a folder together with other commands, of other users too.

    What is yielded says, when this command has done with it, whether it was the last; until the end none can begin.
    """
    try:
        import fcntl
    except ImportError:  # pragma: no cover - no such locks on this system
        yield lambda: True
        return
    descriptor = os.open(folder, os.O_RDONLY)

    def is_last() -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            # A file system without locks.
            return True
        return True

    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield is_last
    finally:
        os.close(descriptor)
