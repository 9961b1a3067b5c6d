"""What runs workbenches: Docker, Podman, or processes of this machine. `connect` chooses."""

import os
import shutil
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from workbench.errors import NoEngineError

if TYPE_CHECKING:
    from workbench.docks.book import Dock
    from workbench.engines.base import Engine, ImageStore
    from workbench.engines.dialect import Dialect
    from workbench.engines.docker import DockerEngine
    from workbench.engines.sockets import Address

Kind = Literal["auto", "docker", "podman", "local", "fake"]
Found = tuple["Engine", tuple[str, ...]]
"""An engine, and one line each about what the user did not get."""


def connect(kind: Kind = "auto", environ: Mapping[str, str] | None = None) -> Found:
    """The engine of this kind; for `auto` the first of Docker, Podman and local that answers.

    Raises `NoEngineError` when a named one does not answer, or one at an address that the user chose.
    """
    env = os.environ if environ is None else environ
    if kind == "local":
        from workbench.engines.local import LocalEngine

        return LocalEngine(), ()
    if kind == "fake":
        from workbench.engines.fake import FakeEngine

        return FakeEngine(), ()
    from workbench.engines.dialect import DOCKER, PODMAN

    if kind == "auto":
        return _first((DOCKER, PODMAN), env)
    return _container(DOCKER if kind == "docker" else PODMAN, env), ()


def answering(environ: Mapping[str, str] | None = None) -> tuple[list["Engine"], tuple[str, ...]]:
    """Every engine that answers here, the local one last; and a line about each that the user chose and that does not.

    The caller closes them.
    """
    from workbench.engines.dialect import DOCKER, PODMAN
    from workbench.engines.local import LocalEngine

    env = os.environ if environ is None else environ
    found: list[Engine] = []
    missing: list[str] = []
    for dialect in (DOCKER, PODMAN):
        try:
            found.append(_container(dialect, env))
        except NoEngineError as error:
            if _was_chosen(dialect, env):
                missing.append(f"{error.message} {error.hint}")
    return [*found, LocalEngine()], tuple(missing)


def with_images(kind: Kind = "auto", environ: Mapping[str, str] | None = None) -> tuple["Engine", "ImageStore"]:
    """An engine that has images: the one of this kind, or the first of Docker and Podman that answers.

    Raises `NoEngineError` where there is none.
    """
    from workbench.engines.docker import DockerEngine

    engine, notices = connect("auto" if kind == "local" else kind, environ)
    if not isinstance(engine, DockerEngine):
        engine.close()
        why = next(iter(notices), "")
        raise NoEngineError("Images need Docker or Podman, and neither answers here.", why.partition("machine. ")[2])
    return engine, engine.images


def _first(dialects: tuple["Dialect", ...], env: Mapping[str, str]) -> Found:
    """The first container engine that answers, else the local one."""
    from workbench.engines.local import LocalEngine

    reasons: list[str] = []
    for dialect in dialects:
        try:
            engine = _container(dialect, env)
        except _NotHere:
            continue
        except NoEngineError as error:
            if _was_chosen(dialect, env):
                raise
            reasons.append(f"{error.message} {error.hint}")
        else:
            return engine, tuple(f"{reason} Using {engine.dialect.title} instead." for reason in reasons)
    how = reasons[0] if reasons else "Docker or Podman gives it one."
    return LocalEngine(), (f"No container isolation: the notebook runs directly on this machine. {how}",)


class _NotHere(NoEngineError):
    """There is no sign of the engine on this machine."""


def _container(dialect: "Dialect", env: Mapping[str, str]) -> "DockerEngine":
    """Connect to the first address that answers."""
    from workbench.engines.sockets import addresses, check, start_hint

    kind = NoEngineError if shutil.which(dialect.name) else _NotHere
    failure = kind(f"{dialect.title} does not answer: it has no socket here.", start_hint(dialect))
    for address in addresses(dialect, env):
        if dock := _dock(address):
            from workbench.docks.engine import reach

            return reach(dock, "podman" if dialect.name == "podman" else "docker")
        check(dialect, address)
        from workbench.engines.docker import DockerEngine

        try:
            return DockerEngine(dialect, address)
        except NoEngineError as error:
            failure = error
    raise failure


def _dock(address: "Address") -> "Dock | None":
    """The machine of an address that goes by ssh, called as the context that has it is."""
    from workbench.docks.book import Dock, is_name
    from workbench.docks.contexts import host_of

    host = host_of(address.url)
    context = address.origin.removeprefix("the Docker context ")
    return Dock(context if context != address.origin and is_name(context) else str(host), host) if host else None


def _was_chosen(dialect: "Dialect", env: Mapping[str, str]) -> bool:
    return bool(env.get(dialect.variable) or (dialect.name == "docker" and env.get("DOCKER_CONTEXT")))
