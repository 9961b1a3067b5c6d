"""Which packages were installed by hand: those that differ from what the environment had at its first start.

The list of that time lies in the environment itself: it is as old as the container that has it.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from workbench.inside import uv
from workbench.inside.report import write_json

FILE = "workbench-packages.json"

Packages = Mapping[str, str]
"""Name -> version."""


def installed(env: Path) -> dict[str, str]:
    """What is in an environment and in those of its devices, by the names of folders alone."""
    venvs = [env, *sorted(env.glob("devices/*"))]
    folders = (folder for venv in venvs for folder in uv.site_packages(venv).glob("*.dist-info"))
    pairs = (folder.name.removesuffix(".dist-info").partition("-") for folder in folders)
    return {uv.normal(name): version for name, _, version in pairs}


def remember(env: Path) -> None:
    """Keep the list of this environment's packages, unless there is one. No error where it cannot be written."""
    file = env / FILE
    if file.exists():
        return
    try:
        write_json(file, installed(env))
    except OSError:
        # Then nobody installs anything by hand either.
        return


def by_hand(env: Path) -> list[dict[str, str]]:
    """The part `packages` of the state: installed or changed since."""
    try:
        before = json.loads((env / FILE).read_bytes())
    except (OSError, ValueError):
        return []
    return [{"name": name, "version": version} for name, version in news(before, installed(env))]


def news(before: Packages, now: Packages) -> list[tuple[str, str]]:
    """What is new or has another version, by name."""
    return sorted((name, version) for name, version in now.items() if before.get(name) != version)
