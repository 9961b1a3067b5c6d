"""A folder by its descriptor: what is done in it stays in it, whatever becomes of its path meanwhile."""

import errno
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PART = re.compile(r"\.[0-9a-f]{16}\.part")
"""Names of files that are being written."""
ABANDONED = 60.0
"""Age in seconds of such a file at which its writer is taken to have been killed."""
LINK = "Not a folder (links are not followed)"


class Folder:
    """An open folder. Names are those of entries in it; a link among them is never followed to be written to."""

    def __init__(self, descriptor: int) -> None:
        self._at = descriptor

    @contextmanager
    def inner(self, name: str, *, make: bool = False) -> Iterator["Folder"]:
        """A folder in this one. FileNotFoundError if it is not there, NotADirectoryError if it is a link or a file."""
        if make:
            with suppress(FileExistsError):
                os.mkdir(name, dir_fd=self._at)
        try:
            descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=self._at)
        except OSError as error:
            if error.errno in (errno.ENOTDIR, errno.ELOOP):
                raise NotADirectoryError(errno.ENOTDIR, LINK, name) from None
            raise
        with _closing(descriptor) as folder:
            yield folder

    def names(self) -> list[str]:
        """Names of all entries."""
        with os.scandir(self._at) as entries:
            return [entry.name for entry in entries]

    def has_file(self, name: str) -> bool:
        """Whether there is a file of this name, or a link to one."""
        try:
            return stat.S_ISREG(os.stat(name, dir_fd=self._at).st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return False

    def read(self, name: str, size: int = -1) -> bytes | None:
        """Content of a file, or its first `size` bytes. None for what is not there, and for what is not a file."""
        try:
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=self._at)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENXIO):
                return None
            raise
        with os.fdopen(descriptor, "rb") as file:
            return file.read(size) if stat.S_ISREG(os.fstat(descriptor).st_mode) else None

    def put(self, name: str, content: bytes) -> bool:
        """Make a file have this content, whole or not at all; returns False, without a touch, where it has already."""
        if self.read(name) == content:
            return False
        part = f".{secrets.token_hex(8)}.part"
        try:
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=self._at)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            self.move(part, self, name)
        except OSError as error:
            with suppress(OSError):  # as above, it may be
                self.remove(part)
            error.filename = name
            raise
        return True

    def move(self, name: str, to: "Folder", new: str) -> None:
        """Rename an entry, into another folder perhaps; what has the new name is replaced."""
        os.replace(name, new, src_dir_fd=self._at, dst_dir_fd=to._at)

    def remove(self, name: str) -> None:
        """Remove a file or a link, if it is there."""
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._at)

    def remove_empty(self, name: str) -> None:
        """Remove a folder if it is there, empty, and can be removed: one that stays does no harm."""
        with suppress(OSError):
            os.rmdir(name, dir_fd=self._at)

    def sweep(self) -> None:
        """Remove what writers that were killed have left."""
        for name in filter(PART.fullmatch, self.names()):
            with suppress(FileNotFoundError):
                if os.stat(name, dir_fd=self._at, follow_symlinks=False).st_mtime < time.time() - ABANDONED:
                    self.remove(name)


@contextmanager
def opened(path: Path) -> Iterator[Folder]:
    """The folder at a path. FileNotFoundError if there is none."""
    with _closing(os.open(path, os.O_RDONLY | os.O_DIRECTORY)) as folder:
        yield folder


@contextmanager
def _closing(descriptor: int) -> Iterator[Folder]:
    try:
        yield Folder(descriptor)
    finally:
        os.close(descriptor)
