"""A plan as the commands that a person would type. Pure; the engine is told the same through its API."""

import csv
import io
import json
import shlex
from collections.abc import Iterable, Mapping

from workbench.images.spec import DockerfileBuild
from workbench.labels import LABEL, NAME, OWNER, PORT, PROJECT
from workbench.model import Bridge, Build, ContainerRun, EngineName, ImageBuild, ImageUse, LaunchPlan, Mount, RunPlan
from workbench.plan.device import RUNTIME

Command = tuple[str, ...]

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
    return (*network, *volume_commands(run, engine), run_command(run, engine), *delivery)


def build_command(build: ImageBuild, program: str) -> Command:
    """`docker build …` of a context folder that already holds `build.files`."""
    # Podman always reports plainly.
    progress = () if program == "podman" else ("--progress=plain",)
    return (
        program,
        "build",
        *progress,
        *_repeat("--tag", [build.tag]),
        *_repeat("--build-arg", _pairs(build.args)),
        *_repeat("--label", _pairs(build.labels)),
        *_repeat("--secret", (_record([f"id={secret.id}", f"src={secret.source}"]) for secret in build.secrets)),
        *(("--no-cache",) if build.force else ()),
        build.context,
    )


def dockerfile_command(build: DockerfileBuild, program: str) -> Command:
    """`docker build …` of the project's folder, which the program itself filters by `.dockerignore`.

    Arguments that are the user's own have no value here: the program takes them from `build.private`, its environment.
    """
    return (
        program,
        "build",
        *_repeat("--tag", [build.tag]),
        f"--file={build.context}/{build.dockerfile}",
        *((f"--target={build.target}",) if build.target else ()),
        *((f"--platform={build.platform}",) if build.platform else ()),
        *_repeat("--build-arg", [*_pairs(build.args), *build.private]),
        *_repeat("--label", _pairs(build.labels)),
        *(("--pull",) if build.pull else ()),
        *(() if build.cache else ("--no-cache",)),
        build.context,
    )


def network_options(bridge: Bridge, engine: EngineName) -> dict[str, str]:
    """Options of the bridge driver that keep workbenches apart."""
    if engine == "podman":
        return {"isolate": "true"}
    return {"com.docker.network.bridge.enable_icc": "false"} if bridge.isolated else {}


def network_command(bridge: Bridge, engine: EngineName) -> Command:
    """`docker network create …`."""
    options = _repeat("--opt", _pairs(network_options(bridge, engine)))
    return (engine, "network", "create", *options, *_repeat("--label", _pairs(bridge.labels)), bridge.name)


def deliver_command(run: ContainerRun, engine: EngineName, size: int | None = None) -> Command:
    """`docker exec -i …`, which takes `size` bytes on its standard input."""
    return (engine, "exec", "-i", run.name, *run.deliver, "SIZE" if size is None else str(size))


def volume_commands(run: ContainerRun, engine: EngineName) -> tuple[Command, ...]:
    """`docker volume create …`, so that each volume says whose it is."""
    marks = _repeat("--label", _pairs(volume_labels(run)))
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
        *(field for mount in run.mounts for field in ("--mount", _mount(mount))),
        *_repeat("--tmpfs", (f"{path}:{options}" for path, options in tmpfs(run, engine).items())),
        *_limits(run),
        *_rights(run),
        *_gpus(run),
        *_health(run),
        *_log(run, engine),
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
    """Names of the volumes that the run mounts."""
    return tuple(mount.source for mount in run.mounts if mount.kind == "volume")


def volume_labels(run: ContainerRun) -> dict[str, str]:
    """Whose the volumes of a workbench are."""
    return {key: value for key, value in run.labels.items() if key in (NAME, PROJECT, OWNER)}


def log_options(run: ContainerRun, engine: EngineName) -> tuple[str, dict[str, str]]:
    """Log driver and its options. Podman keeps one file."""
    size = {"max-size": run.log_size}
    return ("k8s-file", size) if engine == "podman" else ("json-file", {**size, "max-file": str(run.log_files)})


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
        *_repeat("--env", _pairs(run.env)),
        *_repeat("--label", _pairs(container_labels(run))),
    )


def _network(run: ContainerRun) -> Command:
    hosts = _repeat("--add-host", (f"{name}:{address}" for name, address in run.extra_hosts.items()))
    if run.bridge is None:
        return ("--network", "host", *hosts)
    return ("--network", run.bridge.name, "--publish", f"127.0.0.1:{run.port}:{run.container_port}", *hosts)


def _mount(mount: Mount) -> str:
    fields = [f"type={mount.kind}", f"source={mount.source}", f"target={mount.target}"]
    return _record([*fields, *(["readonly"] if mount.read_only else [])])


def _limits(run: ContainerRun) -> Command:
    return (
        f"--shm-size={run.shm_size}b",
        *((f"--pids-limit={run.pids}",) if run.pids is not None else ()),
        *((f"--memory={run.memory}b",) if run.memory is not None else ()),
        *((f"--cpus={run.nano_cpus / 1e9:.9f}".rstrip("0").rstrip("."),) if run.nano_cpus is not None else ()),
    )


def _rights(run: ContainerRun) -> Command:
    devices = _repeat("--device", run.devices)
    added = _repeat("--cap-add", capabilities(run))
    if run.privileged:
        return ("--privileged", *added, *devices)
    return ("--cap-drop=ALL", *added, "--security-opt=no-new-privileges", *devices)


def _gpus(run: ContainerRun) -> Command:
    """GPUs in CDI form are among the devices already, and those of the runtime are named by a variable."""
    if run.gpu_form == "runtime":
        return (f"--runtime={RUNTIME}",)
    if run.gpu_form == "request":
        return ("--gpus", _record([f"device={','.join(run.gpu_ids)}"]) if run.gpu_ids else "all")
    return ()


def _health(run: ContainerRun) -> Command:
    if not run.health:
        return ()
    times = (f"--health-{name}={seconds}s" for name, seconds in HEALTH_SECONDS.items())
    return (f"--health-cmd={health_test(run)}", *times, f"--health-retries={HEALTH_RETRIES}")


def _log(run: ContainerRun, engine: EngineName) -> Command:
    driver, options = log_options(run, engine)
    return (f"--log-driver={driver}", *_repeat("--log-opt", _pairs(options)))


def _repeat(option: str, values: Iterable[str]) -> Command:
    return tuple(word for value in values for word in (option, value))


def _pairs(values: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in values.items()]


def _record(fields: list[str]) -> str:
    """One line of comma-separated values, as `--mount` and `--secret` read it: commas and quotes may be in a path."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(fields)
    return line.getvalue()
