"""The lines of `.gitattributes` and `.gitignore` that copies of notebooks want. Adds, and never takes away."""

from dataclasses import dataclass
from pathlib import Path

from workbench.errors import ProjectError

WANTED = {
    ".gitattributes": (
        "# Copies of notebooks (`workbench diffs`): pages and images are folded in reviews, all stay as written.",
        "**/.diffs/*.html linguist-generated=true gitlab-generated -text",
        "**/.diffs/*_files/* linguist-generated=true gitlab-generated",
        "**/.diffs/*.py -text",
    ),
    ".gitignore": (
        "# What Jupyter leaves beside notebooks",
        ".ipynb_checkpoints/",
        ".~*.ipynb",
    ),
}
"""By file, a comment and the lines under it."""


@dataclass(frozen=True, slots=True)
class Added:
    """What became of one file. No lines: all of them were there."""

    file: Path
    lines: tuple[str, ...]
    created: bool = False


def add(root: Path) -> list[Added]:
    """Add to the files of a project what they lack. A pattern that is there keeps the meaning that it has."""
    return [_add(root / name, *lines) for name, lines in WANTED.items()]


def _add(file: Path, comment: str, *lines: str) -> Added:
    if file.is_symlink():
        raise ProjectError(f"{file} is a symbolic link, which git does not follow.", "Make it a file of the project.")
    created = not file.exists()
    before = b"" if created else file.read_bytes()
    there = {_pattern(line) for line in before.decode("utf-8", "replace").splitlines()}
    lacking = tuple(line for line in lines if _pattern(line) not in there)
    if lacking:
        # The file's own way to end lines, and no line of it continued by ours.
        end = b"\r\n" if b"\r\n" in before else b"\n"
        gap = b"" if created else end if before.endswith(b"\n") or not before else end * 2
        file.write_bytes(before + gap + b"".join(line.encode() + end for line in (comment, *lacking)))
    return Added(file, lacking, created)


def _pattern(line: str) -> str:
    """What a line is about, however it is anchored."""
    word = (line.split() or [""])[0]
    return word.removeprefix("**/").rstrip("/")
