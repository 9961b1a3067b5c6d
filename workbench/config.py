"""The one place of configuration: defaults < `docker/dockerutils.cfg` < the project's TOML < environment < flags."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from workbench import sources, values
from workbench.dependencies import conda_files
from workbench.errors import ConfigError, ProjectError
from workbench.model import Device, DevicePackages, Mount, Origin, Project, ServiceUse, Settings, Sync
from workbench.schema import OPTIONS, json_schema
from workbench.sources import Given
from workbench.values import Place

_INSTALLS = ("uv.lock", "pylock.toml", "requirements.txt", "pyproject.toml", "setup.py")


def load(
    project: Project,
    environ: Mapping[str, str],
    flags: Mapping[str, object] = MappingProxyType({}),
    *,
    cwd: Path | None = None,
    home: Path | None = None,
) -> Settings:
    """The effective settings, each with its origin.

    Relative paths start from the project in its files, and from `cwd` in the environment and in flags. Collections
    (`env`, `mounts`, …) add up over the sources, by key; every other setting is that of the last source that has it.
    `origins` knows each setting, each item (`env.NAME`, `mounts./target`), and under `pass-env.NAME.OTHER` each
    variable that the value of `NAME` was made from.
    Raises ConfigError (unknown, of a wrong type, contradictory, with file and line) and ProjectError (conda only).
    """
    here, there = _places(project, environ, cwd, home)
    settings = _settings(
        (
            *sources.notebook_image(project, there),
            *sources.project_file(project, there),
            *sources.environment(environ, here),
            *sources.command_line(flags, here),
        )
    )
    _refuse_conda(project, settings)
    return settings


def notices(project: Project, environ: Mapping[str, str], *, home: Path | None = None) -> tuple[str, ...]:
    """Sentences for the user about configuration that has no effect."""
    return sources.unused(project, _places(project, environ, None, home)[1])


def no_pull(environ: Mapping[str, str]) -> bool:
    """Whether dockerutils' DOCKER_DS_DONT_PULL asks to take images as they are on this machine."""
    return bool(environ.get("DOCKER_DS_DONT_PULL"))


def schema() -> dict[str, Any]:
    """The JSON schema of `[tool.workbench]`, for editors and for `workbench config schema`."""
    return json_schema()


def describe(settings: Settings) -> list[tuple[str, str, Origin]]:
    """Name, value and origin of every setting, items of collections one by one. What looks secret is masked."""
    rows: list[tuple[str, str, Origin]] = []
    for option in (option for option in OPTIONS if option.used and option.name != "env-file"):
        value = getattr(settings, option.field)
        if not option.many:
            rows.append((option.name, _text(option.name, value), settings.origins[option.name]))
            continue
        items = _items(value)
        if not items:
            rows.append((option.name, "-", Origin("default")))
        for key, item in items.items():
            name = f"{option.name}.{key}"
            rows.append((name, _text(name, item), settings.origins[name]))
    return rows


def _places(project: Project, environ: Mapping[str, str], cwd: Path | None, home: Path | None) -> tuple[Place, Place]:
    """Where relative paths start: for what the user types, and for what the project's files say."""
    home = home or Path.home()
    return Place(cwd or Path.cwd(), home, environ), Place(project.root, home, environ)


def _settings(givens: Iterable[Given]) -> Settings:
    values: dict[str, Any] = {option.name: {} if option.many else option.default for option in OPTIONS if option.used}
    origins = {name: Origin("default") for name in values if name != "env-file"}
    for given in givens:
        if given.option.many:
            _add(values, origins, given)
        else:
            _choose_one_image(values, origins, given)
            values[given.name], origins[given.name] = given.read(), given.origin
    if values["as-is"] and not values["image"]:
        raise ConfigError(
            f"{origins['as-is']}: `as-is` needs an image.", "Name it: --image REF, or image = in the file."
        )
    fields = {name.replace("-", "_"): value for name, value in values.items() if name != "env-file"}
    for name in ("env", "pass_env", "services"):
        fields[name] = MappingProxyType(fields[name])
    for name in ("mounts", "cap_add", "devices"):
        fields[name] = tuple(fields[name].values())
    return Settings(**fields, origins=MappingProxyType(origins))


def _add(values: dict[str, Any], origins: dict[str, Origin], given: Given) -> None:
    """Add the items of a collection: each replaces the one of its key, and a variable is either given or passed."""
    name = "env" if given.name == "env-file" else given.name
    for key, item in given.read().items():
        if name == "services" and key in values[name] and item == ServiceUse():
            # A bare name asks for what is described elsewhere.
            item = replace(values[name][key], start=True)
        for kind in {"env", "pass-env"} if name in ("env", "pass-env") else {name}:
            values[kind].pop(key, None)
            for known in [known for known in origins if _belongs(known, kind, key)]:
                del origins[known]
        values[name][key] = item
        origins[name] = origins[f"{name}.{key}"] = given.origin
        for read in given.reads:
            origins[f"{name}.{key}.{read}"] = given.origin


def _belongs(known: str, kind: str, key: str) -> bool:
    """Whether an origin is that of an item, or of a variable that the item was made from."""
    return known == f"{kind}.{key}" or (kind == "pass-env" and known.startswith(f"{kind}.{key}."))


def _choose_one_image(values: dict[str, Any], origins: dict[str, Origin], given: Given) -> None:
    """`image` and `base-image` exclude each other: the stronger source wins, one source may not give both."""
    other = {"image": "base-image", "base-image": "image"}.get(given.name)
    if other is None or values[other] is None:
        return
    if origins[other].kind == given.origin.kind:
        raise ConfigError(
            f"{given.origin}: `{given.name}` contradicts `{other}` ({origins[other]}).",
            "Give `image` for an image of your own, or `base-image` for what ours is built on.",
        )
    for name, default in ((other, None), ("as-is", False)):
        values[name], origins[name] = default, Origin("default")


def _refuse_conda(project: Project, settings: Settings) -> None:
    """A project whose packages stand only in `environment.yml` would start without any of them."""
    found = conda_files(project.root)
    if not found or settings.image or project.dockerfile:
        return
    if not any(file.name.rpartition("/")[2] in _INSTALLS for file in project.dependencies):
        raise ProjectError(
            f"The packages of this project are listed in {found[0]}, and conda environments are not installed.",
            "List them in requirements.txt or pyproject.toml, or name an image that has them: --image REF",
        )


def _items(value: Any) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    return {item.target if isinstance(item, Mount) else item: item for item in value}


def _text(name: str, value: object) -> str:
    """A value as `config show` prints it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mount):
        return f"{value.source}:{value.target}{':ro' if value.read_only else ''}"
    if isinstance(value, DevicePackages):
        further = {"index": value.index, "torch-backend": value.torch_backend}
        return " ".join([*value.packages, *(f"{key}={each}" for key, each in further.items() if each)])
    if isinstance(value, Sync):
        return " ".join(value.exclude) or "-"
    if name in ("memory", "shm-size") and isinstance(value, int):
        return _size(value)
    if isinstance(value, Device) or not isinstance(value, str):
        return str(value)
    if name.startswith("pass-env.") or (name.startswith("env.") and values.names_secret(name)):
        return "********"
    return re.sub(r"(?<=://)[^/@\s]+@", "********@", value)


def _size(value: int) -> str:
    """Bytes in the largest unit that divides them: `1g`, `512m`, `1000`."""
    for power, unit in ((4, "t"), (3, "g"), (2, "m"), (1, "k")):
        if value % 1024**power == 0:
            return f"{value // 1024**power}{unit}"
    return str(value)
