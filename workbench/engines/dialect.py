"""What tells Docker and Podman apart. All else is one class, `workbench.engines.docker.DockerEngine`."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Dialect:
    """One kind of container engine."""

    name: Literal["docker", "podman"]
    title: str
    """Its name in sentences."""
    variable: str
    """The environment variable that holds its address."""
    isolated_bridge: bool
    """Whether one bridge network can keep its own containers apart."""
    counts_pieces: bool
    """Whether it counts the pieces of a line as lines, when asked for the last ones of a log."""
    remote: tuple[str, ...]
    """Options of its program before which an address goes."""
    install: str
    """Where a person reads how to install it."""


DOCKER = Dialect(
    name="docker",
    title="Docker",
    variable="DOCKER_HOST",
    isolated_bridge=True,
    counts_pieces=False,
    remote=("-H",),
    install="https://docs.docker.com/engine/install/",
)
PODMAN = Dialect(
    name="podman",
    title="Podman",
    variable="CONTAINER_HOST",
    # Its `isolate` option keeps networks apart, not the containers of one network.
    isolated_bridge=False,
    # Seen with 4.3: a line that a program writes in two steps, as Python does without a buffer, comes back cut.
    counts_pieces=True,
    remote=("--remote", "--url"),
    install="https://podman.io/docs/installation",
)
