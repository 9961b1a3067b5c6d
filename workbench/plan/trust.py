"""What a project's own files ask of this machine, as sentences for the one who must agree. Pure."""

import hashlib
import shlex
from collections.abc import Iterator, Mapping
from pathlib import PurePath

from workbench.images.spec import ImageSpec
from workbench.model import Mount, Origin, Settings

BY_ITSELF = ("always", "unless-stopped")
"""Policies by which a workbench also runs after a reboot, without anybody who has asked for it."""


def asks(settings: Settings, project_root: str | PurePath) -> tuple[str, ...]:
    """Everything that reaches the host and comes from a file of the project; what the user gave is not asked again.

    The sentences name values and no lines of files: an edit elsewhere in a file needs no new agreement.
    """
    return tuple(_asks(settings, PurePath(project_root)))


def digest(asks: tuple[str, ...]) -> str:
    """Identity of what was agreed to: SHA-256 over the sentences, in any order."""
    return hashlib.sha256("\n".join(sorted(asks)).encode()).hexdigest()


def asks_of_build(spec: ImageSpec) -> tuple[str, ...]:
    """The same for the build of an image of the project."""
    scripts = (("before", spec.build.before), ("after", spec.build.after))
    return (
        *(f"Run on this machine, {when} each build: {visible(shlex.join(words))}" for when, words in scripts if words),
        *(["Build in this machine's network."] if spec.build.network == "host" else []),
        *_reads(spec, build=True),
    )


def asks_of_run(spec: ImageSpec, project_root: str | PurePath | None) -> tuple[str, ...]:
    """The same for a container of an image of the project.

    `project_root` None: another machine runs it, whose folders are none of this project's.
    """
    run = spec.run
    network = {"host-network": spec.origins["network"]} if "network" in spec.origins else {}
    shared = Settings(
        privileged=run.privileged,
        host_network=run.network == "host",
        cap_add=run.cap_add,
        devices=run.devices,
        mounts=run.mounts,
        origins={**spec.origins, **network},
    )
    root = PurePath(project_root) if project_root else None
    return (*_asks(shared, root), *_asks_of_container(spec), *_reads(spec, build=False))


def _asks_of_container(spec: ImageSpec) -> Iterator[str]:
    """What containers of images ask for and workbenches do not."""
    run = spec.run
    usual = ("host", "none", "bridge", "default")
    if run.network and run.network not in usual and _from_files(spec.origins, "network"):
        yield f"Join the network {run.network}, and reach what is in it."
    if run.ipc and run.ipc not in ("none", "private", "shareable") and _from_files(spec.origins, "ipc"):
        yield f"Share memory and semaphores with {'this machine' if run.ipc == 'host' else run.ipc}."
    for port in run.ports:
        if port.address not in ("127.0.0.1", "::1") and _from_files(spec.origins, f"ports.{port}"):
            yield f"Open a port of this machine to others: {port}."
    if run.restart not in (None, "no") and _from_files(spec.origins, "restart"):
        yield f"Be started again by the engine by itself: {run.restart}."


def _reads(spec: ImageSpec, *, build: bool) -> Iterator[str]:
    for item, names in sorted(spec.reads.items()):
        written = not item.startswith("mounts.") and _from_files(spec.origins, item)
        if written and item.startswith("build-args.") == build:
            yield f"See the value of your environment variable {', '.join(names)} (in {item})."


def visible(text: str) -> str:
    """A text in which nothing can move the cursor or begin another line."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def _asks(settings: Settings, root: PurePath | None) -> Iterator[str]:
    if settings.engine == "local" and _from_project(settings, "engine"):
        yield "Run without a container: the notebook's code can do on this machine whatever you can."
    if settings.privileged and _from_project(settings, "privileged"):
        yield "Run privileged: the container then controls this machine."
    if settings.host_network and _from_project(settings, "host-network"):
        yield "Use this machine's network: every port and service that this machine reaches."
    for capability in settings.cap_add:
        if _from_project(settings, f"cap-add.{capability}"):
            yield f"Add the Linux capability {capability}."
    for device in settings.devices:
        if _from_project(settings, f"devices.{device}"):
            yield f"Open the device {device}."
    for mount in settings.mounts:
        if _from_project(settings, f"mounts.{mount.target}") and _outside(mount, root):
            what = "the volume" if mount.kind == "volume" else "the folder or file"
            yield f"{'Read' if mount.read_only else 'Read and write'} {what} {mount.source} (as {mount.target})."
    # An engine that starts a container again follows links anew which the container has put into the project.
    mounts = any(mount.kind == "bind" for mount in settings.mounts) and settings.restart != "no"
    if (settings.restart in BY_ITSELF or mounts) and _from_project(settings, "restart"):
        yield f"Be started again by the engine by itself: {settings.restart}."
    for name in sorted(settings.pass_env):
        if _from_project(settings, f"pass-env.{name}"):
            yield _passed(settings, name)


def _passed(settings: Settings, name: str) -> str:
    prefix = f"pass-env.{name}."
    made_of = sorted(key.removeprefix(prefix) for key in settings.origins if key.startswith(prefix))
    if made_of in ([], [name]):
        return f"See the value of your environment variable {name}."
    return f"See the value of your environment variable {', '.join(made_of)} (in {name})."


def _from_project(settings: Settings, name: str) -> bool:
    return _from_files(settings.origins, name)


def _from_files(origins: Mapping[str, Origin], name: str) -> bool:
    """Whether a setting or an item came from a file; one without a known origin is treated as such."""
    return origins.get(name, Origin("file")).kind in ("file", "dockerutils.cfg")


def _outside(mount: Mount, root: PurePath | None) -> bool:
    """Whether a mount shows more than the project, whose files are there anyway. A named volume always does."""
    return mount.kind == "volume" or root is None or not PurePath(mount.source).is_relative_to(root)
