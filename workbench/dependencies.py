"""Which files of a project decide what is installed, and which Python they ask for."""

import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from workbench.errors import ConfigError, ProjectError
from workbench.model import DependencyFile

FOLDERS = ("", "binder/", ".binder/")
NAMES = (
    "uv.lock",
    "pylock.toml",
    "requirements.txt",
    "pyproject.toml",
    "setup.py",
    "setup.cfg",
    "apt.txt",
    ".python-version",
    "runtime.txt",
    "postBuild",
)
CONDA = ("environment.yml", "environment.yaml")
SUPPORTED = ("3.11", "3.12", "3.13", "3.14")
"""Versions of Python that an open requirement is answered with, oldest first."""
DEFAULT_PYTHON = "3.13"
"""Taken where a requirement allows it: the newest that packages with compiled parts are sure to support."""

_INCLUDE = re.compile(
    r"\s*(?:-[rc]\s*|--(?:requirement|constraint)(?:\s+|\s*=\s*))(?P<quote>['\"]?)(?P<file>.+?)(?P=quote)\s*(?:\s#.*)?$"
)
_AT_LEAST = re.compile(r">=\s*3(?:\.(\d+))?(?:\.0)?\s*(?:,\s*<\s*4(?:\.0)*\s*)?")


def read(root: Path) -> tuple[DependencyFile, ...]:
    """Every dependency file in the root, `binder/` and `.binder/`, and what requirements files include.

    Raises ProjectError for a file that cannot be read, or that lies outside of the project.
    """
    found: dict[str, DependencyFile] = {}
    for name in (folder + name for folder in FOLDERS for name in NAMES):
        if (root / name).is_file():
            _add(found, root, name)
    return tuple(found.values())


def read_file(root: Path, path: Path) -> DependencyFile:
    """One file of the project. Raises ProjectError when it cannot be read, or is a link to outside of `root`."""
    name = path.relative_to(root).as_posix()
    if not path.resolve().is_relative_to(root):
        raise ProjectError(
            f"{name} is a symbolic link to a file outside of the project.",
            "Copy the file into the project: nothing outside of it is read into an image.",
        )
    try:
        return DependencyFile(name, path.read_bytes())
    except OSError as error:
        raise ProjectError(
            f"{name} cannot be read: {error.strerror}.", f"Check its permissions: ls -l {path}"
        ) from error


def conda_files(root: Path) -> tuple[str, ...]:
    """Names of the conda environment files that the project has. They are never installed."""
    names = (folder + name for folder in FOLDERS for name in CONDA)
    return tuple(name for name in names if (root / name).is_file())


def parse_toml(file: DependencyFile) -> dict[str, Any]:
    """The content of a TOML file. Raises ConfigError with file, line and cause."""
    try:
        return tomllib.loads(file.content.decode("utf-8-sig"))
    except tomllib.TOMLDecodeError as error:
        number = re.search(r"at line (\d+)", str(error))
        # At the end of the document tomllib names no line: it is the last one.
        line = int(number[1]) if number else max(1, len(file.content.splitlines()))
        text = file.content.decode("utf-8-sig").splitlines()[line - 1 : line]
        cause = re.sub(r" \(at .*\)$", "", str(error))
        raise ConfigError(
            f"{file.name}:{line}: not valid TOML: {cause}.",
            "Correct this line, then run the same command again.",
            detail=text,
        ) from error
    except UnicodeDecodeError as error:
        line = file.content[: error.start].count(b"\n") + 1
        raise ConfigError(f"{file.name}:{line}: not valid UTF-8 text.", "Save the file as UTF-8.") from error


def installable(files: Iterable[DependencyFile]) -> bool:
    """Whether `pip install -e` of the root applies: there is a package, not only the settings of tools.

    `setup.cfg` counts beside a `pyproject.toml` only: neither pip nor uv take it alone.
    """
    named = {file.name: file for file in files}
    if "setup.py" in named:
        return True
    if "pyproject.toml" not in named:
        return False
    project = parse_toml(named["pyproject.toml"])
    if _at(project, "tool", "uv", "package") is False or _at(project, "tool", "poetry", "package-mode") is False:
        return False
    cfg = named["setup.cfg"].content if "setup.cfg" in named else b""
    return bool(project.keys() & {"project", "build-system"} or re.search(rb"(?m)^\[(metadata|options)\]", cfg))


def python(files: Iterable[DependencyFile]) -> tuple[str | None, str, tuple[str, ...]]:
    """The `X.Y` that a project asks for (None: nothing asks), the file that asked, and notices about the others.

    `.python-version` goes before `runtime.txt`, and that before `requires-python`, which only bounds it.
    Raises ConfigError for a version below 3.11.
    """
    named = {file.name: file for file in files}
    asked: list[tuple[str, str]] = []
    notices: list[str] = []
    for name in (folder + name for name in (".python-version", "runtime.txt") for folder in FOLDERS):
        if name in named:
            wanted = _first_word(named[name])
            version = re.fullmatch(r"(?:c?python-?)?(\d+\.\d+)(?:\.\d+)?[abrc\d]*t?", wanted, re.IGNORECASE)
            if version:
                asked.append((_supported(version[1], name), name))
            else:
                notices.append(f"{name} says {wanted!r}, which is no version of Python: not used.")
    bound, source = _bound(named)
    if bound and not asked:
        return _choose(bound, source), source, tuple(notices)
    if not asked:
        return None, "", tuple(notices)
    chosen, chosen_from = asked[0]
    notices += [f"{name} asks for Python {v}: {chosen} from {chosen_from} is used." for v, name in asked if v != chosen]
    if bound and not allows(bound, chosen):
        notices.append(f"{source} asks for Python {bound}: {chosen} from {chosen_from} is used.")
    return chosen, chosen_from, tuple(notices)


def allows(specifier: str, version: str) -> bool:
    """Whether some release of Python `X.Y` satisfies a `requires-python`. Raises ValueError when that is malformed."""
    # Importing packaging costs more than all the rest of finding a project; nearly every project says only this.
    if simple := _AT_LEAST.fullmatch(specifier.strip()):
        return int(version.partition(".")[2]) >= int(simple[1] or 0)
    from packaging.specifiers import SpecifierSet

    accepted = SpecifierSet(specifier)
    return any(accepted.contains(f"{version}.{patch}", prereleases=True) for patch in range(60))


def _add(found: dict[str, DependencyFile], root: Path, name: str) -> None:
    """Read one file and, where it is a requirements file, those that it includes, once each."""
    file = found[name] = read_file(root, root / name)
    if not name.endswith("requirements.txt"):
        return
    waiting = [file]
    while waiting:
        including = waiting.pop()
        for path in _included(root, including):
            included = path.relative_to(root).as_posix()
            if included not in found:
                found[included] = read_file(root, path)
                waiting.append(found[included])


def _included(root: Path, file: DependencyFile) -> Iterator[Path]:
    for number, line in enumerate(file.content.decode("utf-8", "replace").splitlines(), 1):
        match = _INCLUDE.match(line)
        if match is None or "://" in match["file"]:
            continue
        path = Path(_normal(root / Path(file.name).parent / match["file"]))
        where = f"{file.name}:{number}: {match['file']}"
        if not path.is_relative_to(root):
            raise ProjectError(f"{where} lies outside of the project.", "Copy it into the project, or open its parent.")
        if not path.is_file():
            raise ProjectError(f"{where} does not exist.", "Correct the line, or add the file.")
        yield path


def _normal(path: Path) -> str:
    import os.path

    return os.path.normpath(path)


def _first_word(file: DependencyFile) -> str:
    lines = (line.strip() for line in file.content.decode("utf-8", "replace").splitlines())
    return next((line for line in lines if line and not line.startswith("#")), "")


def _bound(named: dict[str, DependencyFile]) -> tuple[str, str]:
    """The text of `requires-python` (or of setup.cfg's `python_requires`) and where it stands."""
    if "pyproject.toml" in named:
        project = parse_toml(named["pyproject.toml"])
        required = _at(project, "project", "requires-python")
        if isinstance(required, str) and required.strip():
            return required.strip(), "pyproject.toml"
    if "setup.cfg" in named:
        text = named["setup.cfg"].content.decode("utf-8", "replace")
        if match := re.search(r"(?m)^python_requires[ \t]*[=:][ \t]*(\S.*)$", text):
            return match[1].strip(), "setup.cfg"
    return "", ""


def _choose(specifier: str, source: str) -> str:
    try:
        allowed = [version for version in SUPPORTED if allows(specifier, version)]
    except ValueError as error:
        raise ConfigError(
            f"{source}: requires-python {specifier!r} is not a version specifier.", 'Write it as ">=3.11".'
        ) from error
    if not allowed:
        raise _too_old(f"{source} asks for Python {specifier}")
    return DEFAULT_PYTHON if DEFAULT_PYTHON in allowed else allowed[-1]


def _supported(version: str, name: str) -> str:
    major, minor = version.split(".")
    if (int(major), int(minor)) < (3, 11):
        raise _too_old(f"{name} asks for Python {version}")
    return version


def _too_old(what: str) -> ConfigError:
    return ConfigError(
        f"{what}: a workbench offers {SUPPORTED[0]} to {SUPPORTED[-1]}.",
        "Ask for a newer Python, or bring one: --base-image REF (an image with Python), or --image REF --as-is.",
    )


def _at(table: object, *keys: str) -> object:
    """The value at a path of keys, None where there is none: a project's TOML may hold anything anywhere."""
    for key in keys:
        table = table.get(key) if isinstance(table, dict) else None
    return table
