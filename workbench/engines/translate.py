"""A `ContainerRun` as the body of `containers/create`. Pure; `plan.commands` says the same as a command."""

from typing import Any

from workbench.errors import EngineError
from workbench.model import ContainerRun, EngineName, Mount
from workbench.plan import commands
from workbench.plan.device import RUNTIME

Body = dict[str, Any]
SECOND = 1_000_000_000


def container(run: ContainerRun, engine: EngineName) -> Body:
    """Everything that `docker run` would be told, and nothing else."""
    port = f"{run.container_port}/tcp"
    entrypoint, command = commands.entry(run)
    return {
        "Image": run.image,
        "Hostname": run.hostname,
        "WorkingDir": run.workdir,
        "Env": [f"{name}={value}" for name, value in run.env.items()],
        "Labels": commands.container_labels(run),
        "StopTimeout": run.stop_timeout,
        "AttachStdout": False,
        "AttachStderr": False,
        **({"User": run.user} if run.user else {}),
        **({"ExposedPorts": {port: {}}} if run.bridge else {}),
        **({"Cmd": list(command)} if command else {}),
        **({"Entrypoint": [entrypoint]} if entrypoint is not None else {}),
        **({"Healthcheck": _health(run)} if run.health else {}),
        "HostConfig": _host(run, engine, port),
    }


def _host(run: ContainerRun, engine: EngineName, port: str) -> Body:
    driver, options = commands.log_options(run.log_size, run.log_files, engine)
    return {
        "Init": True,
        "LogConfig": {"Type": driver, "Config": options},
        "Mounts": [_mount(mount) for mount in run.mounts if not _as_bind(mount, engine)],
        "Binds": [_bind(mount) for mount in run.mounts if _as_bind(mount, engine)],
        "Tmpfs": commands.tmpfs(run, engine),
        "RestartPolicy": _restart(run.restart),
        **_network(run, port),
        **_limits(run),
        **_rights(run),
        **_gpus(run),
        **({"UsernsMode": run.userns} if run.userns else {}),
        **(
            {"ExtraHosts": [f"{name}:{address}" for name, address in run.extra_hosts.items()]}
            if run.extra_hosts
            else {}
        ),
    }


def _restart(policy: str) -> Body:
    name, _, most = policy.partition(":")
    return {"Name": name, **({"MaximumRetryCount": int(most)} if most else {})}


def _network(run: ContainerRun, port: str) -> Body:
    if run.bridge is None:
        return {"NetworkMode": "host"}
    binding = {"HostIp": "127.0.0.1", "HostPort": str(run.port)}
    return {"NetworkMode": run.bridge.name, "PortBindings": {port: [binding]}}


def _limits(run: ContainerRun) -> Body:
    wanted = {"PidsLimit": run.pids, "Memory": run.memory, "NanoCpus": run.nano_cpus, "ShmSize": run.shm_size}
    return {name: value for name, value in wanted.items() if value is not None}


def _rights(run: ContainerRun) -> Body:
    rights: Body = (
        {"Privileged": True} if run.privileged else {"CapDrop": ["ALL"], "SecurityOpt": ["no-new-privileges"]}
    )
    files = [device for device in run.devices if device not in commands.cdi_names(run)]
    return {
        **rights,
        **({"CapAdd": commands.capabilities(run)} if run.cap_add else {}),
        **({"Devices": [_device(device) for device in files]} if files else {}),
    }


def _gpus(run: ContainerRun) -> Body:
    """The runtime, and device requests: for GPUs, and for whatever has a CDI name."""
    requests: list[Body] = []
    if run.gpu_form == "request":
        which = {"DeviceIDs": list(run.gpu_ids)} if run.gpu_ids else {"Count": -1}
        requests.append({**which, "Capabilities": [["gpu"]], "Options": {}})
    if names := commands.cdi_names(run):
        requests.append({"Driver": "cdi", "DeviceIDs": list(names)})
    return {
        **({"Runtime": RUNTIME} if run.gpu_form == "runtime" else {}),
        **({"DeviceRequests": requests} if requests else {}),
    }


def _mount(mount: Mount) -> Body:
    body: Body = {"Type": mount.kind, "Source": mount.source, "Target": mount.target}
    if mount.read_only:
        body["ReadOnly"] = True
    return body


def _as_bind(mount: Mount, engine: EngineName) -> bool:
    """Podman makes comma-separated text of a mount and reads it again, without quotes: such a path goes as a bind."""
    return engine == "podman" and mount.kind == "bind" and any(mark in mount.source + mount.target for mark in ',"')


def _bind(mount: Mount) -> str:
    if ":" in mount.source + mount.target:
        raise EngineError(
            f"Podman cannot mount {mount.source}: its path has a colon beside a comma or a quote.",
            "Rename the folder, or use --engine docker.",
        )
    return f"{mount.source}:{mount.target}:{'ro' if mount.read_only else 'rw'},rprivate"


def _health(run: ContainerRun) -> Body:
    return {
        "Test": ["CMD-SHELL", commands.health_test(run)],
        "Interval": commands.HEALTH_SECONDS["interval"] * SECOND,
        "Timeout": commands.HEALTH_SECONDS["timeout"] * SECOND,
        "StartPeriod": commands.HEALTH_SECONDS["start-period"] * SECOND,
        "Retries": commands.HEALTH_RETRIES,
    }


def _device(text: str) -> Body:
    """`/dev/a[:/dev/b[:rwm]]`, as `--device` takes it."""
    parts = text.split(":")
    inside = parts[1] if len(parts) > 1 and parts[1].startswith("/") else parts[0]
    rights = parts[-1] if len(parts) > 1 and not parts[-1].startswith("/") else "rwm"
    return {"PathOnHost": parts[0], "PathInContainer": inside, "CgroupPermissions": rights}
