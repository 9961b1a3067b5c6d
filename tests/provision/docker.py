"""A dockerd of our own, and a docker client that can build."""

import json
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from provision import base_image, gpu
from provision.ground import BASE_IMAGE, SOCKETS, Ground
from provision.outside import SYSTEM_PATH, clean
from provision.programs import StepFailed, ask, background

SOCKET = SOCKETS / "docker.sock"
HOST = f"unix://{SOCKET}"


@contextmanager
def engine(ground: Ground, group: str) -> Iterator[None]:
    """Run dockerd for the tests with its data in the cache folder; members of `group` may use its socket."""
    data = ground.cache / "docker"
    SOCKET.unlink(missing_ok=True)
    (SOCKETS / "docker.pid").unlink(missing_ok=True)
    configuration = ground.work / "dockerd.json"
    configuration.write_text(json.dumps(gpu.configuration(ground)))
    command: list[str | Path] = [
        *ground.enter,
        "dockerd",
        "--config-file",
        configuration,
        "--data-root",
        data,
        "--exec-root",
        SOCKETS / "docker",
        "--group",
        group,
    ]
    command += ["--pidfile", SOCKETS / "docker.pid", "--storage-driver", "overlay2", "--host", HOST]
    with background(command, ground.work / "dockerd.log", lambda: answers(SOCKET), env=clean(PATH=gpu.path(ground))):
        _client(ground)
        with stocked(ground, HOST):
            ground.offer("DOCKER_HOST", HOST)
            ground.offer("BASE_IMAGE", BASE_IMAGE)
            yield


@contextmanager
def stocked(ground: Ground, host: str) -> Iterator[None]:
    """Have an engine hold the base image; what else was left there goes, now and at the end."""
    _tidy(host)
    archive = base_image.archive(ground)
    if not _ask(host, "images", "--quiet", BASE_IMAGE):
        base_image.load(archive, [_docker(), "--host", host, "import", "-", BASE_IMAGE], {})
    try:
        yield
    finally:
        _tidy(host)


def answers(path: Path) -> bool:
    """Whether an engine answers a ping on its socket."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(2)
            connection.connect(str(path))
            connection.sendall(b"GET /_ping HTTP/1.0\r\nHost: engine\r\n\r\n")
            return b" 200 " in connection.recv(100)
    except OSError:
        return False


def _client(ground: Ground) -> None:
    """A folder with only a `docker` that has BuildKit: Debian's has it built in, a bare newer client has not."""
    folder = ground.cache / "docker-cli"
    folder.mkdir(exist_ok=True)
    link = folder / "docker"
    link.unlink(missing_ok=True)
    link.symlink_to(_docker())
    ground.offer("DOCKER_CLI", folder)


def _docker() -> str:
    for path in ("/usr/bin", SYSTEM_PATH):
        if found := shutil.which("docker", path=path):
            return found
    raise StepFailed("there is no docker client")


def _ask(host: str, *words: str) -> list[str]:
    return ask([_docker(), "--host", host, *words], env=clean()).split()


def _tidy(host: str) -> None:
    """Remove all but the base image and the build cache: each run starts alike, and builds are quick again."""
    if containers := _ask(host, "ps", "--all", "--quiet"):
        _ask(host, "rm", "--force", "--volumes", *containers)
    _ask(host, "network", "prune", "--force")
    if volumes := _ask(host, "volume", "ls", "--quiet"):
        _ask(host, "volume", "rm", "--force", *volumes)
    # `image prune` keeps what a container uses; it knows no other exception.
    keepers = _ask(host, "create", BASE_IMAGE, "true") if _ask(host, "images", "--quiet", BASE_IMAGE) else []
    _ask(host, "image", "prune", "--all", "--force")
    if keepers:
        _ask(host, "rm", *keepers)
    _ask(host, "builder", "prune", "--force", "--keep-storage", "6GB")
