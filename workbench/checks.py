"""What a launch would find on this machine: each engine, the environment maker, the folders, the ports."""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from workbench import show
from workbench.errors import WorkbenchError
from workbench.model import HostFacts
from workbench.state import cache_root, state_root

ENOUGH_DISK = 5_000_000_000
"""Bytes below which a first build may not fit."""


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. `fix` is the next step, empty when there is none to take."""

    what: str
    ok: bool
    found: str
    fix: str = ""


def check(environ: Mapping[str, str]) -> Iterator[Check]:
    """Look at everything that a launch depends on; yields as it goes, since an engine may take 10 s to not answer."""
    from workbench import engines

    answered = []
    for kind in ("docker", "podman"):
        try:
            engine, _ = engines.connect(kind, environ)
        except WorkbenchError as error:
            yield Check(kind, ok=False, found=error.message, fix=error.hint)
            continue
        try:
            yield Check(kind, ok=True, found=_engine(engine.facts()))
            answered.append(kind)
        finally:
            engine.close()
    yield Check("local", ok=True, found="virtual environments on this machine, without container isolation")
    yield _uv(environ)
    yield from _folders()
    yield Check("a launch would use", ok=True, found=answered[0] if answered else "local")


def _engine(facts: HostFacts) -> str:
    traits = {
        "rootless": facts.rootless,
        "desktop": facts.desktop,
        "no memory or CPU limits": not facts.cgroup_limits,
    }
    named = [
        facts.version,
        f"API {facts.api_version}",
        facts.address,
        *(name for name, is_so in traits.items() if is_so),
    ]
    runtimes = f"runtimes {', '.join(facts.runtimes)}" if facts.runtimes else ""
    return ", ".join(part for part in (*named, runtimes) if part)


def _uv(environ: Mapping[str, str]) -> Check:
    from uv import find_uv_bin

    try:
        return Check("uv", ok=True, found=str(find_uv_bin()))
    except FileNotFoundError:
        on_path = shutil.which("uv", path=environ.get("PATH"))
        return Check("uv", ok=bool(on_path), found=on_path or "missing", fix="" if on_path else "pip install uv")


def _folders() -> Iterator[Check]:
    for what, folder in (("cache", cache_root()), ("state", state_root())):
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            free = shutil.disk_usage(folder).free
        except OSError as error:
            yield Check(what, ok=False, found=f"{folder}: {error.strerror}", fix=f"make {Path(folder)} writable")
            continue
        low = free < ENOUGH_DISK
        fix = "`workbench prune` frees what is not needed" if low else ""
        yield Check(what, ok=not low, found=f"{folder}, {show.size(free)} free", fix=fix)
