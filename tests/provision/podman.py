"""Podman's service with storage and configuration of its own."""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from provision import base_image, registry
from provision.docker import answers
from provision.ground import BASE_IMAGE, SOCKETS, Ground, say, unmount_below
from provision.outside import clean
from provision.programs import StepFailed, ask, background

SOCKET = SOCKETS / "podman.sock"
IMAGE = f"docker.io/library/{BASE_IMAGE}"

MANY_IMAGES = 150
CONFIGURATION = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_config_dir = "{networks}"
"""
"""crun, Podman's own choice, refuses the mixed cgroup versions that some machines have; runc does not."""
INSECURE = """\
[[registry]]
location = "127.0.0.1:{port}"
insecure = true
"""
"""Docker takes registries on loopback without a word."""


@contextmanager
def engine(ground: Ground, group: str) -> Iterator[None]:
    """Run Podman's service for the tests; members of `group` may use its socket."""
    folder = ground.cache / "podman"
    (folder / "networks").mkdir(parents=True, exist_ok=True)
    configuration = folder / "containers.conf"
    configuration.write_text(CONFIGURATION.format(networks=folder / "networks"))
    registries = folder / "registries.conf"
    registries.write_text("".join(INSECURE.format(port=port) for port in (registry.PORT, registry.LOCKED_PORT)))
    env = clean(CONTAINERS_CONF=str(configuration), CONTAINERS_REGISTRIES_CONF=str(registries), TMPDIR=str(ground.work))
    podman = _podman(folder)
    SOCKET.unlink(missing_ok=True)
    _clear(folder / "root", podman, env)
    service = [*ground.enter, *podman, "system", "service", "--time=0", f"unix://{SOCKET}"]
    with background(service, ground.work / "podman.log", lambda: answers(SOCKET), env=env):
        shutil.chown(SOCKET, group=group)
        SOCKET.chmod(0o660)
        archive = base_image.archive(ground)
        if not ask([*podman, "images", "--quiet", IMAGE], env=env).strip():
            base_image.load(archive, [*podman, "import", "-", IMAGE], env)
        ground.offer("PODMAN_HOST", f"unix://{SOCKET}")
        ground.env["CONTAINERS_CONF"] = str(configuration)
        ground.offer("PODMAN_CLI", _wrapper(ground, podman))
        try:
            yield
        finally:
            _tidy(podman, env)
            _end_monitors(folder / "root")


def _podman(folder: Path) -> list[str]:
    program = shutil.which("podman", path="/usr/bin:/usr/local/bin") or "podman"
    run_root = SOCKETS / "podman"
    return [program, "--root", str(folder / "root"), "--runroot", str(run_root), "--tmpdir", str(run_root / "tmp")]


def _wrapper(ground: Ground, podman: list[str]) -> Path:
    """A folder with a `podman` that works on the storage of our service: for tests that use the program itself."""
    folder = ground.cache / "podman-cli"
    folder.mkdir(exist_ok=True)
    script = folder / "podman"
    script.write_text(f'#!/bin/sh\nexec {" ".join(podman)} "$@"\n')
    os.chmod(script, 0o755)  # noqa: PTH101, S103 - the normal user runs it
    return folder


def _clear(storage: Path, podman: list[str], env: dict[str, str]) -> None:
    """Make the storage ready; one in which a killed run has left what Podman cannot remove is given up."""
    _end_monitors(storage)
    unmount_below(storage)
    try:
        _tidy(podman, env)
    except StepFailed as failure:
        say(f"beginning with an empty storage for Podman: {failure}")
        unmount_below(storage)
        shutil.rmtree(storage)


def _end_monitors(storage: Path) -> None:
    """End what still watches over a command in a container that is gone.

    Five minutes after the command it has Podman clean up, which by then would disturb another run.
    """
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(FileNotFoundError, ProcessLookupError):
            program, *words = file.read_bytes().split(b"\0")
            if program.endswith(b"/conmon") and any(word.startswith(bytes(storage)) for word in words):
                os.kill(int(file.parent.name), signal.SIGKILL)


def _tidy(podman: list[str], env: dict[str, str]) -> None:
    """Remove containers, volumes and networks of an earlier run; images stay, Podman builds from their layers.

    Until they are many: every listing of Podman looks at each of them.
    """
    ask([*podman, "rm", "--all", "--force", "--volumes"], env=env)
    ask([*podman, "volume", "prune", "--force"], env=env)
    ask([*podman, "network", "prune", "--force"], env=env)
    if len(ask([*podman, "images", "--all", "--quiet"], env=env).split()) > MANY_IMAGES:
        ask([*podman, "rmi", "--all", "--force"], env=env)
