"""What runs workbenches: Docker, Podman, or processes of this machine. `connect` chooses."""

import os
import shutil
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from workbench.errors import NoEngineError, WorkbenchError

if TYPE_CHECKING:
    from workbench.engines.base import Engine, ImageStore
    from workbench.engines.dialect import Dialect
    from workbench.engines.docker import DockerEngine
    from workbench.engines.sockets import Address
    from workbench.ssh import Host

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
        if host := _over_ssh(address):
            return _through_tunnel(dialect, address, host)
        check(dialect, address)
        from workbench.engines.docker import DockerEngine

        try:
            return DockerEngine(dialect, address)
        except NoEngineError as error:
            failure = error
    raise failure


def _over_ssh(address: "Address") -> "Host | None":
    """The machine of an address that goes by ssh."""
    from workbench.docks.contexts import host_of

    return host_of(address.url)


def _through_tunnel(dialect: "Dialect", address: "Address", host: "Host") -> "DockerEngine":
    """The engine of another machine, as a dock. One that cannot be reached is an engine that does not answer."""
    from workbench.docks.book import book
    from workbench.docks.engine import reach

    try:
        dock = book().at(host, address.origin.removeprefix("the Docker context "))
        # Docker's address may lead to a Podman, as everywhere.
        return reach(dock, "podman" if dialect.name == "podman" else "auto")
    except NoEngineError:
        raise
    except WorkbenchError as error:
        raise NoEngineError(error.message, error.hint, detail=error.detail) from error


def _was_chosen(dialect: "Dialect", env: Mapping[str, str]) -> bool:
    return bool(env.get(dialect.variable) or (dialect.name == "docker" and env.get("DOCKER_CONTEXT")))
