"""What environment a project needs: an image or a virtual environment, with the digest of everything in it."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from workbench.labels import BUILD, INPUTS, NAME, OWNER, PROJECT, VERSION
from workbench.model import (
    Build,
    DependencyFile,
    HostFacts,
    ImageBuild,
    ImageUse,
    Project,
    Secret,
    Settings,
    VenvBuild,
)
from workbench.plan import naming, overlays
from workbench.plan.digest import canonical, digest
from workbench.plan.user import container_user

DEFAULT_PYTHON = "3.13"
BUILD_FILES = ("apt.txt", "postBuild")
"""Dependency files that only an image can use."""
SCRIPTS = ("environment", "uv")
"""Our code that makes an environment without an image; with `OVERLAYS` where the devices have some of their own."""
OVERLAYS = ("overlays", "launchers")
HEADER = re.compile(r"(?m)^(?=[ \t]*\[)")
SETTINGS = re.compile(r"\s*\[\[?\s*tool\s*\.\s*workbench\s*[.\]]")


@dataclass(frozen=True, slots=True)
class Kit:
    """Our own part of an image or environment: `files` of the build context, the package's version."""

    version: str
    files: Mapping[str, bytes]
    """Path in the context -> content: `Dockerfile`, `workbench/…`, `inside/…`, `kernels/…` and so on."""


@dataclass(frozen=True, slots=True)
class Folders:
    """Where plans may write, outside the project: this user's cache and state folders for Workbench."""

    cache: str
    state: str


def plan_build(
    project: Project,
    settings: Settings,
    facts: HostFacts,
    kit: Kit,
    folders: Folders,
    *,
    force: bool,
    offline: bool,
) -> Build:
    """The environment that this project needs on this engine."""
    project = replace(project, dependencies=tuple(map(_without_settings, project.dependencies)))
    if facts.engine == "local":
        return _venv(project, settings, facts, kit, folders, force=force, offline=offline)
    if settings.image and settings.as_is:
        return ImageUse(settings.image, pull=not offline, force=force)
    return _image(project, settings, facts, kit, folders, force=force, offline=offline)


def _image(
    project: Project,
    settings: Settings,
    facts: HostFacts,
    kit: Kit,
    folders: Folders,
    *,
    force: bool,
    offline: bool,
) -> ImageBuild:
    name = naming.name_of(project, facts.dock)
    user = container_user(facts, project.owner)
    before = _own_dockerfile(project, facts, kit, folders, force=force, offline=offline)
    base = before.tag if before else base_image(project, settings)
    devices = overlays.devices_json(settings, facts)
    args = {
        "BASE_IMAGE": base,
        "PYTHON_VERSION": project.python or "",
        # The packages of an image that the user chose are what they chose it for.
        "SYSTEM_SITE_PACKAGES": "1" if before or settings.image else "",
        "USER_NAME": user.name,
        "USER_UID": str(user.uid),
        "USER_GID": str(user.gid),
        "USER_HOME": user.home,
        # Said in both cases: Podman 4.3 passes over a stage that only the argument's default names.
        "ENVIRONMENTS": "devices" if devices else "shared",
        **({"APART": ",".join(overlays.apart(settings))} if devices else {}),
    }
    inputs = {
        **_inputs(project.dependencies),
        **overlays.inputs(settings, facts),
        **(before.inputs if before else {}),
        "the base image": digest(base),
        "the Python version": digest(project.python or ""),
        "the container's user": digest([user.name, user.uid, user.gid, user.home]),
        "Workbench": digest({path: DependencyFile(path, content).digest for path, content in kit.files.items()}),
    }
    identity = digest(inputs)
    return ImageBuild(
        tag=naming.image(project.name, "notebook", user.name if facts.uid == 0 else facts.user),
        digest=identity,
        inputs=inputs,
        base=base,
        files={**kit.files, **_context(project.dependencies), "devices.json": devices.encode()},
        context=f"{folders.cache}/contexts/{name}",
        args=args,
        labels=_labels(project, facts, name, kit, identity, inputs),
        secrets=secrets(facts, folders.state),
        force=force,
        pull=not offline,
        before=before,
    )


def base_image(project: Project, settings: Settings) -> str:
    """The image that ours is built on: the user's choice, or the official Python of the project's version."""
    return settings.image or settings.base_image or f"python:{project.python or DEFAULT_PYTHON}-slim-bookworm"


def _own_dockerfile(
    project: Project, facts: HostFacts, kit: Kit, folders: Folders, *, force: bool, offline: bool
) -> ImageBuild | None:
    """The image of the project's own `docker/notebook/Dockerfile`, on which ours is laid.

    Its context looks like the project's root, but holds only dependency files and `docker/notebook/`.
    """
    if project.dockerfile is None:
        return None
    name = naming.name_of(project, facts.dock)
    files = (project.dockerfile, *project.dockerfile_context, *project.dependencies)
    inputs = _inputs(files)
    identity = digest(inputs)
    labels = _labels(project, facts, name, kit, identity, inputs)
    return ImageBuild(
        tag=naming.image(project.name, "notebook-base", facts.user),
        digest=identity,
        inputs=inputs,
        base="",
        files={**{file.name: file.content for file in files}, "Dockerfile": project.dockerfile.content},
        context=f"{folders.cache}/contexts/{name}-base",
        # A project of its own to the engine: neither image is an older version of the other.
        labels={**labels, PROJECT: f"{labels[PROJECT]}/docker/notebook"},
        secrets=secrets(facts, folders.state),
        force=force,
        pull=not offline,
    )


def _venv(
    project: Project,
    settings: Settings,
    facts: HostFacts,
    kit: Kit,
    folders: Folders,
    *,
    force: bool,
    offline: bool,
) -> VenvBuild:
    devices = overlays.devices_json(settings, facts)
    scripts = (*SCRIPTS, *(OVERLAYS if devices else ()))
    files = tuple(file for file in project.dependencies if file.name.rpartition("/")[2] not in BUILD_FILES)
    inputs = {
        **_inputs(files),
        **overlays.inputs(settings, facts),
        "the Python version": digest(project.python or facts.python),
        "Workbench": digest([kit.files[f"inside/{script}.py"].decode() for script in scripts]),
    }
    identity = digest(inputs)
    name = naming.name_of(project)
    return VenvBuild(
        folder=f"{folders.cache}/environments/{name}-{identity}",
        digest=identity,
        inputs=inputs,
        files={file.name: file.content for file in files},
        project=str(project.root),
        python=project.python or facts.python,
        devices=devices,
        apart=overlays.apart(settings),
        env=facts.network.uv,
        force=force,
        offline=offline,
    )


def _labels(
    project: Project, facts: HostFacts, name: str, kit: Kit, identity: str, inputs: Mapping[str, str]
) -> dict[str, str]:
    return {
        BUILD: identity,
        INPUTS: canonical(inputs).decode(),
        NAME: name,
        OWNER: str(facts.uid),
        PROJECT: naming.label_of(project, facts.dock),
        VERSION: kit.version,
    }


def _inputs(files: tuple[DependencyFile, ...]) -> dict[str, str]:
    return {file.name: file.digest for file in files}


def _without_settings(file: DependencyFile) -> DependencyFile:
    """`pyproject.toml` without `[tool.workbench]`: a change there alone makes no other environment.

    The file as it is, where those tables cannot be told from the rest by their headers.
    """
    if file.name != "pyproject.toml" or b"tool.workbench" not in file.content:
        return file
    whole = file.content.decode("utf-8-sig")
    text = "".join(part for part in HEADER.split(whole) if not SETTINGS.match(part))
    try:
        wanted, kept = ({"tool": {}, **tomllib.loads(each)} for each in (whole, text))
    except tomllib.TOMLDecodeError:
        return file
    wanted["tool"].pop("workbench", None)
    return replace(file, content=text.encode()) if kept == wanted else file


def _context(files: tuple[DependencyFile, ...]) -> dict[str, bytes]:
    """Dependency files under `dependencies/`; `apt.txt` and `postBuild` also where the Dockerfile wants them."""
    found = {f"dependencies/{file.name}": file.content for file in files}
    for special in BUILD_FILES:
        contents = [file.content for file in files if file.name.rpartition("/")[2] == special]
        found[special] = b"\n".join(contents)
    return found


def secrets(facts: HostFacts, state: str) -> tuple[Secret, ...]:
    """What of this machine's network settings a build may read; the variables lie in the folder `state`."""
    files = tuple(Secret(id, path) for id, path in sorted(facts.network.files.items()))
    env = (Secret("network.env", f"{state}/network.env"),) if facts.network.env else ()
    return files + env
