"""The frozen values that pass between the steps of a launch. No behaviour beyond small derived properties."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from workbench.labels import DOCK

EngineName = Literal["docker", "podman", "local", "fake"]
DeviceKind = Literal["auto", "cpu", "gpu"]
GpuForm = Literal["request", "runtime", "cdi"]
"""How an engine is asked for GPUs: `--gpus` (a device request), `--runtime=nvidia`, or names of CDI devices."""

LOG_SIZE, LOG_FILES = "10m", 3
"""How much of a container's output an engine keeps where nothing else is said: an engine itself keeps all."""


@dataclass(frozen=True, slots=True)
class Device:
    """What computes: `auto`, `cpu` or `gpu`; `ids` are GPU indices or UUIDs, empty for all."""

    kind: DeviceKind = "auto"
    ids: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind}:{','.join(self.ids)}" if self.ids else self.kind


@dataclass(frozen=True, slots=True)
class DevicePackages:
    """What the environment of one device has over the shared one: `[tool.workbench.cpu]`, `[tool.workbench.gpu]`."""

    packages: tuple[str, ...]
    index: str | None = None
    """A package index that is looked at before the usual one."""
    torch_backend: str | None = None
    """uv's `--torch-backend`: `auto`, `cpu`, `cu128` …"""


@dataclass(frozen=True, slots=True)
class Repository:
    """A git repository's address, and the branch, tag or commit that is wanted; empty for its own default."""

    url: str
    ref: str = ""

    def __str__(self) -> str:
        # Without a password.
        return re.sub(r"(?<=://)[^/@\s]+@", "", self.url) + (f" at {self.ref}" if self.ref else "")


@dataclass(frozen=True, slots=True)
class Request:
    """One command line, parsed. `flags` holds the settings that were given there, by their configuration name."""

    path: Path
    flags: Mapping[str, object] = field(default_factory=dict)
    restart: bool = False
    keep: bool = False
    rebuild: bool = False
    offline: bool = False
    trust: bool = False
    dry_run: bool = False
    json: bool = False
    detach: bool = False
    ship: bool = False
    """On a dock: build the image here, and send it."""
    browser: bool = True
    verbosity: int = 0
    jupyter: tuple[str, ...] = ()
    cwd: Path | None = None
    """Where the relative paths among the flags start; None for this process's own folder."""
    repository: Repository | None = None
    """What `path` was cloned from for this launch: somebody else's code."""


@dataclass(frozen=True, slots=True)
class DependencyFile:
    """One file that decides what is installed. `name` is relative to the project, in POSIX form."""

    name: str
    content: bytes

    @property
    def digest(self) -> str:
        """First 16 hexadecimal digits of the content's SHA-256."""
        return hashlib.sha256(self.content).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Project:
    """A project folder as read from disk. `owner` is the (uid, gid) of the folder, None where there are none."""

    root: Path
    name: str
    """Readable name: the folder's, reduced to `[a-z0-9-]`."""
    dependencies: tuple[DependencyFile, ...] = ()
    python: str | None = None
    """`X.Y` asked for by `.python-version`, `runtime.txt` or `requires-python`; None when nothing asks."""
    python_from: str = ""
    """The file that asked for it."""
    installable: bool = False
    """Whether `pip install -e` applies: a build system, `setup.py` or `setup.cfg` with a package."""
    dockerfile: DependencyFile | None = None
    """The project's own `docker/notebook/Dockerfile`."""
    dockerfile_context: tuple[DependencyFile, ...] = ()
    """Every other file of `docker/notebook/`, for that Dockerfile's COPY lines."""
    owner: tuple[int, int] | None = None
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a setting's value came from: `default`, a file with its line, an environment variable, or a flag."""

    kind: Literal["default", "dockerutils.cfg", "file", "environment", "flag"]
    where: str = ""

    def __str__(self) -> str:
        return self.where or self.kind


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder of the host, or a named volume, seen in the container. `source` is absolute for a bind."""

    source: str
    target: str
    kind: Literal["bind", "volume"] = "bind"
    read_only: bool = False
    external: bool = False
    """Of a volume: whether others make it, and remove it."""


@dataclass(frozen=True, slots=True)
class Web:
    """The web interface of a service, which the workbench's own address leads to below `/services/NAME/`."""

    name: str
    port: int
    """Where it listens in its own container."""
    title: str = ""
    path: str = "/"
    """The page that is opened first."""
    absolute: bool = False
    """Whether the service wants whole paths, `/services/NAME/` included."""


@dataclass(frozen=True, slots=True)
class ServiceUse:
    """What a workbench has of a service: `[tool.workbench.services.NAME]`."""

    start: bool = True
    """Whether it is started with the workbench; else only where the command line asks for it."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Variables that tell kernels where it is."""
    volumes: Mapping[str, str] = field(default_factory=dict)
    """Volumes of the Compose file -> where the workbench sees them."""
    web: Web | None = None
    restart: bool = False
    """Whether the panel may restart it."""

    def __str__(self) -> str:
        told = [f"tells {name}" for name in self.env] + [f"shares {name} at {at}" for name, at in self.volumes.items()]
        told += [f"web at {self.web.port}"] if self.web else []
        return "; ".join(["started" if self.start else "on request", *told])


@dataclass(frozen=True, slots=True)
class Sync:
    """How a project is kept the same on a dock."""

    exclude: tuple[str, ...] = ()
    """Further patterns of what stays on its own side, as .gitignore has them."""


@dataclass(frozen=True, slots=True)
class SharedVolume:
    """What containers of a toolchain share: a folder of the project, a named volume, or one in memory."""

    kind: Literal["folder", "volume", "memory"]
    folder: str = ""
    """Of a folder: relative to the project, in POSIX form."""


@dataclass(frozen=True, slots=True)
class Toolchain:
    """Images of the project that share volumes."""

    root: str
    """The folder of each container below which its volumes are, by their names: APP_ROOT."""
    volumes: Mapping[str, SharedVolume]
    images: Mapping[str, tuple[str, ...]]
    """Image -> the names of its volumes."""

    def __str__(self) -> str:
        return " ".join(f"{image}({','.join(names)})" for image, names in self.images.items()) or "-"


@dataclass(frozen=True, slots=True)
class Settings:
    """The effective configuration. `origins` maps each field's configuration name to where it came from."""

    engine: Literal["auto", "docker", "podman", "local", "fake"] = "auto"
    device: Device = Device()
    image: str | None = None
    as_is: bool = False
    base_image: str | None = None
    port: int | None = None
    classic: bool = False
    diffs: bool = True
    env: Mapping[str, str] = field(default_factory=dict)
    pass_env: Mapping[str, str] = field(default_factory=dict)
    """Variables of the host's environment that the project asks for, with their present values."""
    mounts: tuple[Mount, ...] = ()
    memory: int | None = None
    """Bytes."""
    cpus: float | None = None
    shm_size: int = 1 << 30
    """Bytes."""
    restart: str = "no"
    """`no`, `on-failure[:N]`, `unless-stopped`, `always`: when the engine starts the container again by itself."""
    log_max_size: str = LOG_SIZE
    log_max_file: int = LOG_FILES
    privileged: bool = False
    host_network: bool = False
    cap_add: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    services: Mapping[str, ServiceUse] = field(default_factory=dict)
    """Services of the project's Compose file, by name; `all` stands for every one."""
    cpu: DevicePackages | None = None
    gpu: DevicePackages | None = None
    """Either one makes two environments over the shared one; None for both makes none."""
    dock: str | None = None
    """Name of the machine whose engine runs it; None for this one."""
    sync: Sync | None = None
    toolchain: Toolchain | None = None
    origins: Mapping[str, Origin] = field(default_factory=dict)

    @property
    def beside(self) -> tuple[str, ...]:
        """The services that are started with the workbench."""
        return tuple(name for name, use in self.services.items() if use.start)


@dataclass(frozen=True, slots=True)
class Network:
    """How this machine reaches the outside: proxy variables, certificate bundle, package-index settings.

    `files` maps the name that the image knows a file by (`ca.pem`, `pip.conf`, `netrc`, `uv.toml`) to its path here.
    `env` holds proxy variables and the index settings derived from pip's, which may contain passwords.
    `uv` holds what uv is told on this machine itself, so that it gets along with what pip is told.
    """

    env: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    uv: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gpu:
    """One NVIDIA GPU. Memory in bytes, `load` from 0 to 1; None where that was not asked or is not known."""

    index: int
    uuid: str
    name: str
    memory: int | None = None
    memory_used: int | None = None
    load: float | None = None


@dataclass(frozen=True, slots=True)
class GpuFacts:
    """What this machine has for GPUs. Empty texts mean that there is none, or that its version cannot be told."""

    driver: str = ""
    """Version of the NVIDIA driver, for instance `570.86.15`."""
    gpus: tuple[Gpu, ...] = ()
    toolkit: str = ""
    """Version of the NVIDIA Container Toolkit, for instance `1.18.0`."""
    hook: bool = False
    """Whether `nvidia-container-runtime-hook` is there, without which Docker takes no device requests."""
    cdi: tuple[str, ...] = ()
    """The names after `nvidia.com/gpu=` in this machine's CDI specifications: `all`, `0`, `GPU-…`."""
    absent: bool = False
    """Whether it is certain that no NVIDIA GPU is in this machine, and so no driver can help."""


@dataclass(frozen=True, slots=True)
class DockFacts:
    """The other machine, where an engine is that is reached by ssh."""

    name: str
    """As the user calls it."""
    projects: str
    """The folder there in which our copies of projects lie."""
    machine: str
    """What tells this machine from others whose users come there: eight hexadecimal digits."""


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What the engine and this machine are. Plans depend on nothing else of the outside."""

    engine: EngineName
    version: str
    """The engine's own version, for instance `20.10.24`."""
    uid: int
    gid: int
    user: str
    api_version: str = ""
    address: str = ""
    """Where the engine answers, for instance `unix:///run/docker.sock`; empty for the local engine."""
    os: str = "linux"
    """The operating system of this machine: `linux`, `darwin`, `windows`."""
    desktop: bool = False
    """Docker Desktop, Podman machine and the like: its virtual machine maps file owners by itself."""
    rootless: bool = False
    isolated_bridge: bool = True
    """Whether one bridge network can keep its containers apart (`enable_icc=false`)."""
    runtimes: tuple[str, ...] = ()
    """OCI runtimes that are registered with the engine, for instance `nvidia`, `runc`."""
    takes_cdi: bool = False
    """Whether the engine's API takes CDI names (Docker: switched on; Podman: from 5.4)."""
    program: bool = True
    """Whether the engine's own program is on this machine."""
    remote: bool = False
    """Whether the engine runs on another machine, or in a virtual one: `gpu` then says nothing about it."""
    gpu: GpuFacts = GpuFacts()
    cgroup_limits: bool = True
    """Whether memory, CPU and pids limits can be set (rootless engines without delegation cannot)."""
    python: str = ""
    """`X.Y` of this installation (the local engine's server and default environment)."""
    executable: str = ""
    """This installation's Python interpreter."""
    network: Network = Network()
    dock: DockFacts | None = None
    """Where the engine is; None for an engine of this machine. Users and ids are those of there."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A file of this machine that a build may read and that never becomes part of the image."""

    id: str
    source: str


@dataclass(frozen=True, slots=True)
class ImageBuild:
    """An image to have: built from `files` (path in the context -> content), or already there under `digest`."""

    tag: str
    digest: str
    inputs: Mapping[str, str]
    """What the digest was made from: a name that a person knows -> digest of it. Kept as an image label."""
    base: str
    files: Mapping[str, bytes]
    context: str
    """Folder of this machine into which `files` are written, so that the printed command can be repeated."""
    args: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[Secret, ...] = ()
    force: bool = False
    pull: bool = True
    """Whether the base may be fetched from a registry when it is not there."""
    before: "ImageBuild | None" = None
    """An image of the project's own that must be there first: this one's base."""


@dataclass(frozen=True, slots=True)
class ImageUse:
    """An image to be taken as it is: pulled when absent."""

    tag: str
    pull: bool = True
    force: bool = False


@dataclass(frozen=True, slots=True)
class VenvBuild:
    """A virtual environment to have, made by uv from `files` (dependency files, path -> content)."""

    folder: str
    digest: str
    inputs: Mapping[str, str]
    files: Mapping[str, bytes]
    project: str
    """The project's folder: labels the environment, for `prune`."""
    python: str | None = None
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    """For uv; may contain passwords of package indexes."""
    devices: str = ""
    """Content of `devices.json`, as `inside/overlays.py` reads it; empty for no device environments."""
    apart: tuple[str, ...] = ()
    """Packages that every device environment brings by itself: the shared one goes without."""
    force: bool = False
    offline: bool = False


Build = ImageBuild | ImageUse | VenvBuild


@dataclass(frozen=True, slots=True)
class Bridge:
    """A container network of ours. `isolated`: its containers cannot reach each other's ports."""

    name: str
    labels: Mapping[str, str]
    isolated: bool


@dataclass(frozen=True, slots=True)
class ContainerRun:
    """A container to start. Everything that `docker run` would be told, and nothing secret."""

    name: str
    image: str
    labels: Mapping[str, str]
    hostname: str
    port: int
    """Port on 127.0.0.1."""
    container_port: int
    workdir: str
    user: str | None = None
    """`uid:gid`; None leaves the image's own."""
    env: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    tmpfs: Mapping[str, str] = field(default_factory=dict)
    bridge: Bridge | None = None
    """None: the host's network."""
    networks: tuple[str, ...] = ()
    """Further networks, which others made: those of services."""
    command: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] | None = None
    health: tuple[str, ...] = ()
    pids: int | None = 4096
    shm_size: int = 1 << 30
    memory: int | None = None
    nano_cpus: int | None = None
    restart: str = "no"
    """`no`, `on-failure[:N]`, `unless-stopped`: when the engine starts it again by itself."""
    log_size: str = LOG_SIZE
    log_files: int = LOG_FILES
    stop_timeout: int = 30
    """Seconds between SIGTERM and SIGKILL."""
    privileged: bool = False
    cap_add: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    """`/dev/…` or names of CDI devices, those of GPUs included when `gpu_form` is `cdi`."""
    device: str = "cpu"
    """What kernels start on: `cpu`, `gpu`, `gpu:0,1`."""
    gpu_form: GpuForm | None = None
    """None: the container gets no GPU."""
    gpu_ids: tuple[str, ...] = ()
    """Indices or UUIDs; empty for all. Only with a `gpu_form`."""
    userns: str | None = None
    extra_hosts: Mapping[str, str] = field(default_factory=dict)
    build: str = ""
    """Digest of the build that `image` must be: two projects of one name share the tag."""
    deliver: tuple[str, ...] = ()
    """The command that takes the delivery on its standard input; its last argument will be the number of bytes."""


@dataclass(frozen=True, slots=True)
class Companions:
    """The services beside a workbench, as they were approved."""

    stack: str
    """The name that Compose has for all of them together: its project."""
    names: tuple[str, ...]
    """Those that the workbench wants, each after those that it depends on."""
    networks: tuple[str, ...] = ()
    """The engine's names of the networks in which they are reached."""
    mounts: tuple[Mount, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    web: tuple[Web, ...] = ()
    restart: tuple[str, ...] = ()
    """Those that the panel may restart."""


@dataclass(frozen=True, slots=True)
class LocalRun:
    """A server process to start on this machine. `argv` and `env` are complete."""

    name: str
    labels: Mapping[str, str]
    port: int
    argv: tuple[str, ...]
    workdir: str
    folder: str
    """Run folder (0700): delivery, server log, Jupyter's runtime files."""
    venv: str
    env: Mapping[str, str] = field(default_factory=dict)
    device: str = "cpu"
    """What kernels start on: `cpu`, `gpu`, `gpu:0,1`."""
    stop_timeout: int = 30


RunPlan = ContainerRun | LocalRun


@dataclass(frozen=True, slots=True)
class Delivery:
    """What the server must know and nobody else may read. Reaches it over a stream, never by inspect, disk or argv."""

    token: str
    env: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    returning: bool = False
    """Whether this start follows a restart that the user's open notebooks are waiting for: their kernels come back."""

    def document(self) -> dict[str, object]:
        """It in the form in which the server reads it."""
        return {
            "token": self.token,
            "env": dict(self.env),
            "files": dict(self.files),
            **({"returning": True} if self.returning else {}),
        }

    def __repr__(self) -> str:
        return "Delivery(token=..., env=..., files=...)"


@dataclass(frozen=True, slots=True)
class Seed:
    """The two values of a plan that come from chance: made once per workbench, kept in its state."""

    token: str
    port: int

    def __repr__(self) -> str:
        return f"Seed(token=..., port={self.port})"


@dataclass(frozen=True, slots=True)
class LaunchPlan:
    """All that a launch will do. `notices` are lines the user should read; `used` the dependency files."""

    name: str
    build: Build
    run: RunPlan
    delivery: Delivery
    digest: str
    """Identity of the run without port and token; the label `io.workbench.plan`."""
    used: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


RunState = Literal["created", "running", "stopped", "dead"]


@dataclass(frozen=True, slots=True)
class Running:
    """A workbench as its engine reports it."""

    id: str
    name: str
    """The workbench's name (label `io.workbench.name`), which is also the host part of its URL."""
    container: str
    """The container's name, or the server's process id on the local engine."""
    project: str
    """Its folder on the machine that it was started from; with that machine's id before it on a dock."""
    engine: EngineName
    state: RunState
    port: int
    image: str
    plan: str
    device: str = "cpu"
    """What kernels start on: `cpu`, `gpu`, `gpu:0,1`."""
    gpus: str = ""
    """Which GPUs it has, whatever kernels start on: `all`, `0,1`; empty for none (label `io.workbench.gpus`)."""
    owner: str = ""
    health: str = ""
    """`starting`, `healthy`, `unhealthy`, or empty where the engine has no check."""
    started: float | None = None
    """Seconds since 1970."""
    exit_code: int | None = None
    out_of_memory: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def dock(self) -> str:
        """The machine that it runs on, as the user calls it; empty for this one."""
        return self.labels.get(DOCK, "")

    @property
    def folder(self) -> str:
        """The project's folder, on the machine that it was started from."""
        return self.project.partition(":")[2] if self.dock else self.project


@dataclass(frozen=True, slots=True)
class ServiceState:
    """A container of a service, as the engine reports it."""

    id: str
    container: str
    stack: str
    service: str
    folder: str
    """Where its Compose file was used; empty where Compose did not say."""
    state: RunState
    health: str = ""
    """`starting`, `healthy`, `unhealthy`, or empty where it has no check."""
    exit_code: int | None = None
    ports: tuple[str, ...] = ()
    """`127.0.0.1:8080->80/tcp`, or `80/tcp` for one that is not published."""
    started: float | None = None
    """Seconds since 1970."""
    command: bool = False
    """Whether it is that of one command (`run`), not the service's own."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a workbench answers: `url` for browsers, `api_url` for programs."""

    url: str
    api_url: str
    token: str

    def __repr__(self) -> str:
        return f"Endpoint(api_url={self.api_url!r}, ...)"


@dataclass(frozen=True, slots=True)
class Stats:
    """One sample. Memory in bytes, `cpu` in cores in use, network and disk as totals in bytes since the start."""

    cpu: float
    memory: int
    memory_limit: int | None
    pids: int
    net_in: int | None = None
    net_out: int | None = None
    disk_read: int | None = None
    disk_written: int | None = None


@dataclass(frozen=True, slots=True)
class ExecResult:
    """A finished command: exit code and what it wrote, as text."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something of ours on an engine that `prune` can remove. `size` in bytes, None where it is not known."""

    kind: Literal["container", "image", "network", "volume", "environment", "cache"]
    id: str
    name: str
    project: str
    why: str
    size: int | None = None


EventKind = Literal["step", "progress", "output", "done", "cached", "failed", "note"]


@dataclass(frozen=True, slots=True)
class Event:
    """A piece of news about long work. The terminal, the panel and the tests read the same ones.

    `step` identifies the step that it belongs to; a `step` event opens it with `text` as its name; `progress`
    carries `done` of `total` (bytes or steps; 0 when not known); `output` is one line of the tool's own words.
    """

    kind: EventKind
    text: str = ""
    step: str = ""
    done: int = 0
    total: int = 0
    seconds: float | None = None
