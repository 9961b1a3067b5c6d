"""`transfer-image`: to the engine of a second machine, by a real sshd, and only what is missing there."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import psutil
import pytest
from support.dock import CABLE, Dock, alone
from support.person import MakePerson, Person
from support.require import require

from workbench import engines, ssh
from workbench.cli.terminal import ui
from workbench.engines.base import ImageStore
from workbench.images import archive, far, transfer

pytestmark = pytest.mark.xdist_group("dock")
LAYER = 10_000_000
"""Bytes of the last layer, which cannot be compressed."""


@dataclass(frozen=True)
class Sender:
    """Somebody with an image to send; `env` lets their ssh in."""

    person: Person
    dock: Dock
    project: Path
    image: str
    env: dict[str, str]

    def change(self) -> None:
        """Make another last layer of the same size."""
        text = f"FROM {require('base-image')}\nRUN echo {uuid4()} && head -c {LAYER} /dev/urandom > /data\n"
        self.person.write(self.project / "docker/app/Dockerfile", text)
        self.person.run("build-image", "app", "-q", cwd=self.project).ok()

    def start(self, *options: str) -> "subprocess.Popen[str]":
        """`transfer-image app dock`."""
        return self.person.start("transfer-image", "app", "dock", *options, cwd=self.project, env=self.env)

    def send(self, *options: str) -> dict[str, object]:
        """The same, to its good end; what it says as JSON."""
        found: dict[str, object] = self.person.wait(self.start("--json", *options)).ok().json()
        return found

    def id(self) -> str:
        return self.person.engine.docker("image", "inspect", "--format", "{{.Id}}", self.image).strip()

    def there(self) -> str:
        """The image's id on the other machine, empty when it is not there."""
        return self.dock.docker("image", "ls", "--no-trunc", "--quiet", self.image).strip()

    def images(self) -> list[str]:
        """Every image there. The engine has no order for those of one moment."""
        return sorted(self.dock.docker("image", "ls", "--all", "--no-trunc", "--quiet").split())


@pytest.fixture(params=["docker", "podman"])
def sender(request: pytest.FixtureRequest, somebody: MakePerson) -> Iterator[Sender]:
    """With each engine here; the one there is Docker."""
    yield from _sender(somebody(request.param))


@pytest.fixture
def user(somebody: MakePerson) -> Iterator[Sender]:
    """A normal user on both sides."""
    yield from _sender(somebody("docker", normal=True))


@pytest.fixture
def docker(somebody: MakePerson) -> Iterator[Sender]:
    yield from _sender(somebody("docker"))


def _sender(person: Person) -> Iterator[Sender]:
    with alone() as dock:
        name = f"t{uuid4().hex[:8]}"
        project = person.project(name=name)
        made = Sender(person, dock, project, f"{name}-app:{person.environment({})['USER']}", dock.give_ssh(person))
        made.change()
        yield made
        for each in made.there().split():
            dock.docker("image", "rm", "--force", each)


def test_only_the_last_layer_crosses_the_wire(sender: Sender) -> None:
    said = sender.send()
    assert sender.there() == said["id"]
    sender.change()
    before = sender.dock.crossed()
    said = sender.send()
    crossed = sender.dock.crossed() - before
    print(f"{sender.person.engine.name}: {crossed} bytes, {crossed / LAYER:.4f} of the layer")
    assert sender.there() == said["id"] == _plain(sender.id())
    assert LAYER <= int(str(said["sent"])) <= 1.05 * LAYER
    assert LAYER <= crossed <= 1.05 * LAYER


def test_what_is_there_is_not_sent(user: Sender) -> None:
    user.send()
    before = user.dock.crossed()
    done = user.person.wait(user.start()).ok()
    assert "is there already" in done.err
    assert user.dock.crossed() - before < 50_000


def test_it_shows_what_it_does(docker: Sender) -> None:
    done = docker.person.wait(docker.start()).ok()
    assert f"$ docker save {docker.image} | ssh -- dock 'docker load'" in done.err
    assert "MB/s" in done.err
    assert "were there already" in done.err
    # What is printed does the same.
    docker.dock.docker("image", "rm", docker.image)
    line = docker.person.wait(docker.start("--dry-run")).ok().out
    docker.person.run("bash", "-c", line, cwd=docker.project, env=docker.env).ok()
    assert docker.there() == docker.id()


def test_an_image_that_is_no_projects(docker: Sender) -> None:
    name = f"lonely-{uuid4().hex[:8]}:1"
    docker.person.engine.docker("tag", docker.image, name)
    docker.person.run("transfer-image", name, "dock", cwd=docker.project, env=docker.env).ok()
    assert docker.dock.docker("image", "inspect", "--format", "{{.Id}}", name).strip() == docker.id()
    docker.dock.docker("image", "rm", name)


def test_a_transfer_that_is_killed_at_ten_moments(docker: Sender) -> None:
    before, whole = docker.images(), 0
    with _slow():
        for moment in range(10):
            child = docker.start()
            _wait_until_crossed(docker.dock, LAYER * moment // 14 + 1000)
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
            _wait(lambda: not _loading())
            if docker.there():
                # The last bytes were on their way already.
                assert docker.there() == docker.id()
                docker.dock.docker("image", "rm", docker.image)
                whole += 1
            assert docker.images() == before
            assert not _left(docker.dock)
    assert whole <= 3
    assert docker.send()["id"] == docker.there() == docker.id()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_transfer_leaves_nothing(docker: Sender, number: signal.Signals) -> None:
    before = docker.images()
    with _slow():
        child = docker.start()
        _wait_until_crossed(docker.dock, LAYER // 3)
        os.kill(child.pid, number)
        done = docker.person.wait(child)
    assert done.code == 130, str(done)
    _wait(lambda: not _loading())
    assert docker.images() == before
    assert not [each for each in docker.person.processes() if each.name() == "ssh"]


def test_a_connection_that_is_lost_is_made_again(docker: Sender) -> None:
    with _slow():
        child = docker.start()
        _wait_until_crossed(docker.dock, LAYER // 3)
        for process in docker.person.processes():
            if process.name() == "ssh":
                process.kill()
        done = docker.person.wait(child).ok()
    assert "Trying again" in done.err
    assert docker.there() == docker.id()


def test_a_network_that_is_silent_for_a_while(docker: Sender) -> None:
    with _slow():
        child = docker.start()
        _wait_until_crossed(docker.dock, LAYER // 3)
        with docker.dock.cut():
            time.sleep(5)
        done = docker.person.wait(child).ok()
    assert "Trying again" not in done.err
    assert docker.there() == docker.id()


def test_an_engine_that_wants_all_of_it(docker: Sender) -> None:
    class Wrong(far.FarEngine):
        """Says of every layer that it is there."""

        def layers(self) -> frozenset[str]:
            image = store.image(docker.image)
            return frozenset(archive.chain_ids(image.layers if image else ()))

    with _in_process(docker) as (store, connection):
        found = far.find(connection, sudo=False)
        image = store.image(docker.image)
        assert image is not None
        wrong = Wrong(connection, found.program, found.zstd)
        sent, kept = transfer._Transfer(store, docker.image, image, wrong, ui(-1)).once()
    assert (kept, docker.there()) == (0, docker.id())
    assert sent > LAYER


def test_without_zstd_on_the_other_side(docker: Sender) -> None:
    with _in_process(docker) as (store, connection):
        found = replace(far.find(connection, sudo=False), zstd=False)
        image = store.image(docker.image)
        assert image is not None
        sent, _ = transfer._Transfer(store, docker.image, image, found, ui(-1)).once()
    assert docker.there() == docker.id()
    assert LAYER < sent < 1.05 * LAYER


def test_as_root_there_by_sudo(docker: Sender) -> None:
    assert docker.send("--sudo")["id"] == docker.there()


def test_a_host_that_is_another_one(docker: Sender) -> None:
    known = docker.person.home / ".ssh/known_hosts"
    host, kind, _ = known.read_text().splitlines()[0].split()[:3]
    other = docker.person.folder / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", kind.removeprefix("ssh-"), "-N", "", "-f", other], check=True)
    known.write_text(f"{host} {other.with_suffix('.pub').read_text()}")
    before = docker.dock.crossed()
    message = docker.person.wait(docker.start()).fails(6)
    assert "Host key verification failed" in message
    assert docker.dock.crossed() - before < 20_000


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ("-oProxyCommand=touch x", "is not the name of a machine"),
        ("a b", "is not the name of a machine"),
        ("nowhere.invalid", "cannot be reached by ssh"),
    ],
)
def test_hosts_that_cannot_be(docker: Sender, host: str, message: str) -> None:
    argv = ("transfer-image", "app") if not host.startswith("-") else ("transfer-image", "app", "--")
    assert message in docker.person.run(*argv, host, cwd=docker.project, env=docker.env).fails(6)
    assert not list(docker.project.glob("x"))


def test_an_image_that_is_not_here(docker: Sender) -> None:
    docker.person.engine.docker("image", "rm", docker.image)
    assert "build-image app" in docker.person.wait(docker.start()).fails(4)
    argv = ("transfer-image", "nobodys:1", "dock")
    assert "is not here" in docker.person.run(*argv, cwd=docker.project, env=docker.env).fails(4)
    argv = ("transfer-image", "no body", "dock")
    assert "is not the name of an image" in docker.person.run(*argv, cwd=docker.project, env=docker.env).fails(2)


@contextmanager
def _slow() -> Iterator[None]:
    """The cable at a rate at which a layer takes some seconds."""
    shape = ("rate", "80mbit", "burst", "64kb", "latency", "200ms")
    subprocess.run(["tc", "qdisc", "add", "dev", CABLE, "root", "tbf", *shape], check=True)
    try:
        yield
    finally:
        subprocess.run(["tc", "qdisc", "del", "dev", CABLE, "root"], check=True)


@contextmanager
def _in_process(sender: Sender) -> Iterator[tuple[ImageStore, ssh.Connection]]:
    """What `transfer-image` works with."""
    before = {name: os.environ[name] for name in ("PATH", "HOME")}
    os.environ.update(PATH=sender.env["PATH"], HOME=str(sender.person.home))
    try:
        engine, store = engines.with_images("docker", {**os.environ, **sender.person.engine.env})
        with ssh.connect(ssh.host("dock")) as connection:
            yield store, connection
        engine.close()
    finally:
        os.environ.update(before)


def _wait_until_crossed(dock: Dock, wanted: int) -> None:
    begun = dock.crossed()
    _wait(lambda: dock.crossed() - begun >= wanted)


def _loading() -> list[psutil.Process]:
    return [
        each for each in psutil.process_iter(["cmdline"]) if (each.info["cmdline"] or [])[-2:] == ["docker", "load"]
    ]


def _left(dock: Dock) -> list[Path]:
    """What the engine there has not cleared away of what it was sent."""
    root = Path(dock.docker("info", "--format", "{{.DockerRootDir}}").strip())
    return [path for path in (root / "tmp").glob("docker-import-*") if path.is_dir()]


def _wait(condition: Callable[[], bool], patience: float = 60) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _plain(id: str) -> str:
    return id if id.startswith("sha256:") else f"sha256:{id}"
