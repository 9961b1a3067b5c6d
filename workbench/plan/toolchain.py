"""The toolchain of a project as a document for Compose: containers of its images that share volumes. Pure."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from workbench.errors import ConfigError
from workbench.images.spec import NO_GPU, ImageSpec, RunSpec
from workbench.model import LOG_FILES, LOG_SIZE, Companions, HostFacts, Origin, SharedVolume, Toolchain
from workbench.plan import naming
from workbench.plan.device import RUNTIME, Choice, environment
from workbench.plan.user import ContainerUser
from workbench.plan.words import Command, pairs, repeat
from workbench.schema import nearest

Document = dict[str, Any]
"""What a file for Compose says."""

ROOT_VARIABLE, UID_VARIABLE, GID_VARIABLE = "APP_ROOT", "APP_UID", "APP_GID"
HEADER = "# Written by `workbench compose export`, from [tool.workbench.toolchain]"
"""The first words of an exported file, by which the next export knows that it may replace it."""
PIDS = 4096
LOCAL: Document = {"driver": "local"}
LEFT = {"network", "mounts", "privileged", "cap-add", "devices", "user", "ipc", "ulimits", "log-opts"}
"""What a toolchain decides itself, whatever is configured for an image."""

_FIELDS = ("network", "mounts", "privileged", "cap_add", "devices", "user", "ipc", "ulimits", "log_opts")
"""The same in `RunSpec`."""


@dataclass(frozen=True, slots=True)
class Tool:
    """One image of a toolchain. `image` is what it is called; `volumes` are names; `needs` images of the project."""

    spec: ImageSpec
    image: str
    volumes: tuple[str, ...] = ()
    device: Choice = NO_GPU
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a toolchain runs. `project` is the path of its folder, as the document is to have it."""

    project: str
    user: ContainerUser
    facts: HostFacts
    labels: Mapping[str, str] = field(default_factory=dict)
    beside: Companions | None = None
    """The services of the project, where some run: containers are in their networks, and are told what kernels are."""


@dataclass(frozen=True, slots=True)
class _Spelling:
    """How a document says what differs between machines."""

    root: str
    uid: str
    gid: str
    project: str


def check(toolchain: Toolchain, known: Sequence[str], origin: Origin) -> None:
    """Raise ConfigError for an image or a volume that there is not, with the one that is meant."""
    if not toolchain.images:
        raise ConfigError(
            f"{origin}: the toolchain has no images.",
            'Say which volumes each has: [tool.workbench.toolchain.images] NAME = ["src"]',
        )
    for image, volumes in toolchain.images.items():
        if image not in known:
            raise ConfigError(f"{origin}: {image!r} is no image of this project.", nearest(image, known))
        for volume in volumes:
            if volume not in toolchain.volumes:
                raise ConfigError(
                    f"{origin}: {volume!r}, which {image} is to have, is no volume of the toolchain.",
                    nearest(volume, toolchain.volumes),
                )


def used(spec: ImageSpec) -> ImageSpec:
    """What is configured for an image, as far as a toolchain takes it over."""
    nothing = RunSpec()
    run = replace(spec.run, **{name: getattr(nothing, name) for name in _FIELDS})
    reads = {item: names for item, names in spec.reads.items() if item.partition(".")[0] not in LEFT}
    return replace(spec, run=run, reads=reads)


def left(spec: ImageSpec) -> tuple[str, ...]:
    """A sentence about each thing that is configured for an image and has no effect in a toolchain."""
    said = {key.partition(".")[0]: origin for key, origin in spec.origins.items()}
    return tuple(
        f"{said[key]}: {key} of {spec.key} is not used by a toolchain, whose containers have no rights and its volumes."
        for key in sorted(LEFT & said.keys())
    )


def project_name(name: str) -> str:
    """What Compose knows the toolchain by. `name`: of the project's workbench."""
    return f"workbench-{name}-toolchain"


def volume_name(name: str, volume: str) -> str:
    """What an engine knows a volume of the toolchain by that is no folder."""
    return f"{project_name(name)}_{volume}"


def own(toolchain: Toolchain, tools: Mapping[str, Tool], name: str, place: Place) -> Document:
    """The document for this machine: its images are there, its folders are named from the root on."""
    spelling = _Spelling(toolchain.root, str(place.user.uid), str(place.user.gid), _literal(place.project.rstrip("/")))
    networks = {f"services-{number}": each for number, each in enumerate(place.beside.networks if place.beside else ())}
    services = {
        key: {
            "image": tool.image,
            # What is not here is built, and no registry is asked for it.
            "pull_policy": "never",
            **_service(toolchain, _told(tool, place.beside), spelling, place.facts, private=_variables(number, tool)),
            **({"networks": ["default", *networks]} if networks else {}),
            **({"userns_mode": place.user.userns} if place.user.userns else {}),
            **({"labels": {label: _literal(value) for label, value in place.labels.items()}} if place.labels else {}),
        }
        for number, (key, tool) in enumerate(tools.items())
    }
    volumes = {
        volume: {"name": volume_name(name, volume), **({"external": True} if made.kind == "memory" else LOCAL)}
        for volume, made in _named(toolchain, tools).items()
    }
    others = {key: {"name": _literal(each), "external": True} for key, each in networks.items()}
    return _document(services, volumes, others)


def portable(
    toolchain: Toolchain, tools: Mapping[str, Tool], bases: Mapping[str, Tool], project: str, place: Place
) -> Document:
    """The equal document for any machine: it builds its images itself, and names nobody and no place of this one.

    `bases`: images of the project that others are built on, and that are no part of the toolchain.
    """
    spelling = _Spelling(
        f"${{{ROOT_VARIABLE}:-{toolchain.root}}}",
        f"${{{UID_VARIABLE}:-{place.user.uid}}}",
        f"${{{GID_VARIABLE}:-{place.user.gid}}}",
        _literal(place.project),
    )
    facts = replace(place.facts, engine="docker", cgroup_limits=True)
    names = {tool.image: _portable_image(tool, project) for tool in (*tools.values(), *bases.values())}
    services = {
        key: {**_built(tool, names, spelling.project), **_service(toolchain, tool, spelling, facts)}
        for key, tool in tools.items()
    }
    # Never started; `docker compose build NAME` makes it.
    first = {key: {**_built(tool, names, spelling.project), "profiles": ["build"]} for key, tool in bases.items()}
    volumes = {
        volume: _in_memory(spelling.uid, spelling.gid) if made.kind == "memory" else LOCAL
        for volume, made in _named(toolchain, tools).items()
    }
    return _document({**first, **services}, volumes)


def private(tools: Mapping[str, Tool]) -> dict[str, str]:
    """What the environment of Compose must hold for `own`: values of the user's that stand in no file."""
    return {
        variable: tool.spec.run.private[name]
        for number, tool in enumerate(tools.values())
        for name, variable in _variables(number, tool).items()
    }


def folders(toolchain: Toolchain, tools: Mapping[str, Tool]) -> tuple[str, ...]:
    """The folders of the project that containers share, each once."""
    shared = (toolchain.volumes[name] for tool in tools.values() for name in tool.volumes)
    return tuple(dict.fromkeys(volume.folder for volume in shared if volume.kind == "folder"))


def in_memory(toolchain: Toolchain, tools: Mapping[str, Tool], name: str) -> tuple[str, ...]:
    """What an engine knows the volumes by that hold nothing once no container uses them."""
    named = _named(toolchain, tools)
    return tuple(volume_name(name, volume) for volume, made in named.items() if made.kind == "memory")


def create_command(volume: str, user: ContainerUser, program: str) -> Command:
    """`docker volume create …` of a volume in memory: Podman tells more of it than Compose then expects of its own.

    A user that is kept is root to a rootless Podman itself.
    """
    ids = ("0", "0") if user.userns else (str(user.uid), str(user.gid))
    options = repeat("--opt", pairs(_in_memory(*ids)["driver_opts"]))
    return (program, "volume", "create", *options, volume)


def text(document: Document, comments: Sequence[str] = ()) -> str:
    """A document as YAML, in the order in which it is, after lines of comment."""
    return "\n".join([*comments, *_lines(document, "")]) + "\n"


def header(toolchain: Toolchain, tools: Mapping[str, Tool], first: Sequence[str]) -> tuple[str, ...]:
    """What the reader of an exported file must know, as comments.

    `first`: the images that others are built on, in order; Compose itself builds in any.
    """
    build = "".join(f"docker compose build {name} && " for name in first)
    made = folders(toolchain, tools)
    return (
        f"{HEADER}: change it there.",
        "#",
        f"#     {build}docker compose up --build",
        "#",
        f"# {UID_VARIABLE}, {GID_VARIABLE}: whose the files are that it writes, `id -u` and `id -g` of yours.",
        f"# {ROOT_VARIABLE}: the folder below which the volumes are in the containers.",
        *([f"# Folders that must be there: mkdir -p {shlex.join(made)}"] if made else []),
    )


def _document(services: Document, volumes: Document, networks: Document | None = None) -> Document:
    return {
        "services": services,
        **({"volumes": volumes} if volumes else {}),
        **({"networks": networks} if networks else {}),
    }


def _told(tool: Tool, beside: Companions | None) -> Tool:
    """An image whose containers know where services are; what is said of the image itself goes before."""
    if beside is None:
        return tool
    run = tool.spec.run
    more = {name: value for name, value in beside.env.items() if name not in run.private}
    return replace(tool, spec=replace(tool.spec, run=replace(run, env={**more, **run.env})))


def _service(
    toolchain: Toolchain,
    tool: Tool,
    spelling: _Spelling,
    facts: HostFacts,
    *,
    private: Mapping[str, str] = MappingProxyType({}),
) -> Document:
    """One container, as far as it is the same everywhere. `private`: the variables that hold the user's own values."""
    run = tool.spec.run
    return {
        "user": f"{spelling.uid}:{spelling.gid}",
        "init": run.init,
        "working_dir": _literal(run.workdir) if run.workdir else spelling.root,
        "environment": _environment(tool, spelling, private),
        **({"entrypoint": [_literal(run.entrypoint)]} if run.entrypoint is not None else {}),
        **({"command": [_literal(word) for word in run.command]} if run.command else {}),
        **({"hostname": run.hostname} if run.hostname else {}),
        **({"extra_hosts": [f"{name}:{address}" for name, address in run.hosts.items()]} if run.hosts else {}),
        **({"ports": [str(port) for port in run.ports]} if run.ports else {}),
        **({"restart": run.restart} if run.restart else {}),
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "logging": _logging(facts),
        **_limits(run, facts),
        **_gpus(tool.device),
        "volumes": [_mount(name, toolchain.volumes[name], spelling) for name in tool.volumes],
    }


def _variables(number: int, tool: Tool) -> dict[str, str]:
    """The user's own variables of a container, and by which name Compose has each: two may want one differently."""
    return {name: f"WORKBENCH_{number}_{name}" for name in tool.spec.run.private}


def _environment(tool: Tool, spelling: _Spelling, private: Mapping[str, str]) -> dict[str, str | None]:
    """Variables; those without a value here Compose takes from its own environment."""
    run = tool.spec.run
    gpus = environment(tool.device.kind, tool.device.form, tool.device.ids) if tool.device.form == "runtime" else {}
    return {
        **{name: value for name, value in gpus.items() if name.startswith("NVIDIA_")},
        **{name: _literal(value) for name, value in run.env.items()},
        **{name: f"${{{private[name]}}}" if name in private else None for name in run.private},
        ROOT_VARIABLE: spelling.root,
    }


def _logging(facts: HostFacts) -> Document:
    """As much of a container's output as is kept anywhere else. Podman keeps one file."""
    size = {"max-size": LOG_SIZE}
    if facts.engine == "podman":
        return {"driver": "k8s-file", "options": size}
    return {"driver": "json-file", "options": {**size, "max-file": str(LOG_FILES)}}


def _limits(run: RunSpec, facts: HostFacts) -> Document:
    wanted = {
        "pids_limit": PIDS if facts.cgroup_limits else None,
        "mem_limit": f"{run.memory}b" if run.memory is not None else None,
        "cpus": run.cpus,
        "shm_size": f"{run.shm_size}b" if run.shm_size is not None else None,
    }
    return {name: value for name, value in wanted.items() if value is not None}


def _gpus(device: Choice) -> Document:
    """GPUs in the form in which this engine gives them."""
    if device.form is None:
        return {}
    if device.form == "runtime":
        return {"runtime": RUNTIME}
    if device.form == "cdi":
        which: Document = {"driver": "cdi", "device_ids": list(device.names)}
    else:
        which = {"driver": "nvidia", **({"device_ids": list(device.ids)} if device.ids else {"count": "all"})}
    return {"deploy": {"resources": {"reservations": {"devices": [{**which, "capabilities": ["gpu"]}]}}}}


def _mount(name: str, volume: SharedVolume, spelling: _Spelling) -> Document:
    """The long form: a folder that is not there is an error then, and not made as root."""
    target = f"{spelling.root}/{name}"
    if volume.kind == "folder":
        return {"type": "bind", "source": f"{spelling.project}/{_literal(volume.folder)}", "target": target}
    return {"type": "volume", "source": name, "target": target}


def _named(toolchain: Toolchain, tools: Mapping[str, Tool]) -> dict[str, SharedVolume]:
    mounted = dict.fromkeys(name for tool in tools.values() for name in tool.volumes)
    return {name: toolchain.volumes[name] for name in mounted if toolchain.volumes[name].kind != "folder"}


def _in_memory(uid: str, gid: str) -> Document:
    """How the engine makes a volume in memory, which belongs to whom the containers are."""
    options = f"uid={uid},gid={gid},mode=0770"
    return {"driver": "local", "driver_opts": {"type": "tmpfs", "device": "tmpfs", "o": options}}


def _portable_image(tool: Tool, project: str) -> str:
    """What an image is called where its user is nobody."""
    if tool.spec.folder is None or not tool.spec.prefix:
        return tool.image
    return f"{project}-{tool.spec.name or naming.image_part(tool.spec.folder)}"


def _built(tool: Tool, names: Mapping[str, str], project: str) -> Document:
    """An image and how it is built; `names` of others among its arguments are the portable ones."""
    how, folder = tool.spec.build, tool.spec.folder
    image: Document = {"image": names[tool.image]}
    if folder is None:
        return image
    args = {name: _literal(names.get(value, value)) for name, value in how.args.items()}
    build = {
        "context": project,
        "dockerfile": f"docker/{folder}/Dockerfile",
        "args": {**args, **dict.fromkeys(how.private)},
        "target": how.target,
        "network": how.network,
    }
    return {**image, "build": {name: value for name, value in build.items() if value}}


def _literal(text: str) -> str:
    """A text in which Compose replaces nothing."""
    return text.replace("$", "$$")


_PLAIN = re.compile(r"[A-Za-z./][A-Za-z0-9_./-]*", re.ASCII)
_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n", ".inf", ".nan"}


def _lines(value: dict[str, Any] | list[Any], indent: str) -> Iterator[str]:
    """A table or a list as lines of YAML."""
    items = value.items() if isinstance(value, dict) else (("", each) for each in value)
    for key, each in items:
        head = f"{indent}{_scalar(key)}:" if isinstance(value, dict) else f"{indent}-"
        if isinstance(each, dict | list) and each:
            lines = _lines(each, f"{indent}  ")
            if isinstance(value, list):
                # The first line goes on the one of the dash.
                head = f"{head} {next(lines).lstrip()}"
            yield head
            yield from lines
        else:
            yield f"{head} {_scalar(each)}"


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float | dict | list):
        return str(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return str(value)
    return f'"{"".join(map(_escaped, value))}"'


def _escaped(letter: str) -> str:
    """One letter of a text in quotes."""
    if letter in '"\\':
        return f"\\{letter}"
    return letter if letter.isprintable() else f"\\U{ord(letter):08x}"
