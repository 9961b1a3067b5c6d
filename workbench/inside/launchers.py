"""Console scripts of the shared environment, once more for each device: with its interpreter. Standard library only."""

import csv
import os
import re
import shutil
from pathlib import Path

from workbench.inside.uv import site_packages

FOLDER = "devices"
"""In the shared environment: where those of the devices are."""
KINDS = {"cpu": "CPU", "gpu": "GPU"}
INTERPRETER = re.compile(rb"#!(?:/bin/sh\n'''exec' )?[\"']?(?P<folder>/[^\n]*?)/python[\d.]*[\"']?[ \r\n]")
"""How a console script begins. The longer form is for paths that are too long, or have spaces."""
RELOCATABLE = re.compile(rb"#!/bin/sh\n'''exec' \"\$\(dirname -- ")
"""How uv's own scripts begin in an environment that can be moved: they take the interpreter beside them."""
SCRIPTS = "../../../bin/"
"""Where console scripts are, as seen from the folder of packages."""


def refresh(shared: Path) -> None:
    """Bring the console scripts of all devices up to those of the shared environment. Costs some milliseconds."""
    for venv in devices(shared):
        copy_launchers(shared, venv)


def devices(shared: Path) -> list[Path]:
    """The environments over a shared one."""
    return [venv for kind in KINDS if (venv := shared / FOLDER / kind).is_dir()]


def copy_launchers(shared: Path, venv: Path) -> None:
    """Give `venv` the console scripts that `shared` has, and no others, besides those of its own packages."""
    source, target = shared / "bin", venv / "bin"
    if not source.is_dir():  # Windows, where scripts are programs
        return
    own = brought(venv)
    wanted = {file.name: text for file in source.iterdir() if (text := launcher(file, source, target))}
    for name in wanted.keys() - own:
        _write(target / name, wanted[name], source / name)
    for file in target.iterdir():
        if file.name not in own | wanted.keys() and launcher(file, target, target):
            file.unlink()


def launcher(file: Path, folder: Path, target: Path) -> bytes | None:
    """A console script of `folder` with the interpreter of `target`; None for any other file."""
    if file.is_symlink() or not file.is_file():
        return None
    with file.open("rb") as stream:
        if stream.read(2) != b"#!":
            return None
        text = b"#!" + stream.read()
    if RELOCATABLE.match(text):
        return text
    match = INTERPRETER.match(text)
    if match is None or os.fsdecode(match["folder"]) != str(folder):
        return None
    start, end = match.span("folder")
    return text[:start] + os.fsencode(target) + text[end:]


def brought(venv: Path) -> set[str]:
    """The names of the console scripts of an environment's own packages."""
    found = set()
    for record in site_packages(venv).glob("*.dist-info/RECORD"):
        with record.open(encoding="utf-8", newline="") as stream:
            found |= {row[0].removeprefix(SCRIPTS) for row in csv.reader(stream) if row and row[0].startswith(SCRIPTS)}
    return found


def _write(file: Path, text: bytes, like: Path) -> None:
    """Replace a file as a whole: it may belong to root, in a folder that anybody may change."""
    if file.exists() and not file.is_symlink() and file.read_bytes() == text:
        return
    new = file.with_name(f".{file.name}.new")
    new.write_bytes(text)
    shutil.copymode(like, new)
    new.replace(file)
