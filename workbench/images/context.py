"""What a build sends: the project's folder as `.dockerignore` filters it. Reads the disk."""

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from workbench.images.spec import BuildSpec
from workbench.plan import ignored
from workbench.plan.digest import digest
from workbench.plan.ignored import Rule

IGNORE = ".dockerignore"
LARGE = 100 * 1000 * 1000
"""Bytes above which a context is worth a warning."""
HASHED = 16 * 1000 * 1000
"""Bytes of the largest file that is read to see whether it changed; of larger ones size and time have to do."""
NAMED = 3
OPTIONS = "(options)"


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
    """What the build of an image's folder sees, and its Dockerfile and `.dockerignore`, which are sent in any case."""
    # Podman 4.3 goes by both where there are both, and sends less.
    file = next((name for name in (f"docker/{folder}/Dockerfile{IGNORE}", IGNORE) if (root / name).is_file()), "")
    rules = ignored.read((root / file).read_text("utf-8", "replace")) if file else ()
    always = {f"docker/{folder}/Dockerfile", *([file] if file else [])}
    return Context(tuple(_entries(root, sorted({*_walk(root, "", rules), *always}))))


def inputs(root: Path, folder: str, context: Context, build: BuildSpec, bases: Mapping[str, str]) -> dict[str, str]:
    """What an image is made from, by the names that a person knows -> digest.

    Each entry at the top of the context, of `docker/` the image's own folder only; the options of the build; the
    images that it starts from, `bases`: name -> id.
    """
    groups: dict[str, list[Entry]] = {}
    for entry in context.entries:
        if (group := _group(entry.path, folder)) is not None:
            groups.setdefault(group, []).append(entry)
    settings = (dict(build.args), dict(build.private), build.target, build.platform, build.network)
    return {
        **{group: digest([_fingerprint(root, entry) for entry in entries]) for group, entries in groups.items()},
        OPTIONS: digest(settings),
        **{f"({name})": id.removeprefix("sha256:")[:16] for name, id in bases.items()},
    }


def is_base(name: str) -> bool:
    """Whether one of the `inputs` is an image that is started from."""
    return name.startswith("(") and name != OPTIONS


def _group(path: str, folder: str) -> str | None:
    """The name for what a file belongs to; None for what is of the project's other images."""
    top, slash, _ = path.partition("/")
    if top != "docker":
        return top + slash
    return f"docker/{folder}/" if path.startswith(f"docker/{folder}/") else None


def _walk(root: Path, folder: str, rules: tuple[Rule, ...]) -> Iterator[str]:
    """What is below a folder and not left out, in POSIX form."""
    try:
        found = list(os.scandir(root / folder))
    except FileNotFoundError:
        # Gone meanwhile.
        return
    for each in found:
        path = f"{folder}/{each.name}" if folder else each.name
        out = ignored.leaves_out(rules, path)
        if not each.is_dir(follow_symlinks=False):
            if not out:
                yield path
        elif not out or ignored.may_take_back(rules, path):
            yield from _walk(root, path, rules)


def _entries(root: Path, paths: Iterable[str]) -> Iterator[Entry]:
    for path in paths:
        try:
            status = (root / path).lstat()
        except FileNotFoundError:
            # Gone since the walk.
            continue
        yield Entry(path, status)


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
        return _hashed(path, status.st_mtime_ns)
    except OSError as error:
        # The build will say so itself, if it needs it.
        return str(error.strerror)


@cache
def _hashed(path: Path, modified: int) -> str:
    """The images of a project see mostly the same files."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
