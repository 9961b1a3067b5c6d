"""What is configured for one image, as values: how it is named, built, run and published."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from workbench.model import Device, Mount, Origin, Secret
from workbench.plan.device import Choice

LOOPBACK = "127.0.0.1"
CPU = Device("cpu")
NO_GPU = Choice("cpu")


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that is said of an image: a key of `[tool.workbench.images.NAME]` and its value, as written.

    Of a collection it is one item, or an empty one. `docked`: it stands in the place of what is said otherwise when a
    remote engine runs the image.
    """

    key: str
    value: object
    origin: Origin
    docked: bool = False


@dataclass(frozen=True, slots=True)
class Port:
    """A port of the container on one of this machine; `host` None leaves the choice to the engine."""

    container: int
    host: int | None = None
    address: str = LOOPBACK
    protocol: str = "tcp"

    def __str__(self) -> str:
        where = f"[{self.address}]" if ":" in self.address else self.address
        return f"{where}:{self.host or ''}:{self.container}/{self.protocol}"


@dataclass(frozen=True, slots=True)
class BuildSpec:
    """How an image is built. `before` and `after` are commands of this machine, split into words."""

    args: Mapping[str, str] = field(default_factory=dict)
    private: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Arguments whose value, or a part of it, is the user's own: for no command line and no screen."""
    target: str | None = None
    platform: str | None = None
    pull: bool = False
    """Whether a newer base is looked for at every build."""
    pull_on_force: bool = False
    """Whether one is looked for when a build is forced."""
    cache: bool = True
    network: str | None = None
    """The network of the build's own commands, `none` for no way to the outside; None for the engine's own."""
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunSpec:
    """How a container of an image is started."""

    env: Mapping[str, str] = field(default_factory=dict)
    private: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Variables whose value, or a part of it, is the user's own: for no command line, no label and no screen."""
    interactive: bool = True
    """With this terminal; False: in the background."""
    device: Device = CPU
    network: str | None = None
    """`host`, `none`, `container:NAME`, or the name of a network; None for the engine's own."""
    mounts: tuple[Mount, ...] = ()
    ports: tuple[Port, ...] = ()
    command: tuple[str, ...] = ()
    """Empty: the image's own."""
    init: bool = True
    memory: int | None = None
    """Bytes."""
    cpus: float | None = None
    shm_size: int | None = None
    """Bytes."""
    privileged: bool = False
    cap_add: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    user: str | None = None
    workdir: str | None = None
    hostname: str | None = None
    entrypoint: str | None = None
    hosts: Mapping[str, str] = field(default_factory=dict)
    """Name -> address, for the container's `/etc/hosts`."""
    ipc: str | None = None
    ulimits: tuple[str, ...] = ()
    restart: str | None = None
    """`always`, `unless-stopped`, `on-failure[:N]`; None: never."""
    log_opts: Mapping[str, str] = field(default_factory=dict)
    """Options of the log driver, such as `max-size`."""


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """All that is configured for one image.

    `key` is its name on the command line; `folder` the one of `docker/` that it is built from, None for an image that
    exists already.
    """

    key: str
    folder: str | None = None
    name: str | None = None
    tag: str | None = None
    prefix: bool = True
    """Whether the project's name comes before `name`."""
    image_repo: str | None = None
    publication_tag: str | None = None
    """As written: `places.expand` knows what its variables stand for."""
    build: BuildSpec = BuildSpec()
    run: RunSpec = RunSpec()
    origins: Mapping[str, Origin] = field(default_factory=dict, compare=False)
    """Where each key, and each item of a collection (`env.NAME`, `mounts./target`), was said."""
    reads: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Key or item -> the variables of the user's environment that its value was made from."""


@dataclass(frozen=True, slots=True)
class DockerfileBuild:
    """An image to build from a Dockerfile of the project; its folder is the context, as `.dockerignore` filters it."""

    tag: str
    dockerfile: str
    """Relative to the context."""
    context: str
    args: Mapping[str, str] = field(default_factory=dict)
    private: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Further arguments, which reach the build through the environment of the program that builds."""
    target: str | None = None
    platform: str | None = None
    network: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[Secret, ...] = ()
    pull: bool = False
    cache: bool = True


@dataclass(frozen=True, slots=True)
class ImageRun:
    """A container of an image to start, by the engine's own program."""

    name: str
    image: str
    spec: RunSpec
    labels: Mapping[str, str]
    tty: bool = False
    """Whether both ends of the command are a terminal."""
    keep: bool = False
    """Whether the container stays when it has ended."""
    device: Choice = NO_GPU


@dataclass(frozen=True, slots=True)
class Image:
    """An image as its engine has it. `size` in bytes, `made` in seconds since 1970, `layers` as digests of content."""

    id: str
    tags: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    """`repository@sha256:…` in the registries that it was pulled from or pushed to."""
    size: int = 0
    made: float | None = None
    layers: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    """Who runs in it; empty for root."""


@dataclass(frozen=True, slots=True)
class Login:
    """An account at a registry."""

    user: str
    password: str = field(repr=False)
    registry: str
