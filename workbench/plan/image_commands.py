"""What is done with images, as the commands that a person would type. Pure."""

import shlex
from collections.abc import Iterator

from workbench.images.spec import DockerfileBuild, ImageRun, RunSpec
from workbench.model import LOG_FILES, LOG_SIZE
from workbench.plan.commands import log_words
from workbench.plan.device import environment
from workbench.plan.words import Command, gpus, mount_words, pairs, record, repeat


def build_command(build: DockerfileBuild, program: str) -> Command:
    """`docker build …` of the project's folder, which the program itself filters by `.dockerignore`.

    Arguments that are the user's own have no value here: the program takes them from `build.private`, its environment.
    """
    return (
        program,
        "build",
        *repeat("--tag", [build.tag]),
        f"--file={build.context}/{build.dockerfile}",
        *((f"--target={build.target}",) if build.target else ()),
        *((f"--platform={build.platform}",) if build.platform else ()),
        *((f"--network={build.network}",) if build.network else ()),
        *repeat("--build-arg", [*pairs(build.args), *build.private]),
        *repeat("--secret", (record([f"id={secret.id}", f"src={secret.source}"]) for secret in build.secrets)),
        *(("--pull",) if build.pull else ()),
        *(() if build.cache else ("--no-cache",)),
        *repeat("--label", pairs(build.labels)),
        build.context,
    )


def run_command(run: ImageRun, program: str) -> Command:
    """`docker run …`; variables that are nobody's business have no value here: see `private`."""
    spec = run.spec
    return (
        program,
        "run",
        *_standing(run),
        "--name",
        run.name,
        *(("--init",) if spec.init else ()),
        *repeat("--env", [*pairs({**_of_the_device(run), **spec.env}), *spec.private]),
        *repeat("--label", pairs(run.labels)),
        *_network(spec),
        *(word for mount in spec.mounts for word in ("--mount", mount_words(mount))),
        *_limits(spec),
        *_log(spec, program),
        *_rights(spec),
        *gpus(run.device.form, run.device.ids),
        *repeat("--device", run.device.names),
        *_inside(spec),
        run.image,
        *spec.command,
    )


def stop_command(name: str, program: str) -> Command:
    """`docker stop …`, with little patience."""
    return (program, "stop", "-t", "2", name)


def tag_command(image: str, name: str, program: str) -> Command:
    """`docker tag …`."""
    return (program, "tag", image, name)


def push_command(name: str, program: str) -> Command:
    """`docker push …`."""
    return (program, "push", name)


def pull_command(name: str, program: str) -> Command:
    """`docker pull …`."""
    return (program, "pull", name)


def remove_command(name: str, program: str) -> Command:
    """`docker rmi …`."""
    return (program, "rmi", name)


def transfer_line(image: str, ssh: Command, load: str, program: str) -> str:
    """The whole image through a pipe, as a shell reads it: the same end, with everything sent."""
    return f"{shlex.join((program, 'save', image))} | {shlex.join((*ssh, load))}"


def _standing(run: ImageRun) -> Iterator[str]:
    """With this terminal or without, and what is left of it."""
    if not run.spec.interactive:
        yield "--detach"
    else:
        yield "-it" if run.tty else "-i"
    if run.spec.restart:
        yield f"--restart={run.spec.restart}"
    elif not run.keep:
        yield "--rm"


def _of_the_device(run: ImageRun) -> dict[str, str]:
    """The variables that name GPUs, where a runtime reads them."""
    if run.device.form is None:
        return {}
    told = environment(run.device.kind, run.device.form, run.device.ids)
    return {name: value for name, value in told.items() if name.startswith("NVIDIA_")}


def _network(spec: RunSpec) -> Iterator[str]:
    if spec.network:
        yield from ("--network", spec.network)
    yield from repeat("--publish", map(str, spec.ports))
    yield from repeat("--add-host", (f"{name}:{address}" for name, address in spec.hosts.items()))


def _limits(spec: RunSpec) -> Iterator[str]:
    if spec.memory is not None:
        yield f"--memory={spec.memory}b"
    if spec.cpus is not None:
        yield f"--cpus={spec.cpus:g}"
    if spec.shm_size is not None:
        yield f"--shm-size={spec.shm_size}b"
    yield from repeat("--ulimit", spec.ulimits)


def _log(spec: RunSpec, program: str) -> Command:
    """What was said of the log, for the driver that the engine has; a limit where nothing was."""
    return repeat("--log-opt", pairs(spec.log_opts)) if spec.log_opts else log_words(LOG_SIZE, LOG_FILES, program)


def _rights(spec: RunSpec) -> Iterator[str]:
    if spec.privileged:
        yield "--privileged"
    yield from repeat("--cap-add", spec.cap_add)
    yield from repeat("--device", spec.devices)
    if spec.ipc:
        yield f"--ipc={spec.ipc}"


def _inside(spec: RunSpec) -> Iterator[str]:
    if spec.user:
        yield from ("--user", spec.user)
    if spec.workdir:
        yield from ("--workdir", spec.workdir)
    if spec.hostname:
        yield from ("--hostname", spec.hostname)
    if spec.entrypoint is not None:
        yield f"--entrypoint={spec.entrypoint}"
