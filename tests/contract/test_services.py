"""What every `ServiceContainers` does: containers as Compose marks them, found, stopped, restarted, listened to."""

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.contract.benches import Bench, ContainerBench
from workbench.engines.base import ServiceContainers
from workbench.engines.fake_services import FakeServices
from workbench.labels import COMPOSE
from workbench.model import ServiceState

pytestmark = pytest.mark.parametrize("bench", ["fake", "docker", "podman"], indirect=True)
TALKS = "echo one; printf tw; sleep 0.3; echo o; exec sleep 100000"
"""A line comes in two pieces, as from many programs."""


@dataclass(frozen=True)
class Ground:
    """Containers of services, what makes one (service, whether of one command, stack), and a stack of the test's own.

    An engine knows a stack by its name, and other tests are at work on the same engine.
    """

    services: ServiceContainers
    make: Callable[[str, bool, str], None]
    stack: str

    def one(self, service: str) -> ServiceState:
        [found] = [each for each in self.services.find(self.stack) if each.service == service]
        return found


@pytest.fixture
def ground(bench: Bench) -> Iterator[Ground]:
    """On the fake, and on both engines."""
    if isinstance(bench, ContainerBench):
        yield from real(bench)
    else:
        yield fake()


def fake() -> Ground:
    services = FakeServices()

    def make(service: str, command: bool, stack: str) -> None:
        id = f"{stack}-{service}-{command}"
        made = ServiceState(id, id, stack, service, "", "running", started=time.time(), command=command)
        services.put(made, "one", "two")

    return Ground(services, make, "tides")


def real(bench: ContainerBench) -> Iterator[Ground]:
    made: list[str] = []

    def make(service: str, command: bool, stack: str) -> None:
        marks = {"project": stack, "service": service, "oneoff": str(command)}
        labels = (f"--label={COMPOSE}{key}={value}" for key, value in marks.items())
        done = bench.cli("run", "-d", "--init", *labels, bench.base, "sh", "-c", TALKS)
        assert done.code == 0, done.err
        made.append(done.out.strip())

    found = bench.engine.services
    assert found is not None
    yield Ground(found, make, f"tides-{secrets.token_hex(4)}")
    for id in made:
        bench.cli("rm", "-f", id)


def test_they_are_found_by_their_marks(ground: Ground) -> None:
    tides, others = ground.stack, f"{ground.stack}-others"
    for service, command, stack in (("web", False, tides), ("db", False, tides), ("db", True, tides)):
        ground.make(service, command, stack)
    ground.make("db", False, others)
    assert [each.service for each in ground.services.find(tides)] == ["db", "web"]
    assert [each.command for each in ground.services.find(tides, commands=True)].count(True) == 1
    assert [each.stack for each in ground.services.find(others)] == [others]
    assert ground.services.find("nobody") == []
    web = ground.one("web")
    assert (web.state, web.exit_code, web.health) == ("running", None, "")
    assert web.started is not None and abs(web.started - time.time()) < 60


def test_one_is_stopped_and_started_again(ground: Ground) -> None:
    ground.make("web", False, ground.stack)
    ground.make("db", False, ground.stack)
    before = ground.one("web")
    ground.services.stop(before.id)
    ground.services.stop(before.id)
    ended = ground.one("web")
    assert (ended.state, ended.exit_code) == ("stopped", 143)
    ground.services.restart(before.id)
    again = ground.one("web")
    assert (again.state, again.id, again.exit_code) == ("running", before.id, None)
    assert again.started is not None and before.started is not None and again.started > before.started
    ground.services.restart(again.id)
    assert ground.one("web").state == ground.one("db").state == "running"


def test_what_is_gone_is_stopped(ground: Ground) -> None:
    ground.services.stop("0" * 64)


def test_the_last_of_what_one_writes(ground: Ground) -> None:
    ground.make("web", False, ground.stack)
    id = ground.one("web").id
    deadline = time.monotonic() + 30
    while [*ground.services.logs(id)] != ["one", "two"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert [*ground.services.logs(id, tail=1)] == ["two"]
