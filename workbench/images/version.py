"""`genversion`: the version that a project takes from git, in a file for containers that have no `.git`.

The project's own build requirements tell it, in an environment of their own: versioneer, setuptools-scm or hatch-vcs.
"""

import json
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from workbench import files, process
from workbench.dependencies import parse_toml
from workbench.errors import ProjectError, last_lines
from workbench.model import DependencyFile, Project

MODULE = "_version.py.bld"
"""For versioneer: takes the place of the project's `_version.py` in an image."""
VARIABLES = "_version.env.bld"
"""For the others: the variable that a build reads, as `NAME=VALUE`."""
PRETEND = "SETUPTOOLS_SCM_PRETEND_VERSION"
SECONDS = 300

_ASK_VERSIONEER = "import json, versioneer; print(json.dumps(versioneer.get_versions()))"
_TEMPLATE = '''\
"""The version, as `genversion` found it in git: for places without `.git`, in the stead of versioneer's own file."""

import json

version_json = \'\'\'
{}
\'\'\'  # END VERSION_JSON


def get_versions():
    """What versioneer said."""
    return json.loads(version_json)
'''


@dataclass(frozen=True, slots=True)
class Source:
    """What tells the version. `argv` is for Python, in the project's folder and with `requires` installed.

    `variable` hands the version to a build; empty for versioneer, which reads a module.
    """

    tool: str
    requires: tuple[str, ...]
    argv: tuple[str, ...]
    variable: str = ""


def source(found: Mapping[str, bytes]) -> Source | None:
    """What tells the version of a project with these files; None when it does not come from git. Pure.

    Raises ConfigError for a `pyproject.toml` that is broken.
    """
    toml: Any = parse_toml(DependencyFile("pyproject.toml", found.get("pyproject.toml", b"")))
    requires = tuple(each for each in _at(toml, "build-system", "requires", []) if _name(each))
    names = {_name(each) for each in requires}
    setup = found.get("setup.py", b"")
    if (
        re.search(rb"(?m)^\[versioneer\]", found.get("setup.cfg", b""))
        or _at(toml, "tool", "versioneer", None) is not None
    ):
        return Source("versioneer", requires, ("-c", _ASK_VERSIONEER))
    if "hatch-vcs" in names:
        # It tells setuptools-scm no name, so that only the variable for all of them has an effect.
        return Source("hatch-vcs", requires, ("-m", "hatchling", "version"), PRETEND)
    if b"use_scm_version" in setup:
        wanted = requires if "setuptools-scm" in names else (*requires, "setuptools", "setuptools-scm")
        return Source("setuptools-scm", wanted, ("setup.py", "--quiet", "--version"), PRETEND)
    if "setuptools-scm" in names:
        return Source("setuptools-scm", requires, ("-m", "setuptools_scm"), _variable(_at(toml, "project", "name", "")))
    return None


def generate(project: Project) -> tuple[str, str] | None:
    """Write the version file; its name and the version, or None for a project whose version does not come from git.

    Raises ProjectError with the tool's last lines when that cannot tell.
    """
    found = source({file.name: file.content for file in project.dependencies})
    if found is None:
        return None
    said = _ask(project, found)
    if found.variable:
        name, text, version = VARIABLES, f"{found.variable}={said}\n", said
    else:
        name, text, version = MODULE, *_module(said)
    _check(version, found)
    files.replace(project.root / name, text.encode())
    return name, version


def _module(said: str) -> tuple[str, str]:
    """The text of the module for what versioneer says, and the version in it."""
    try:
        versions = json.loads(said)
    except ValueError:
        versions = None
    if not isinstance(versions, dict) or versions.get("error"):
        return "", str(versions["error"] if versions else said)
    return _TEMPLATE.format(json.dumps(versions, sort_keys=True, indent=1)), str(versions.get("version"))


def _ask(project: Project, found: Source) -> str:
    """The last line of what the tool prints."""
    python = ("--python", project.python) if project.python else ("--python", sys.executable)
    wanted = (word for each in found.requires for word in ("--with", each))
    isolated = ("--no-project", "--isolated", "--quiet")
    argv = (_uv(), "run", *isolated, *python, *wanted, "python", "-B", *found.argv)
    done = process.run(argv, cwd=project.root, env={"PYTHONWARNINGS": "ignore"}, timeout=SECONDS)
    lines = [line for line in done.out.splitlines() if line.strip()]
    if done.code or not lines:
        raise ProjectError(
            f"{found.tool} cannot tell the version of {project.root.name}.",
            "It needs git, and the project's .git with its tags: run genversion where those are.",
            detail=last_lines(done.err),
        )
    return lines[-1].strip()


def _check(version: str, found: Source) -> None:
    """Raise ProjectError for what is no version: it will stand in a file that others read."""
    try:
        Version(version)
    except InvalidVersion as error:
        raise ProjectError(
            f"{found.tool} says {version!r}, which is no version of a Python package.",
            "Correct its configuration, or the tag that it takes the version from.",
        ) from error


def _variable(name: object) -> str:
    """The variable for one package alone, where its name is known."""
    return (
        f"{PRETEND}_FOR_{canonicalize_name(name).replace('-', '_').upper()}"
        if isinstance(name, str) and name
        else PRETEND
    )


def _name(requirement: object) -> str | None:
    try:
        return canonicalize_name(Requirement(str(requirement)).name)
    except InvalidRequirement:
        return None


def _at(table: Any, first: str, second: str, default: Any) -> Any:
    inner = table.get(first, {})
    return inner.get(second, default) if isinstance(inner, dict) else default


def _uv() -> str:
    from uv import find_uv_bin

    try:
        return str(find_uv_bin())
    except FileNotFoundError:
        return shutil.which("uv") or "uv"
