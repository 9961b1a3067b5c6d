"""`run-image`: a container of one of the project's images, started by the engine's own program."""

import http.client
import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from workbench import consent, process
from workbench.errors import ConfigError, EngineError, NoEngineError, NotReadyError
from workbench.flow import Ui
from workbench.images.spec import Image, ImageRun, ImageSpec, Said
from workbench.images.survey import Survey
from workbench.labels import PROJECT
from workbench.model import HostFacts
from workbench.plan import device, image_commands, trust

PATIENCE = 60.0
"""Seconds in which the program in a container must answer before a browser is opened."""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """One command line. `typed` stands in the place of what files say."""

    image: str
    typed: tuple[Said, ...] = ()
    keep: bool = False
    trust: bool = False
    tty: bool = False


@dataclass(frozen=True, slots=True)
class Started:
    """A container that runs in the background. `ports`: the container's -> where it is published."""

    name: str
    image: str
    ports: Mapping[str, str]


def plan(found: Survey, request: RunRequest) -> tuple[ImageRun, tuple[str, ...]]:
    """The container to start, and lines that the user should read."""
    spec = found.spec(request.image, request.typed)
    reference = found.reference(spec)
    image = found.built(spec.folder, reference) if spec.folder is not None else found.store.image(reference)
    choice = device.choose(spec.run.device, found.facts)
    # Loss of a terminal must not lose the container that is to be kept, and Docker removes none that restarts.
    run = ImageRun(
        _name(found.user, spec.key),
        reference,
        spec.run,
        {PROJECT: str(found.project.root)},
        tty=request.tty,
        keep=request.keep,
        device=choice,
    )
    notices = (choice.notice, _root_notice(found, spec, image))
    return run, tuple(filter(None, notices))


def approve(found: Survey, request: RunRequest, ui: Ui) -> None:
    """Have the user agree to what the project's files ask of this machine for this container."""
    spec = found.spec(request.image, request.typed)
    root = found.project.root
    asks = trust.asks_of_run(spec, None if found.scene.docked else root)
    consent.agree(found.state, f"run {spec.key}", asks, root, trusted=request.trust, ui=ui)


def command(found: Survey, run: ImageRun) -> tuple[tuple[str, ...], dict[str, str]]:
    """The command line that starts it, and what its environment needs, secrets included."""
    argv, env = found.store.program(image_commands.run_command(run, found.store.name))
    return argv, {**run.spec.private, **env}


def attached(found: Survey, run: ImageRun) -> int:
    """Run it with this terminal; its exit code."""
    argv, env = command(found, run)
    return process.attach(argv, env=env, after_signal=lambda: _end(found, run))


def _end(found: Survey, run: ImageRun) -> None:
    """End a container that is still there: Podman's program leaves it behind when the terminal goes."""
    with suppress(EngineError, NoEngineError, process.TookTooLong):
        if found.store.ports(run.name) is not None:
            argv, env = found.store.program(image_commands.stop_command(run.name, found.store.name))
            process.run(argv, env=env, timeout=60)


def detached(found: Survey, run: ImageRun) -> Started:
    """Start it in the background. Raises EngineError with the engine's words when that is refused."""
    argv, env = command(found, run)
    done = process.run(argv, env=env)
    if done.code:
        lines = [line for line in done.err.splitlines() if line.strip() and "--help" not in line]
        raise EngineError(
            f"{found.store.name} did not start {run.image}.",
            "Correct what these lines name, then run the same command again.",
            detail=lines[-4:],
        )
    return Started(run.name, run.image, found.store.ports(run.name) or {})


def check_port(run: ImageRun) -> None:
    """Raise ConfigError when no port is published, so that nothing of it can be opened."""
    if not run.spec.ports:
        raise ConfigError(f"{run.image} publishes no port: there is nothing to open.", "Publish one: -a '-p 8080:80'")


def address(found: Survey, run: ImageRun, patience: float = PATIENCE, *, started: bool = True) -> str:
    """The web address of a container's first published port, once something answers there.

    Raises NotReadyError when nothing does. `started`: the container is there, or was.
    """
    deadline = time.monotonic() + patience
    first = run.spec.ports[0]
    seen = started
    while time.monotonic() < deadline:
        published = found.store.ports(run.name)
        if published is None and seen:
            logs = f"{found.store.name} logs {run.name}"
            hint = f"See why: {logs}" if run.keep else f"Keep it with -k to see why: {found.store.name} logs NAME"
            raise NotReadyError(f"{run.name} ended before it answered.", hint)
        seen = seen or published is not None
        place = (published or {}).get(f"{first.container}/{first.protocol}")
        if place and _answers(place):
            return f"http://{_reachable(place)}/"
        time.sleep(0.1)
    raise NotReadyError(
        f"Nothing answered at port {first.container} of {run.name} within {patience:.0f} s.",
        "Does its program listen on 0.0.0.0 in the container?",
    )


def when_reached(found: Survey, run: ImageRun, ui: Ui, then: Callable[[str], None]) -> threading.Thread:
    """Call `then` with the address as soon as it answers, while the container has this terminal."""

    def wait() -> None:
        try:
            then(address(found, run, started=False))
        except (EngineError, NotReadyError) as error:
            ui.note(error.message)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def _name(user: str, image: str) -> str:
    """`<user>_<image>_<time>`, as dockerutils names containers, and a little chance."""
    words = (user, image, time.strftime("%y-%m-%d_%H.%M.%S"), secrets.token_hex(2))
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", "_".join(words)).lstrip("_.-")


def _reachable(place: str) -> str:
    host, _, port = place.rpartition(":")
    return f"localhost:{port}" if host in ("0.0.0.0", "::", "127.0.0.1", "::1") else place  # noqa: S104 - compared


def _answers(place: str) -> bool:
    """Whether a web server is there, whatever it says."""
    connection = http.client.HTTPConnection(_reachable(place), timeout=2)
    try:
        connection.request("GET", "/")
        connection.getresponse()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


def _root_notice(found: Survey, spec: ImageSpec, image: Image | None) -> str:
    """That files written to the project will be root's, where that is so."""
    root, facts = str(found.project.root), found.facts
    writes = any(
        mount.kind == "bind" and not mount.read_only and mount.source.startswith(root) for mount in spec.run.mounts
    )
    user = (spec.run.user or (image.user if image else "") or "root").partition(":")[0]
    if not writes or user not in ("root", "0") or not _keeps_owners(facts):
        return ""
    return (
        'It runs as root, and what it writes to the project will belong to root: user = "{uid}:{gid}" has it be yours.'
    )


def _keeps_owners(facts: HostFacts) -> bool:
    """Whether a file has the same owner inside and outside, and that is not root anyway."""
    return not facts.desktop and not facts.rootless and facts.uid != 0
