"""Fixture `bench`: each test of this folder runs on every engine there is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.benches import Bench, Cli, ContainerBench, FakeBench, LocalBench
from tests.support.require import require
from workbench.engines.base import Engine
from workbench.engines.dialect import DOCKER, PODMAN

DIALECTS = {"docker": DOCKER, "podman": PODMAN}


@pytest.fixture(scope="session")
def containers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, ContainerBench]]:
    """The benches that built the image, by engine: made on first use, removed at the end."""
    made: dict[str, ContainerBench] = {}
    yield made
    for bench in made.values():
        bench.clean()
        bench.engine.close()


def _container(name: str, folder: Path, containers: dict[str, ContainerBench]) -> ContainerBench:
    from workbench.engines.docker import DockerEngine

    cli, base = Cli(DIALECTS[name], require(name)), require("base-image")
    if name not in containers:
        first = folder / "image"
        first.mkdir()
        builder = ContainerBench(first, DockerEngine(cli.dialect, cli.address), cli, base)
        containers[name] = builder
        for _ in builder.engine.provide(builder.build()):
            pass
    image = containers[name].build().tag
    return ContainerBench(folder, DockerEngine(cli.dialect, cli.address), cli, base, image)


@pytest.fixture(params=["fake", "local", "docker", "podman"])
def bench(request: pytest.FixtureRequest, tmp_path: Path, containers: dict[str, ContainerBench]) -> Iterator[Bench]:
    """The engine with a project of its own; whatever the test leaves is removed."""
    made: Bench
    if request.param == "fake":
        made = FakeBench(tmp_path)
    elif request.param == "local":
        made = LocalBench(tmp_path)
    else:
        made = _container(request.param, tmp_path, containers)
    yield made
    made.clean()
    made.engine.close()


@pytest.fixture(params=["docker", "podman"])
def container_bench(
    request: pytest.FixtureRequest, tmp_path: Path, containers: dict[str, ContainerBench]
) -> Iterator[ContainerBench]:
    """One of the engines that run containers."""
    made = _container(request.param, tmp_path, containers)
    yield made
    made.clean()
    made.engine.close()


@pytest.fixture
def engine(bench: Bench) -> Engine:
    """The bench's engine."""
    return bench.engine
