"""What is said of an image -> its ImageSpec, for one machine and its user."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, cast

from workbench import values
from workbench.errors import ConfigError
from workbench.images import readers
from workbench.images.places import Expanded, Variables, check_names, expand
from workbench.images.spec import BuildSpec, ImageSpec, RunSpec, Said
from workbench.model import Origin
from workbench.values import Place


@dataclass(frozen=True, slots=True)
class Scene:
    """Where an image is settled: relative paths, variables, and whether a remote engine will run it."""

    place: Place
    variables: Variables
    docked: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """One key: the value of ImageSpec that it belongs to, the field there, and how it is read.

    `many`: it is a collection, kept as a mapping or, if `plain`, as a tuple. `variables`: whether a variable of the
    user's environment may be a part of it.
    """

    part: type
    field: str
    read: Callable[[object, Place], Any]
    many: bool = False
    plain: bool = False
    variables: bool = False


KEYS: Mapping[str, Key] = {
    "name": Key(ImageSpec, "name", readers.image_name),
    "tag": Key(ImageSpec, "tag", readers.image_tag),
    "prefix": Key(ImageSpec, "prefix", values.switch),
    "image-repo": Key(ImageSpec, "image_repo", readers.repository),
    "publication-tag": Key(ImageSpec, "publication_tag", readers.publication_tag),
    "build-args": Key(BuildSpec, "args", readers.env, many=True, variables=True),
    "target": Key(BuildSpec, "target", readers.stage),
    "platform": Key(BuildSpec, "platform", readers.platform),
    "pull": Key(BuildSpec, "pull", values.switch),
    "pull-from-on-force": Key(BuildSpec, "pull_on_force", values.switch),
    "cache": Key(BuildSpec, "cache", values.switch),
    "build-network": Key(BuildSpec, "network", readers.network),
    "pre-build-script": Key(BuildSpec, "before", readers.words),
    "post-build-script": Key(BuildSpec, "after", readers.words),
    "env": Key(RunSpec, "env", readers.env, many=True, variables=True),
    "interactive": Key(RunSpec, "interactive", values.switch),
    "device": Key(RunSpec, "device", values.device),
    "network": Key(RunSpec, "network", readers.network, variables=True),
    "mounts": Key(RunSpec, "mounts", readers.mount, many=True, plain=True, variables=True),
    "ports": Key(RunSpec, "ports", readers.ports, many=True, plain=True),
    "cmd": Key(RunSpec, "command", readers.words, variables=True),
    "init": Key(RunSpec, "init", values.switch),
    "memory": Key(RunSpec, "memory", values.size),
    "cpus": Key(RunSpec, "cpus", values.cores),
    "shm-size": Key(RunSpec, "shm_size", values.size),
    "privileged": Key(RunSpec, "privileged", values.switch),
    "cap-add": Key(RunSpec, "cap_add", values.capabilities, many=True, plain=True),
    "devices": Key(RunSpec, "devices", values.devices, many=True, plain=True),
    "user": Key(RunSpec, "user", readers.user),
    "workdir": Key(RunSpec, "workdir", values.container_folder),
    "hostname": Key(RunSpec, "hostname", readers.hostname),
    "entrypoint": Key(RunSpec, "entrypoint", readers.text),
    "add-hosts": Key(RunSpec, "hosts", readers.hosts, many=True),
    "ipc": Key(RunSpec, "ipc", readers.ipc),
    "ulimits": Key(RunSpec, "ulimits", readers.ulimits, many=True, plain=True),
    "restart": Key(RunSpec, "restart", readers.restart),
    "log-opts": Key(RunSpec, "log_opts", readers.log_options, many=True),
}
UNTOUCHED = ("publication-tag", "pre-build-script", "post-build-script", "name", "tag", "image-repo")
"""Keys in which variables are not replaced now, or not at all."""


@dataclass(slots=True)
class _Found:
    """What has been settled so far."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)
    reads: dict[str, tuple[str, ...]] = field(default_factory=dict)


def settle(key: str, all_said: Iterable[Said], folders: Collection[str], scene: Scene) -> ImageSpec:
    """The image `key`. `folders` are those of `docker/` that have a Dockerfile.

    Raises ConfigError with file and line for a value that cannot be, and for an image that is made from nothing.
    """
    known, found = tuple(all_said), _Found()
    for said in _chosen(known, docked=scene.docked):
        _add(found, said, scene)
    spec = _spec(key, found, scene.variables.environ)
    folder = key if key in folders else spec.name if spec.name in folders and spec.prefix else None
    spec = replace(spec, folder=folder)
    if known:
        _check(spec, spec.origins.get("prefix") or spec.origins.get("name") or known[0].origin, folders)
    return spec


def expanded(said: Said, variables: Variables) -> Expanded:
    """The value of something said with its variables replaced. Raises ConfigError with its origin."""
    try:
        return _expand(said, variables)
    except ValueError as error:
        raise _wrong(said, error) from error


def _chosen(known: Collection[Said], *, docked: bool) -> list[Said]:
    """What counts here. What is said for remote engines stands in the place of all that is said of its key."""
    instead = {said.key for said in known if said.docked and docked}
    return [said for said in known if said.docked == (said.key in instead)]


def _add(found: _Found, said: Said, scene: Scene) -> None:
    key = KEYS[said.key]
    if said.value in ("", [], {}):
        return
    try:
        made = _expand(said, scene.variables)
        read = readers.remote_mount if scene.docked and said.key == "mounts" else key.read
        value = read(made.value, scene.place)
    except ValueError as error:
        raise _wrong(said, error) from error
    items = {f"{said.key}.{item}" if key.many else said.key: item for item in (value if key.many else [None])}
    for name in items:
        found.origins[name] = said.origin
        found.reads.pop(name, None)
        if made.reads:
            found.reads[name] = made.reads
    found.values[said.key] = {**found.values.get(said.key, {}), **value} if key.many else value


def _expand(said: Said, variables: Variables) -> Expanded:
    # What was typed has been through a shell already.
    if said.key in UNTOUCHED or said.origin.kind == "flag":
        return Expanded(said.value)
    if said.key == "mounts":
        return _expand_mount(said.value, variables)
    made = expand(said.value, variables)
    if made.reads and not KEYS[said.key].variables:
        raise ValueError(f"{said.value}: a variable of your environment cannot stand here")
    return made


def _expand_mount(value: Any, variables: Variables) -> Expanded:
    """A mount; only its source is of this machine, and may depend on the user's environment."""
    [item] = value
    table = values.mount_table(item)
    for part in ("source", "target"):
        check_names(str(table[part]), tuple(variables.names))
    source, rest = expand(table["source"], variables), expand({**table, "source": ""}, variables)
    if rest.reads:
        raise ValueError(f"{table['target']}: a variable of your environment cannot stand here")
    return Expanded([dict(cast(dict[str, object], rest.value), source=source.value)], source.reads)


def _spec(key: str, found: _Found, environ: Mapping[str, str]) -> ImageSpec:
    """The parts of an image from the values by key."""
    made: dict[type, dict[str, Any]] = {ImageSpec: {}, BuildSpec: {}, RunSpec: {}}
    for name, value in found.values.items():
        known = KEYS[name]
        made[known.part][known.field] = tuple(value.values()) if known.plain else value
    for part, collection in ((BuildSpec, "build-args"), (RunSpec, "env")):
        _set_private_apart(made[part], collection, found, environ)
    return ImageSpec(
        key,
        **made[ImageSpec],
        build=BuildSpec(**made[BuildSpec]),
        run=RunSpec(**made[RunSpec]),
        origins=MappingProxyType(found.origins),
        reads=MappingProxyType(found.reads),
    )


def _set_private_apart(part: dict[str, Any], key: str, found: _Found, environ: Mapping[str, str]) -> None:
    """Move what was made from the user's environment, or is called a secret, out of what can be shown.

    It reaches the engine's program through the environment, where a project must not say which program that is.
    """
    every = part.get(KEYS[key].field, {})
    private = {
        name: value
        for name, value in every.items()
        if (f"{key}.{name}" in found.reads or values.names_secret(name) or values.has_login(value))
        and (environ.get(name) == value or not values.steers_programs(name))
    }
    if private:
        part["private"] = private
        part[KEYS[key].field] = {name: value for name, value in every.items() if name not in private}


def _check(spec: ImageSpec, where: Origin, folders: Collection[str]) -> None:
    """Raise ConfigError for an image whose name says too little."""
    if not spec.prefix and not (spec.name and (spec.tag or spec.folder)):
        raise ConfigError(
            f"{where}: prefix=False needs a name and a tag.",
            "Name the whole image: name = quay.io/team/image, and tag = latest.",
        )
    if spec.prefix and spec.folder is None:
        what = f"{spec.name!r}, the name of {spec.key!r}," if spec.name else f"{spec.key!r}"
        raise ConfigError(
            f"{where}: {what} is no folder of docker/ with a Dockerfile.",
            f"There {'is' if len(folders) == 1 else 'are'}: {', '.join(sorted(folders)) or 'none'}. "
            "An image that exists already has prefix=False, a name and a tag.",
        )


def _wrong(said: Said, error: ValueError) -> ConfigError:
    return ConfigError(f"{said.origin}: `{said.key}`: {str(error).rstrip('.')}.", "Correct or remove it.")
