"""`workbench tutorial`: lessons that come with Workbench, copied into folders of the student's own."""

import hashlib
import json
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from workbench import share
from workbench.errors import ConfigError, ProjectError
from workbench.notebook import lesson as exercises
from workbench.notebook.lesson import FOLDER, PROGRESS

MANIFEST, COPIED = "lesson.toml", "copied.json"
HOME = "workbench-tutorial"
"""Folder of the user's home that lessons are copied to."""
_NOT_OURS = ("__pycache__", ".ipynb_checkpoints", ".diffs", ".git")


@dataclass(frozen=True, slots=True)
class Lesson:
    """A lesson as it ships. `notebook` is what is opened; `minutes` what it takes to work through it.

    `shares`: folders that several lessons have, each of which lies beside them and is copied into each. `asks`: why
    it asks more of the machine than a notebook does, for who has to agree to that.
    """

    name: str
    title: str
    summary: str
    minutes: int
    notebook: str
    engines: tuple[str, ...]
    folder: Path
    shares: tuple[str, ...] = ()
    asks: str = ""

    @property
    def number(self) -> str:
        """The first part of its name: `02`."""
        return self.name.partition("-")[0]

    @property
    def exercises(self) -> list[int]:
        """The numbers of its exercises."""
        return exercises.numbers(self.folder / FOLDER)


def lessons() -> tuple[Lesson, ...]:
    """Every lesson, in their order."""
    return tuple(_lesson(file.parent) for file in sorted(share.folder("notebooks").glob(f"*/{MANIFEST}")))


def find(word: str) -> Lesson:
    """The lesson of this number or name, or the one with this word in its name. Raises ConfigError for none or many."""
    known = lessons()
    for matches in (
        [each for each in known if word in (each.name, each.number, each.number.lstrip("0"))],
        [each for each in known if word.lower() in each.name],
    ):
        if len(matches) == 1:
            return matches[0]
    from workbench.schema import nearest

    raise ConfigError(f"There is no lesson {word!r}.", nearest(word, (each.name for each in known)))


def place(lesson: Lesson) -> Path:
    """Where a student's copy is, unless another folder was named."""
    return Path.home() / HOME / lesson.name


def done(folder: Path) -> set[int]:
    """The exercises that were done in a copy."""
    return exercises.progress(folder / FOLDER)


def copy(lesson: Lesson, target: Path) -> list[str]:
    """Have the lesson in a folder; sentences about what could not simply be copied.

    A file that the student changed stays. Where the lesson's own has changed since, too, it comes beside it.
    """
    if target.exists() and any(target.iterdir()) and not (target / FOLDER).is_dir():
        raise ProjectError(f"{target} is not empty, and no copy of a lesson.", "Name another folder: --to FOLDER")
    known, notes = _copied(target), []
    for name, file in _files(lesson):
        content, mine = file.read_bytes(), target / name
        if mine.is_file() and not _is_ours(name):
            theirs = mine.read_bytes()
            if theirs == content or known.get(name) == _digest(content):
                continue
            if known.get(name) != _digest(theirs):
                beside = mine.with_name(f"{mine.stem} (new version){mine.suffix}")
                beside.write_bytes(content)
                notes.append(f"{name} is yours and stays; the lesson's new version is {beside.name}.")
                known = {**known, name: _digest(content)}
                continue
        mine.parent.mkdir(parents=True, exist_ok=True)
        mine.write_bytes(content)
        mine.chmod(file.stat().st_mode & 0o755 | 0o600)
        known = {**known, name: _digest(content)}
    (target / FOLDER / COPIED).write_text(json.dumps(known, indent=1), encoding="utf-8")
    return notes


def reset(lesson: Lesson, target: Path) -> Path | None:
    """Begin anew: what there was is kept in a folder of its own, whose path this returns; None where there was nothing.

    Raises ProjectError where the folder is no copy of a lesson.
    """
    if not (target / FOLDER).is_dir():
        if target.exists() and any(target.iterdir()):
            raise ProjectError(
                f"{target} is no copy of a lesson: it stays.", "Name the folder of the copy: --to FOLDER"
            )
        copy(lesson, target)
        return None
    aside = _aside(target)
    aside.mkdir()
    for each in [*target.iterdir()]:
        if not each.name.startswith("before-") and each.name not in _NOT_OURS:
            shutil.move(each, aside / each.name)
    (target / FOLDER).mkdir()
    copy(lesson, target)
    return aside


def _aside(target: Path) -> Path:
    """A folder that is not there yet: a second may see two resets."""
    name = f"before-{time.strftime('%Y%m%d-%H%M%S')}"
    names = (name, *(f"{name}-{number}" for number in range(2, 1000)))
    return next(target / each for each in names if not (target / each).exists())


def _lesson(folder: Path) -> Lesson:
    import tomllib

    told = tomllib.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    return Lesson(
        folder.name,
        told["title"],
        told["summary"],
        told["minutes"],
        told["notebook"],
        tuple(told.get("engines", ("docker", "podman", "local"))),
        folder,
        tuple(told.get("shares", ())),
        told.get("asks", ""),
    )


def _files(lesson: Lesson) -> Iterator[tuple[str, Path]]:
    """Each file of a lesson: its name in a copy, and where it ships."""
    places = [
        (lesson.folder, lesson.folder),
        *((lesson.folder.parent / each, lesson.folder.parent) for each in lesson.shares),
    ]
    for folder, base in places:
        for file in sorted(folder.rglob("*")):
            name = file.relative_to(base)
            if file.is_file() and not {*name.parts} & {*_NOT_OURS} and name.as_posix() != f"{FOLDER}/{PROGRESS}":
                yield name.as_posix(), file


def _is_ours(name: str) -> bool:
    """Whether a file is the lesson's own affair."""
    return name.startswith(f"{FOLDER}/")


def _copied(target: Path) -> Mapping[str, str]:
    try:
        found = json.loads((target / FOLDER / COPIED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
