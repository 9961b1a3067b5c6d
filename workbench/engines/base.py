"""The seam to what runs a workbench. `engines.fake` ships beside the real ones; one contract suite runs on them all."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Protocol

from workbench.errors import EngineError
from workbench.images.spec import DockerfileBuild, Image, Login
from workbench.model import (
    Build,
    Delivery,
    DockFacts,
    EngineName,
    Event,
    ExecResult,
    HostFacts,
    Leftover,
    Running,
    RunPlan,
    ServiceState,
    Stats,
)


class PortTaken(EngineError):
    """Somebody else listens on the port on 127.0.0.1 that the workbench was to have."""


class NameTaken(EngineError):
    """A container that is not ours has the name."""


class NoGpu(EngineError):
    """The engine was asked for GPUs, and cannot give them after all."""


class Channel(Protocol):
    """Both standard streams of a command inside, as bytes. Its standard error is thrown away."""

    def send(self, data: bytes) -> None:
        """Write all of it; EngineError when the command no longer reads."""
        ...

    def receive(self, timeout: float) -> bytes | None:
        """What has come, at most 64 KiB; waits `timeout` seconds for the first byte.

        None: nothing in that time. Empty: the command's output has ended.
        """
        ...

    def close(self) -> None:
        """Close its standard input and let go; the command is expected to end by itself then."""
        ...


class Way(Protocol):
    """How an engine of another machine is reached, for as long as this is open."""

    dock: DockFacts
    uid: int
    gid: int
    user: str
    """Who we are there."""

    def forward(self, port: int) -> None:
        """Have a port of that machine's loopback answer here at the same one. `PortTaken` when it is taken here."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class ServiceContainers(Protocol):
    """The containers that Compose made on an engine. Errors are as for an `Engine`."""

    environment: Mapping[str, str]
    """What leads Docker's programs to this engine."""

    def find(self, stack: str, *, commands: bool = False) -> list[ServiceState]:
        """Those of a Compose project, by service, in any state; with `commands` those of single commands too."""
        ...

    def has_names(self, network: str) -> bool:
        """Whether containers reach each other by name in a network."""
        ...

    def look(self, id: str) -> None:
        """Have its health looked at now, where the engine does not do that by itself."""
        ...

    def stop(self, id: str) -> None:
        """SIGTERM, and SIGKILL after as long as its own `stop_grace_period`. No error when it has ended or is gone."""
        ...

    def restart(self, id: str) -> None:
        """Stop and start it, as it is."""
        ...

    def logs(self, id: str, *, follow: bool = False, tail: int | None = None) -> Iterator[str]:
        """What it writes, line by line without line ends."""
        ...


class Engine(Protocol):
    """Something that can hold environments and run workbenches.

    Every method raises `EngineError` (refused, failed) or `NoEngineError` (gone), both with a hint; foreign
    exceptions do not leave an engine. Methods that act leave nothing half-made behind when they fail.
    """

    name: EngineName
    dock: DockFacts | None
    """The machine that it is on; None for this one."""

    @property
    def services(self) -> ServiceContainers | None:
        """The containers of services; None where there are no containers."""
        ...

    def facts(self) -> HostFacts:
        """What the engine and the machine are; asked once, cheap after that."""
        ...

    def present(self, build: Build) -> Mapping[str, str] | None:
        """Inputs of the newest environment made for this build's project, None when there is none.

        When they equal `build.inputs` there is nothing to do; when not, the difference is the reason to build.
        """
        ...

    def provide(self, build: Build) -> Iterator[Event]:
        """Have the environment: does nothing when `present` equals the build and it is not forced."""
        ...

    def start(self, run: RunPlan, delivery: Delivery) -> Running:
        """Start a new workbench and hand over the delivery. Replaces nothing: a taken name or port is an error."""
        ...

    def resume(self, id: str, delivery: Delivery) -> Running:
        """Start a stopped workbench again, as it was."""
        ...

    def forward(self, port: int) -> None:
        """Have the port of a workbench answer on this machine for as long as this is open, where it does not anyway.

        What was started or resumed here answers already. `PortTaken` when somebody else listens on it here.
        """
        ...

    def join(self, id: str, networks: Sequence[str]) -> None:
        """Have a workbench, running or not, be in these networks besides its own. `Absent` where there is no such."""
        ...

    def leave(self, id: str, networks: Sequence[str]) -> None:
        """Take a workbench out of networks, where it is in them."""
        ...

    def find(self, labels: Mapping[str, str]) -> list[Running]:
        """All workbenches, in any state, whose labels contain the given ones. Empty mapping: all of ours."""
        ...

    def stop(self, id: str) -> None:
        """SIGTERM, wait for as long as the run's `stop_timeout`, then SIGKILL. No error when already stopped."""
        ...

    def remove(self, id: str, *, volumes: bool = False) -> None:
        """Remove a stopped workbench and the network that is then unused; with `volumes` its HOME too.

        Never removes what does not carry our labels.
        """
        ...

    def rename(self, id: str, name: str) -> None:
        """Give a stopped workbench's container another name; its own name and its labels stay. `NameTaken` if taken.

        Where names serve as ids, the id is another one afterwards: `find` tells it.
        """
        ...

    def logs(self, id: str, *, follow: bool = False, tail: int | None = None) -> Iterator[str]:
        """The server's log, line by line without line ends; with `follow` until the workbench stops."""
        ...

    def stats(self, id: str) -> Stats:
        """One sample of what a running workbench uses."""
        ...

    def made(self, id: str) -> float | None:
        """When the environment of a workbench was made, in seconds since 1970; None when it is not known."""
        ...

    def exec(self, id: str, argv: tuple[str, ...], *, stdin: bytes | None = None) -> ExecResult:
        """Run a command inside, in the project's environment and folder, and wait for it."""
        ...

    def talk(self, id: str, argv: tuple[str, ...]) -> Channel:
        """Start a command inside, as `exec` does, and keep both of its streams; they end with the workbench.

        A command that is not there is an EngineError, or a channel that ends at once.
        """
        ...

    def exec_argv(self, id: str, argv: tuple[str, ...], *, tty: bool) -> tuple[tuple[str, ...], Mapping[str, str]]:
        """The command line and extra environment that do the same attached to this terminal (`docker exec -it …`)."""
        ...

    def leftovers(self) -> list[Leftover]:
        """What of ours no running workbench needs: stopped ones, old images, unused networks and volumes."""
        ...

    def delete(self, leftover: Leftover) -> None:
        """Remove one of `leftovers`."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


class ImageStore(Protocol):
    """The images of a container engine. Errors are as for an `Engine`."""

    name: EngineName

    def build(self, build: DockerfileBuild) -> Iterator[Event]:
        """Build from a Dockerfile of a project."""
        ...

    def image(self, reference: str) -> Image | None:
        """An image by name or id; None when it is not here."""
        ...

    def labelled(self, label: str) -> list[Image]:
        """Every image with this label, those without a name too."""
        ...

    def tag(self, reference: str, name: str) -> None:
        """Give an image a further name, taking it from whatever has it."""
        ...

    def remove(self, reference: str) -> None:
        """Take a name away, and the image with its last one. `InUse` where a container needs it."""
        ...

    def push(self, reference: str, login: Login | None = None) -> Generator[Event, None, str]:
        """Send an image to the registry that its name says, and return its digest there.

        Without a login, the user's own configuration and credential helpers are asked.
        """
        ...

    def pull(self, reference: str, login: Login | None = None) -> Iterator[Event]:
        """Have the image that a registry has under this name now."""
        ...

    def save(self, reference: str) -> Iterator[bytes]:
        """The image as the tar archive that `docker load` reads."""
        ...

    def program(self, argv: Sequence[str]) -> tuple[tuple[str, ...], Mapping[str, str]]:
        """The engine's own program for a command such as `docker run …`, and what its environment needs."""
        ...

    def ports(self, container: str) -> Mapping[str, str] | None:
        """Where the ports of a running container are published: `80/tcp` -> `127.0.0.1:49153`; None when it ended."""
        ...
