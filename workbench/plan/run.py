"""What to start: a container or a server process, complete but for the secrets, which travel separately."""

import json
from collections.abc import Mapping
from dataclasses import replace

from workbench import labels
from workbench.model import (
    Bridge,
    Build,
    Companions,
    ContainerRun,
    HostFacts,
    ImageBuild,
    ImageUse,
    LocalRun,
    Mount,
    Project,
    RunPlan,
    Seed,
    Settings,
    VenvBuild,
)
from workbench.plan import naming
from workbench.plan.build import Folders
from workbench.plan.device import CDI, RUNTIME, Choice, environment
from workbench.plan.digest import digest, plain_fields
from workbench.plan.user import ContainerUser, container_user

CONTAINER_PORT = 8888
RUN_FOLDER = "/run/workbench"
PROJECT_ENVIRONMENT = "/opt/project"
SERVER_SCRIPTS = "/opt/workbench/bin"
DIFFS = "WORKBENCH_DIFFS"
ENV_LEAVES_OUT = ("WORKBENCH_PORT", "WORKBENCH_ENV", DIFFS)
"""Variables that do not count, or have a name of their own in a description."""
NONE = Companions("", ())
"""No services."""
IDENTITY_LEAVES_OUT = ("port", "labels", "image", "gpu_form", "gpu_ids")
"""Of a run, what may differ between two that are the same to the user, or is said by `gpus`."""


def plan_run(
    project: Project,
    settings: Settings,
    facts: HostFacts,
    seed: Seed,
    build: Build,
    folders: Folders,
    *,
    choice: Choice,
    version: str,
    jupyter: tuple[str, ...],
    companions: Companions = NONE,
) -> RunPlan:
    """The run of a build on the chosen device, labelled with its own identity."""
    name = naming.name_of(project, facts.dock)
    run: RunPlan
    if isinstance(build, VenvBuild):
        run = _local(project, settings, facts, seed, build, folders, choice, name, jupyter)
    else:
        run = _container(project, settings, facts, seed, build, choice, name, jupyter, companions)
    return replace(run, labels=_labels(project, facts, seed, choice, name, version, identity(run, build)))


def identity(run: RunPlan, build: Build) -> str:
    """Digest of what makes two runs the same workbench: everything but port, labels and the image's name."""
    return digest(describe(run, build))


def describe(run: RunPlan, build: Build) -> dict[str, object]:
    """A run as plain data, without what may differ; what a second launch is compared with."""
    fields = {key: value for key, value in plain_fields(run).items() if key not in IDENTITY_LEAVES_OUT}
    follows = _follows_from_device(run)
    env = {key: value for key, value in run.env.items() if key not in ENV_LEAVES_OUT and follows.get(key) != value}
    if isinstance(run, ContainerRun):
        fields["devices"] = [each for each in run.devices if run.gpu_form != "cdi" or not each.startswith(CDI)]
    tag = build.tag if isinstance(build, ImageUse) else build.digest
    return {**fields, "env": env, "diffs": run.env.get(DIFFS, ""), "gpus": _gpus(run), "build": tag}


def _gpus(run: RunPlan) -> str:
    """The GPUs of a run, in whatever form: `all`, `0,1`, or nothing."""
    if isinstance(run, LocalRun):
        return run.env.get("WORKBENCH_GPUS", "")
    return (",".join(run.gpu_ids) or "all") if run.gpu_form else ""


def _follows_from_device(run: RunPlan) -> dict[str, str]:
    kind = run.device.partition(":")[0]
    if isinstance(run, LocalRun):
        return _local_device(kind, _gpus(run))
    return environment(kind, run.gpu_form, run.gpu_ids)


def _local_device(kind: str, gpus: str) -> dict[str, str]:
    return {"WORKBENCH_DEVICE": kind, **({"WORKBENCH_GPUS": gpus} if gpus else {})}


def _container_device(choice: Choice, facts: HostFacts) -> dict[str, str]:
    told = environment(choice.kind, choice.form, choice.ids)
    if RUNTIME not in facts.runtimes:
        told.pop("NVIDIA_VISIBLE_DEVICES", None)
    return told


def _container(
    project: Project,
    settings: Settings,
    facts: HostFacts,
    seed: Seed,
    build: ImageBuild | ImageUse,
    choice: Choice,
    name: str,
    jupyter: tuple[str, ...],
    companions: Companions,
) -> ContainerRun:
    user = container_user(facts, project.owner)
    limits = facts.cgroup_limits
    target = project_folder(project)
    as_is = isinstance(build, ImageUse)
    return ContainerRun(
        name=naming.container(name),
        image=build.tag,
        build="" if isinstance(build, ImageUse) else build.digest,
        labels={},
        hostname=name,
        port=seed.port,
        container_port=CONTAINER_PORT,
        workdir=target,
        user=f"{user.uid}:{user.gid}",
        env={
            **_environment(project, settings, name, target, jupyter),
            **_container_device(choice, facts),
            "HOME": user.home,
            "WORKBENCH_KEEP": f"{user.home}/.local/state/workbench",
            **_services(companions),
            **settings.env,
        },
        mounts=(
            Mount(naming.copy_of(project, facts.dock) if facts.dock else str(project.root), target),
            *(() if as_is else (Mount(naming.home_volume(name), user.home, kind="volume"),)),
            *companions.mounts,
            *settings.mounts,
        ),
        # A new volume takes its owner from the image's folder, which an image taken as it is does not have.
        tmpfs={RUN_FOLDER: _tmpfs(user), **({user.home: _tmpfs(user)} if as_is else {})},
        bridge=None if settings.host_network else _bridge(facts, name, project),
        networks=() if settings.host_network else companions.networks,
        command=(*_as_is_command(name, target), *jupyter) if as_is else (),
        entrypoint=() if as_is else None,
        health=() if as_is else (f"{SERVER_SCRIPTS}/workbench-health",),
        pids=4096 if limits else None,
        shm_size=settings.shm_size,
        memory=settings.memory if limits else None,
        nano_cpus=round(settings.cpus * 1e9) if settings.cpus and limits else None,
        restart=_restart(settings.restart),
        log_size=settings.log_max_size,
        log_files=settings.log_max_file,
        privileged=settings.privileged,
        cap_add=settings.cap_add,
        devices=(*settings.devices, *choice.names),
        device=choice.device,
        gpu_form=choice.form,
        gpu_ids=choice.ids,
        userns=user.userns,
        deliver=_as_is_deliver() if as_is else (f"{SERVER_SCRIPTS}/workbench-deliver",),
    )


def _restart(policy: str) -> str:
    """The policy that an engine is told: one with `always` begins again what was stopped once it begins itself."""
    return "unless-stopped" if policy == "always" else policy


def _services(companions: Companions) -> dict[str, str]:
    """Where the services are, for kernels; what of them the server leads to."""
    web = [
        {
            "name": each.name,
            "title": each.title,
            "host": each.name,
            "port": each.port,
            "path": each.path,
            "absolute": each.absolute,
        }
        for each in companions.web
    ]
    return {**companions.env, **({"WORKBENCH_SERVICES": json.dumps(web)} if web else {})}


def project_folder(project: Project) -> str:
    """Where a container sees the project."""
    return f"/projects/{project.name}"


def _environment(
    project: Project, settings: Settings, name: str, root: str, jupyter: tuple[str, ...]
) -> dict[str, str]:
    """What `workbench.inside` is told, in a container."""
    return {
        **_common(project, settings, name, root, jupyter),
        "WORKBENCH_ENV": PROJECT_ENVIRONMENT,
        "WORKBENCH_RUN": RUN_FOLDER,
        "WORKBENCH_IP": "0.0.0.0",  # noqa: S104 - inside the container; published on 127.0.0.1 only
        "WORKBENCH_PORT": str(CONTAINER_PORT),
    }


def _common(project: Project, settings: Settings, name: str, root: str, jupyter: tuple[str, ...]) -> dict[str, str]:
    optional = {
        "WORKBENCH_INSTALL": "1" if project.installable else "",
        "WORKBENCH_CLASSIC": "1" if settings.classic else "",
        "WORKBENCH_OPTIONS": json.dumps(jupyter) if jupyter else "",
    }
    return {
        "WORKBENCH_NAME": name,
        "WORKBENCH_ROOT": root,
        DIFFS: "1" if settings.diffs else "0",
        **{key: value for key, value in optional.items() if value},
    }


def _tmpfs(user: ContainerUser) -> str:
    return f"rw,noexec,nosuid,nodev,size=16m,mode=0700,uid={user.uid},gid={user.gid}"


def _bridge(facts: HostFacts, name: str, project: Project) -> Bridge:
    shared = facts.isolated_bridge
    marks = (
        {labels.VERSION: "1"} if shared else {labels.NAME: name, labels.PROJECT: naming.label_of(project, facts.dock)}
    )
    return Bridge(naming.network(name, shared=shared), marks, isolated=shared)


def _as_is_deliver() -> tuple[str, ...]:
    """An image that is taken as it is has none of our scripts: its own shell takes the token out of the delivery.

    The script is fixed text; `$0` is the number of bytes.
    """
    extract = """sed 's/.*"token": *"\\([0-9a-f]*\\)".*/\\1/'"""
    script = f'umask 077; head -c "$0" | {extract} > {RUN_FOLDER}/.token && mv {RUN_FOLDER}/.token {RUN_FOLDER}/token'
    return ("/bin/sh", "-c", script)


def _as_is_command(name: str, root: str) -> tuple[str, ...]:
    """Start the image's own JupyterLab under our rules, once the token is there."""
    hosts = json.dumps(["localhost", naming.local_host(name)])
    script = f'while [ ! -e {RUN_FOLDER}/token ]; do sleep 0.05; done; exec "$0" "$@"'
    return (
        "/bin/sh",
        "-c",
        f"export JUPYTER_TOKEN_FILE={RUN_FOLDER}/token JUPYTER_RUNTIME_DIR={RUN_FOLDER}/jupyter; {script}",
        "jupyter",
        "lab",
        "--ip=0.0.0.0",
        f"--port={CONTAINER_PORT}",
        "--ServerApp.port_retries=0",
        "--no-browser",
        "--ServerApp.allow_remote_access=False",
        f"--ServerApp.local_hostnames={hosts}",
        f"--ServerApp.root_dir={root}",
    )


def _local(
    project: Project,
    settings: Settings,
    facts: HostFacts,
    seed: Seed,
    build: VenvBuild,
    folders: Folders,
    choice: Choice,
    name: str,
    jupyter: tuple[str, ...],
) -> LocalRun:
    run_folder = f"{folders.state}/run"
    return LocalRun(
        name=name,
        labels={},
        port=seed.port,
        # -P: a project with a json.py must not become a part of the server.
        argv=(facts.executable, "-P", "-m", "workbench.inside.server"),
        workdir=str(project.root),
        folder=run_folder,
        venv=build.folder,
        device=choice.device,
        env={
            **_common(project, settings, name, str(project.root), jupyter),
            **settings.env,
            **_local_device(choice.kind, choice.gpus),
            "WORKBENCH_ENV": build.folder,
            "WORKBENCH_RUN": run_folder,
            "WORKBENCH_KEEP": f"{folders.state}/keep",
            "WORKBENCH_IP": "127.0.0.1",
            "WORKBENCH_PORT": str(seed.port),
        },
    )


def _labels(
    project: Project, facts: HostFacts, seed: Seed, choice: Choice, name: str, version: str, plan: str
) -> Mapping[str, str]:
    return {
        labels.PROJECT: naming.label_of(project, facts.dock),
        labels.NAME: name,
        labels.PLAN: plan,
        labels.DEVICE: choice.device,
        **({labels.GPUS: choice.gpus} if choice.usable else {}),
        labels.VERSION: version,
        labels.OWNER: str(facts.uid),
        labels.PORT: str(seed.port),
        **({labels.DOCK: facts.dock.name} if facts.dock else {}),
    }
