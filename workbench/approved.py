"""What a launch was approved with, kept in the state folder: restarts from the panel use it and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from workbench import dependencies
from workbench.model import Companions, DependencyFile, Device, Project, Settings
from workbench.state import State

FILE = "approved.json"
NO_PACKAGES = ("apt.txt", "postBuild", ".python-version", "runtime.txt")
"""Dependency files that are no lists of Python packages."""


@dataclass(frozen=True, slots=True)
class Approved:
    """A launch as somebody at this machine asked for it. Holds passed variables, as the state folder does."""

    project: Project
    settings: Settings
    device: Device
    """What it computes on: the settings' device, or what was chosen in the panel since."""
    flags: Mapping[str, Any] = field(default_factory=dict)
    """The settings that were given on the command line, in the folder `cwd`."""
    jupyter: tuple[str, ...] = ()
    cwd: str = "/"
    no_pull: bool = False
    companions: Companions | None = None


def keep(state: State, approved: Approved) -> None:
    """Remember it for the life of the workbench."""
    from msgspec import to_builtins

    state.write(FILE, to_builtins(approved, enc_hook=_plain))


def read(state: State) -> Approved | None:
    """What was kept; None where nothing was, or by another version of Workbench."""
    from msgspec import ValidationError, convert

    try:
        return convert(state.read(FILE), Approved | None, dec_hook=lambda kind, value: kind(value))
    except ValidationError:
        return None


def chosen(approved: Approved, settings: Settings) -> Device | None:
    """The device that was chosen in the panel, while the settings ask for what they asked for then; else None.

    What was given on that one command line is not asked for any more.
    """
    then = approved.settings.device
    same = "device" in approved.flags or settings.device == then
    return approved.device if same and approved.device != then else None


def with_present_packages(approved: Approved) -> Approved:
    """The same with the project's lists of Python packages as they are on disk now, and nothing else of it."""
    project = approved.project
    lists = (file for file in dependencies.read(project.root) if _lists_packages(file))
    others = (file for file in project.dependencies if not _lists_packages(file))
    return replace(approved, project=replace(project, dependencies=(*lists, *others)))


def _lists_packages(file: DependencyFile) -> bool:
    return file.name.rpartition("/")[2] not in NO_PACKAGES


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Path) else dict(value)  # type: ignore[call-overload]
