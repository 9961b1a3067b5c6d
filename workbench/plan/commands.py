"""A plan as the commands that a person would type. Pure; the engine is told the same through its API."""

import json
import shlex
from collections.abc import Mapping

from workbench.labels import LABEL, NAME, OWNER, PORT, PROJECT
from workbench.model import Bridge, Build, ContainerRun, EngineName, ImageBuild, ImageUse, LaunchPlan, RunPlan
from workbench.plan.words import Command, gpus, mount_words, pairs, record, repeat

DELIVER = LABEL + "deliver"
"""On a container: JSON, the command that takes the delivery, for a restart."""
HEALTH_SECONDS = {"interval": 15, "timeout": 5, "start-period": 60}
HEALTH_RETRIES = 3
BUILD_ENVIRONMENT: Mapping[str, str] = {"DOCKER_BUILDKIT": "1"}
"""What `docker build` needs in its environment before version 23."""


def commands(plan: LaunchPlan, engine: EngineName) -> tuple[Command, ...]:
    """All commands of a container launch, in order; empty for the local engine."""
    return (*provision(plan.build, engine), *starting(plan.run, engine))


def provision(build: Build, engine: EngineName) -> tuple[Command, ...]:
    """The commands that make the image be there."""
    if isinstance(build, ImageUse):
        return ((engine, "pull", build.tag),) if build.pull else ()
    if isinstance(build, ImageBuild):
        before = provision(build.before, engine) if build.before else ()
        return (*before, build_command(build, engine))
    return ()


def starting(run: RunPlan, engine: EngineName) -> tuple[Command, ...]:
    """The commands that start the container and hand over the delivery."""
    if not isinstance(run, ContainerRun):
        return ()
    network = (network_command(run.bridge, engine),) if run.bridge else ()
    delivery = (deliver_command(run, engine),) if run.deliver else ()
    return (*network, *volume_commands(run, engine), *_start(run, engine), *delivery)


def _start(run: ContainerRun, engine: EngineName) -> tuple[Command, ...]:
    """`docker run -d …`; in steps where it is to be in several networks from its start on."""
    if not run.networks:
        return (run_command(run, engine),)
    joins = ((engine, "network", "connect", name, run.name) for name in run.networks)
    return ((engine, "create", *_container(run, engine)), *joins, (engine, "start", run.name))


def build_command(build: ImageBuild, program: str) -> Command:
    """`docker build …` of a context folder that already holds `build.files`."""
    # Podman always reports plainly.
    progress = () if program == "podman" else ("--progress=plain",)
    return (
        program,
        "build",
        *progress,
        *repeat("--tag", [build.tag]),
        *repeat("--build-arg", pairs(build.args)),
        *repeat("--label", pairs(build.labels)),
        *repeat("--secret", (record([f"id={secret.id}", f"src={secret.source}"]) for secret in build.secrets)),
        *(("--no-cache",) if build.force else ()),
        build.context,
    )


def network_options(bridge: Bridge, engine: EngineName) -> dict[str, str]:
    """Options of the bridge driver that keep workbenches apart."""
    if engine == "podman":
        return {"isolate": "true"}
    return {"com.docker.network.bridge.enable_icc": "false"} if bridge.isolated else {}


def network_command(bridge: Bridge, engine: EngineName) -> Command:
    """`docker network create …`."""
    options = repeat("--opt", pairs(network_options(bridge, engine)))
    return (engine, "network", "create", *options, *repeat("--label", pairs(bridge.labels)), bridge.name)


def deliver_command(run: ContainerRun, engine: EngineName, size: int | None = None) -> Command:
    """`docker exec -i …`, which takes `size` bytes on its standard input."""
    return (engine, "exec", "-i", run.name, *run.deliver, "SIZE" if size is None else str(size))


def volume_commands(run: ContainerRun, engine: EngineName) -> tuple[Command, ...]:
    """`docker volume create …`, so that each volume says whose it is."""
    marks = repeat("--label", pairs(volume_labels(run)))
    return tuple((engine, "volume", "create", *marks, name) for name in volumes(run))


def run_command(run: ContainerRun, engine: EngineName) -> Command:
    """`docker run -d …`: equal to what `workbench.engines.translate.container` tells the engine's API."""
    return (engine, "run", "-d", *_container(run, engine))


def create_command(run: ContainerRun, engine: EngineName) -> Command:
    """`docker create …`: the same container, not started."""
    return (engine, "create", *_container(run, engine))


def _container(run: ContainerRun, engine: EngineName) -> Command:
    entrypoint, command = entry(run)
    return (
        *_identity(run),
        *_network(run),
        *(field for mount in run.mounts for field in ("--mount", mount_words(mount))),
        *repeat("--tmpfs", (f"{path}:{options}" for path, options in tmpfs(run, engine).items())),
        *_limits(run),
        *_rights(run),
        *gpus(run.gpu_form, run.gpu_ids),
        *_health(run),
        *((f"--restart={run.restart}",) if run.restart != "no" else ()),
        *log_words(run.log_size, run.log_files, engine),
        *((f"--entrypoint={entrypoint}",) if entrypoint is not None else ()),
        run.image,
        *command,
    )


def entry(run: ContainerRun) -> tuple[str | None, Command]:
    """Entry point as one word and the command: None leaves the image's own, an empty word takes it away."""
    if run.entrypoint is None:
        return None, run.command
    return (run.entrypoint or ("",))[0], (*run.entrypoint[1:], *run.command)


def container_labels(run: ContainerRun) -> dict[str, str]:
    """The run's labels, its port, and how a restart delivers."""
    return {**run.labels, PORT: str(run.port), **({DELIVER: json.dumps(run.deliver)} if run.deliver else {})}


def volumes(run: ContainerRun) -> tuple[str, ...]:
    """Names of the volumes that are made for the run."""
    return tuple(mount.source for mount in run.mounts if mount.kind == "volume" and not mount.external)


def volume_labels(run: ContainerRun) -> dict[str, str]:
    """Whose the volumes of a workbench are."""
    return {key: value for key, value in run.labels.items() if key in (NAME, PROJECT, OWNER)}


def log_options(size: str, files: int, engine: str) -> tuple[str, dict[str, str]]:
    """Log driver and its options. Podman keeps one file."""
    limit = {"max-size": size}
    return ("k8s-file", limit) if engine == "podman" else ("json-file", {**limit, "max-file": str(files)})


def log_words(size: str, files: int, engine: str) -> Command:
    """The same as options of a command."""
    driver, options = log_options(size, files, engine)
    return (f"--log-driver={driver}", *repeat("--log-opt", pairs(options)))


def capabilities(run: ContainerRun) -> list[str]:
    """Added capabilities by their full names: some clients write them so, and engines keep what they are told."""
    names = [name.upper() for name in run.cap_add]
    return [name if name == "ALL" or name.startswith("CAP_") else f"CAP_{name}" for name in names]


def cdi_names(run: ContainerRun) -> tuple[str, ...]:
    """Those of the run's devices that engines know by a CDI specification, such as `nvidia.com/gpu=all`."""
    return tuple(name for name in run.devices if not name.startswith("/"))


def tmpfs(run: ContainerRun, engine: EngineName) -> dict[str, str]:
    """Folders in memory. Podman knows no `uid=` there, but `U`: the container's own user."""
    if engine != "podman":
        return dict(run.tmpfs)
    return {path: ",".join(_podman_tmpfs(options.split(","))) for path, options in run.tmpfs.items()}


def _podman_tmpfs(options: list[str]) -> list[str]:
    kept = [option for option in options if not option.startswith(("uid=", "gid="))]
    return kept if len(kept) == len(options) else [*kept, "U"]


def health_test(run: ContainerRun) -> str:
    """The health command as the shell text that `--health-cmd` takes."""
    return shlex.join(run.health)


def _identity(run: ContainerRun) -> Command:
    return (
        "--name",
        run.name,
        "--hostname",
        run.hostname,
        "--init",
        f"--stop-timeout={run.stop_timeout}",
        *(("--user", run.user) if run.user else ()),
        *((f"--userns={run.userns}",) if run.userns else ()),
        "--workdir",
        run.workdir,
        *repeat("--env", pairs(run.env)),
        *repeat("--label", pairs(container_labels(run))),
    )


def _network(run: ContainerRun) -> Command:
    hosts = repeat("--add-host", (f"{name}:{address}" for name, address in run.extra_hosts.items()))
    if run.bridge is None:
        return ("--network", "host", *hosts)
    return ("--network", run.bridge.name, "--publish", f"127.0.0.1:{run.port}:{run.container_port}", *hosts)


def _limits(run: ContainerRun) -> Command:
    return (
        f"--shm-size={run.shm_size}b",
        *((f"--pids-limit={run.pids}",) if run.pids is not None else ()),
        *((f"--memory={run.memory}b",) if run.memory is not None else ()),
        *((f"--cpus={run.nano_cpus / 1e9:.9f}".rstrip("0").rstrip("."),) if run.nano_cpus is not None else ()),
    )


def _rights(run: ContainerRun) -> Command:
    devices = repeat("--device", run.devices)
    added = repeat("--cap-add", capabilities(run))
    if run.privileged:
        return ("--privileged", *added, *devices)
    return ("--cap-drop=ALL", *added, "--security-opt=no-new-privileges", *devices)


def _health(run: ContainerRun) -> Command:
    if not run.health:
        return ()
    times = (f"--health-{name}={seconds}s" for name, seconds in HEALTH_SECONDS.items())
    return (f"--health-cmd={health_test(run)}", *times, f"--health-retries={HEALTH_RETRIES}")
