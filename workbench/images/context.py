"""What a build sends: the project's folder as `.dockerignore` filters it. Reads the disk."""

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from workbench.images.spec import BuildSpec
from workbench.plan.digest import digest

IGNORE = ".dockerignore"
LARGE = 100 * 1000 * 1000
"""Bytes above which a context is worth a warning."""
HASHED = 16 * 1000 * 1000
"""Bytes of the largest file that is read to see whether it changed; of larger ones size and time have to do."""
NAMED = 3


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that a build sees: its path in POSIX form, relative to the context."""

    path: str
    status: os.stat_result


@dataclass(frozen=True, slots=True)
class Context:
    """What a build sees. `size` in bytes."""

    entries: tuple[Entry, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(self._sizes().values())

    @property
    def largest(self) -> tuple[tuple[str, int], ...]:
        """The folders (and files) at the top that hold most, with their bytes."""
        return tuple(sorted(self._sizes().items(), key=lambda each: -each[1])[:NAMED])

    def _sizes(self) -> dict[str, int]:
        sizes: dict[str, int] = {}
        for entry in self.entries:
            if stat.S_ISREG(entry.status.st_mode):
                top, slash, _ = entry.path.partition("/")
                sizes[top + slash] = sizes.get(top + slash, 0) + entry.status.st_size
        return sizes


def survey(root: Path, folder: str) -> Context:
    """What the build of an image's folder sees."""
    from workbench.engines.sdk import unignored

    entries = _entries(root, sorted(unignored(root, patterns(root, folder))))
    return Context(tuple(entries))


def patterns(root: Path, folder: str) -> list[str]:
    """The lines of the Dockerfile's own `.dockerignore`, or of the project's, without comments.

    The Dockerfile and the file itself are sent in any case.
    """
    own = root / "docker" / folder / f"Dockerfile{IGNORE}"
    file = own if own.is_file() else root / IGNORE
    text = file.read_text("utf-8", "replace") if file.is_file() else ""
    lines = [line.strip() for line in text.removeprefix("\ufeff").splitlines()]
    return [*(line for line in lines if line and not line.startswith("#")), f"!docker/{folder}/Dockerfile"]


def inputs(root: Path, folder: str, context: Context, build: BuildSpec, bases: Mapping[str, str]) -> dict[str, str]:
    """What an image is made from, by the names that a person knows -> digest.

    Each entry at the top of the context, of `docker/` the image's own folder only; the options of the build; the
    images that it starts from, `bases`: name -> id.
    """
    groups: dict[str, list[Entry]] = {}
    for entry in context.entries:
        if (group := _group(entry.path, folder)) is not None:
            groups.setdefault(group, []).append(entry)
    options = (dict(build.args), dict(build.private), build.target, build.platform, build.network)
    return {
        **{group: digest([_fingerprint(root, entry) for entry in entries]) for group, entries in groups.items()},
        "(options)": digest(options),
        **{f"({name})": id.removeprefix("sha256:")[:16] for name, id in bases.items()},
    }


def _group(path: str, folder: str) -> str | None:
    """The name for what a file belongs to; None for what is of the project's other images."""
    top, slash, _ = path.partition("/")
    if top != "docker":
        return top + slash
    return f"docker/{folder}/" if path.startswith(f"docker/{folder}/") else None


def _entries(root: Path, paths: Iterable[str]) -> Iterator[Entry]:
    for path in paths:
        try:
            status = (root / path).lstat()
        except FileNotFoundError:
            # Gone since the walk.
            continue
        if not stat.S_ISDIR(status.st_mode):
            yield Entry(Path(path).as_posix(), status)


def _fingerprint(root: Path, entry: Entry) -> list[str]:
    """What tells a file from its like: path, whether it can be run, and content."""
    mode = entry.status.st_mode
    return [entry.path, str(bool(mode & stat.S_IXUSR)), _content(root / entry.path, entry.status)]


def _content(path: Path, status: os.stat_result) -> str:
    if stat.S_ISLNK(status.st_mode):
        return str(path.readlink())
    if not stat.S_ISREG(status.st_mode):
        return ""
    if status.st_size > HASHED:
        return f"{status.st_size} {status.st_mtime_ns}"
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        # The build will say so itself, if it needs it.
        return str(error.strerror)
