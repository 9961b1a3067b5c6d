"""How the value of each setting is read: from what a file, a variable or a flag holds to what `model.Settings` holds.

Every reader takes the value and a Place, and raises ValueError with the reason when it cannot be.
"""

import math
import os.path
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from workbench.envfile import parse as parse_env_file
from workbench.model import Device, DevicePackages, Mount, ServiceUse, SharedVolume, Sync, Toolchain, Web

_ON, _OFF = ("1", "true", "yes", "on"), ("0", "false", "no", "off", "")
_UNITS = {"": 0, "b": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET = re.compile(r"token|secret|passw|passphrase|credential|auth|(^|_)key($|_)|apikey", re.IGNORECASE)
# It will be a word of a command line: one that begins with `-` would be an option there.
reference_pattern = re.compile(r"[A-Za-z0-9][\w./:@-]*", re.ASCII)
_STEERING = re.compile(
    r"PATH|HOME|TMPDIR|ENV|IFS|PS4|SHELLOPTS|HOSTALIASES|LOCALDOMAIN|RES_OPTIONS|GCONV_PATH|LOCPATH|NLSPATH"
    r"|REGISTRY_AUTH_FILE|(?:LD|DYLD|GLIBC|MALLOC|BASH|PYTHON|PERL|GO|XDG|SSL|SSH|DOCKER|BUILDX|BUILDKIT|CONTAINERS?"
    r"|PODMAN|STORAGE|NETAVARK|OTEL)\w*"
)
APP_ROOT = "/workspace"
SOCKETS = "ipc"
SHARED = (SOCKETS, "pipelines", "images", "src", "scripts", "docs", "log")
VOLUME: Literal["volume"] = "volume"
MEMORY: Literal["memory"] = "memory"
_OURS = ("/opt/workbench", "/opt/project", "/run/workbench", "/proc", "/sys", "/dev")


@dataclass(frozen=True, slots=True)
class Place:
    """What a value may depend on besides itself: `base` is the folder that its relative paths start from."""

    base: Path
    home: Path
    environ: Mapping[str, str]


def names_secret(name: str) -> bool:
    """Whether a variable of this name usually holds something that nobody else may see."""
    return bool(_SECRET.search(name))


def steers_programs(name: str) -> bool:
    """Whether a variable of this name changes what a container engine's program does, or which one it is."""
    return bool(_STEERING.fullmatch(name))


def has_login(value: str) -> bool:
    """Whether an address with a password is in a value."""
    return bool(re.search(r"://[^/@\s]+:[^/@\s]+@", value))


def text(value: object, place: Place) -> str:
    """Text that is not empty and has no control characters."""
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ValueError("expected text of printable characters")
    return value.strip()


def reference(value: object, place: Place) -> str:
    """An image reference, such as `quay.io/team/image:1.0` or `name@sha256:…`."""
    found = text(value, place)
    if not reference_pattern.fullmatch(found):
        raise ValueError(f"{found!r} is not an image reference, such as python:3.13-slim or quay.io/team/image:1.0")
    return found


def dock(value: object, place: Place) -> str:
    """The name of a dock, or `[USER@]HOST[:PORT]`; the list of docks decides."""
    return text(value, place)


def sync(value: object, place: Place) -> Sync:
    """`{exclude = ["*.ckpt", "data/"]}`: each a pattern as .gitignore has them, of one line."""
    found = value.get("exclude", []) if isinstance(value, dict) else None
    if not isinstance(found, list):
        raise ValueError('expected a table such as {exclude = ["*.ckpt", "data/"]}')
    return Sync(tuple(text(each, place) for each in found))


def switch(value: object, place: Place) -> bool:
    """true or false; in words 1/0, true/false, yes/no, on/off."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _ON + _OFF:
        return value.lower() in _ON
    raise ValueError(f"expected true or false, got {value!r}")


def port(value: object, place: Place) -> int:
    """A TCP port, 1 to 65535."""
    if isinstance(value, int | str) and re.fullmatch(r"\d{1,5}", str(value)) and 1 <= int(value) <= 65535:
        return int(value)
    raise ValueError(f"expected a port from 1 to 65535, got {value!r}")


def size(value: object, place: Place) -> int:
    """A number of bytes: `512m`, `4g`, `1.5 GB`, or a whole number. Units count in 1024, as Docker's do."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([bkmgt]?)(?:i?b)?", str(value).strip().lower())
    if not match or isinstance(value, bool) or not 0 < float(match[1]) < 1e15:
        raise ValueError(f"expected a size such as 512m or 4g, got {value!r}")
    return int(float(match[1]) * 1024 ** _UNITS[match[2]])


def log_size(value: object, place: Place) -> str:
    """The size of a log in the words of the engines, such as `10m`: a whole number of bytes, k, m or g."""
    match = re.fullmatch(r"([1-9]\d{0,14})\s*([bkmg]?)b?", str(value).strip().lower(), re.ASCII)
    if not match or isinstance(value, bool):
        raise ValueError(f"expected a size such as 10m or 500k, got {value!r}")
    return match[1] + match[2].removeprefix("b")


def count(value: object, place: Place) -> int:
    """A number of things, from 1 to 999."""
    if isinstance(value, int | str) and re.fullmatch(r"[1-9]\d{0,2}", str(value), re.ASCII):
        return int(value)
    raise ValueError(f"expected a number from 1 to 999, got {value!r}")


def restart(value: object, place: Place) -> str:
    """When an engine starts a container again by itself: `no`, `on-failure[:N]`, `unless-stopped`, `always`."""
    if not isinstance(value, str) or not re.fullmatch(
        r"no|always|unless-stopped|on-failure(:[1-9]\d{0,5})?", value, re.ASCII
    ):
        raise ValueError(f"expected no, on-failure, on-failure:N, unless-stopped or always, got {value!r}")
    return value


def cores(value: object, place: Place) -> float:
    """A number of CPU cores above 0, such as 2 or 0.5."""
    try:
        found = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else math.nan
    except ValueError:
        found = math.nan
    if not 0 < found < math.inf:
        raise ValueError(f"expected a number of cores such as 2 or 0.5, got {value!r}")
    return found


def device(value: object, place: Place) -> Device:
    """`auto`, `cpu`, `gpu`, or `gpu:0,1` (indices or UUIDs)."""
    match = re.fullmatch(r"(auto|cpu|gpu)(?::([A-Za-z0-9-]+(?:,[A-Za-z0-9-]+)*))?", str(value))
    if not match or (match[2] and match[1] != "gpu"):
        raise ValueError(f"expected auto, cpu, gpu or gpu:0,1, got {value!r}")
    return Device(match[1], tuple(match[2].split(",")) if match[2] else ())  # type: ignore[arg-type]  # matched above


def engine(value: object, place: Place) -> str:
    """`auto`, `docker`, `podman` or `local`; `fake` serves tests."""
    if value not in ("auto", "docker", "podman", "local", "fake"):
        raise ValueError(f"expected auto, docker, podman or local, got {value!r}")
    return str(value)


def env(value: object, place: Place) -> dict[str, str]:
    """Variables: a table, or `NAME=VALUE` words; a word without `=` takes the value from the user's environment."""
    if isinstance(value, Mapping):
        return {variable_name(name): str(each) for name, each in value.items()}
    found: dict[str, str] = {}
    for word in words(value, place):
        name, equals, rest = word.partition("=")
        found |= {variable_name(name): rest} if equals else pass_env([name], place)
    return found


def env_file(value: object, place: Place) -> dict[str, str]:
    """The variables in files of `NAME=VALUE` lines."""
    found: dict[str, str] = {}
    for name in words(value, place):
        path = place.base / Path(name).expanduser()
        try:
            content = path.read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"{name} cannot be read: {error}") from error
        found |= {variable_name(key): each for key, each in parse_env_file(content, name, place.environ).items()}
    return found


def pass_env(value: object, place: Place) -> dict[str, str]:
    """Names of variables of the user's environment, looked up now; a mapping has been looked up already."""
    if isinstance(value, Mapping):
        return {variable_name(name): str(each) for name, each in value.items()}
    names = [variable_name(name) for name in words(value, place)]
    if missing := [name for name in names if name not in place.environ]:
        raise ValueError(f"{', '.join(missing)}: not set in your environment (export it, or take it out)")
    return {name: place.environ[name] for name in names}


def variable_name(name: object) -> str:
    """The name of an environment variable. Raises ValueError for others, and for those that Workbench itself sets."""
    if not isinstance(name, str) or not _IDENTIFIER.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of an environment variable")
    if name.startswith("WORKBENCH_"):
        raise ValueError(f"{name}: names that begin with WORKBENCH_ belong to Workbench")
    return name


def mounts(value: object, place: Place) -> dict[str, Mount]:
    """Mounts by their target: `SRC:DST[:ro]` or tables of source, target, read-only and type."""
    entries = value if isinstance(value, list | tuple) else words(value, place)
    found = {each.target: each for each in (mount(mount_table(entry), place) for entry in entries)}
    for target in found:
        _not_ours(target)
    return found


def _not_ours(target: str) -> None:
    if any(target == ours or target.startswith(ours + "/") for ours in _OURS):
        raise ValueError(f"{target} belongs to the container itself")


def words(value: object, place: Place) -> list[str]:
    """A list of texts; one text (as in an environment variable) is split at its commas."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    if isinstance(value, Path):
        return [str(value)]
    if isinstance(value, list | tuple) and all(isinstance(each, str | Path) for each in value):
        return [str(each) for each in value]
    raise ValueError(f"expected a list of texts, got {value!r}")


def names(value: object, place: Place) -> dict[str, str]:
    """A set of plain texts, in their order."""
    return {text(word, place): text(word, place) for word in words(value, place)}


def services(value: object, place: Place) -> dict[str, ServiceUse]:
    """Names of services, or a table for each."""
    if isinstance(value, Mapping):
        return {_service_name(name, place): _service(name, table, place) for name, table in value.items()}
    return {_service_name(name, place): ServiceUse() for name in words(value, place)}


def _service_name(name: str, place: Place) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", text(name, place)):
        raise ValueError(f"{name!r} is not the name of a service: letters, digits, `.`, `_` and `-`")
    return name


def _service(name: str, table: Mapping[str, Any], place: Place) -> ServiceUse:
    volumes = {text(volume, place): _inside(folder) for volume, folder in table.get("volumes", {}).items()}
    return ServiceUse(
        start=table.get("start", True),
        env=env(table.get("env", {}), place),
        volumes=volumes,
        web=_web(name, table["web"], place) if "web" in table else None,
        restart=table.get("restart", False),
    )


def _inside(folder: str) -> str:
    """A folder of the container."""
    path = os.path.normpath(folder)
    if not folder.startswith("/") or not folder.isprintable() or path.strip("/") == "":
        raise ValueError(f"{folder!r} is not a folder of the container, such as /models")
    _not_ours(path)
    return path


def _web(name: str, value: int | Mapping[str, Any], place: Place) -> Web:
    table: Mapping[str, Any] = value if isinstance(value, Mapping) else {"port": value}
    path = table.get("path", "/")
    if not re.fullmatch(r"/[\w./~%+,;=&?#@:-]*", path, re.ASCII):
        raise ValueError(f"{path!r} is not a path such as /ui/")
    title = text(table.get("title", name), place)
    return Web(name, port(table["port"], place), title, path, table.get("absolute", False))


def capabilities(value: object, place: Place) -> dict[str, str]:
    """Linux capabilities, without the prefix `CAP_`."""
    found = [word.upper().removeprefix("CAP_") for word in words(value, place)]
    if strange := [name for name in found if not re.fullmatch(r"[A-Z][A-Z_]+", name)]:
        raise ValueError(f"{strange[0]!r} is not a Linux capability such as SYS_PTRACE")
    return {name: name for name in found}


def devices(value: object, place: Place) -> dict[str, str]:
    """Devices of the host: `/dev/…`, or the name of a CDI device such as `vendor.com/class=name`."""
    found = words(value, place)
    if strange := [name for name in found if not re.fullmatch(r"/dev/[\w./:-]+|[\w.-]+/[\w.-]+=[\w.:-]+", name)]:
        raise ValueError(f"{strange[0]!r} is not a device such as /dev/video0")
    return {name: name for name in found}


def device_packages(value: object, place: Place) -> DevicePackages:
    """A table of `packages`, `index` and `torch-backend`."""
    table = value if isinstance(value, Mapping) else {}
    packages = tuple(_requirement(each, place) for each in table.get("packages", ()))
    if not packages:
        raise ValueError("`packages` is empty: list what this environment has over the shared one, or remove the table")
    backend = table.get("torch-backend")
    if backend is not None and not re.fullmatch(r"auto|cpu|xpu|cu\d{2,3}|rocm\d+(\.\d+)*", str(backend), re.ASCII):
        raise ValueError(f"`torch-backend`: expected auto, cpu, or a version such as cu128 or rocm6.4, got {backend!r}")
    index = table.get("index")
    return DevicePackages(packages, None if index is None else _index(index, place), backend)


def toolchain(value: object, place: Place) -> Toolchain:
    """A table of `root`, `volumes` and `images`; which volumes and images there are is not looked at."""
    table = value if isinstance(value, Mapping) else {}
    root = container_folder(table.get("root", APP_ROOT), place)
    if any(root == ours or root.startswith(f"{ours}/") for ours in _OURS):
        raise ValueError(f"`root`: {root} belongs to the container itself")
    # It stands in `${APP_ROOT:-…}` of a file for Compose.
    if not re.fullmatch(r"(/[A-Za-z0-9._-]+)+", root):
        raise ValueError(f"`root`: {root!r} has more than letters, digits and . _ - between its /")
    volumes = table.get("volumes", SHARED)
    where = volumes if isinstance(volumes, Mapping) else {name: _usual_place(name) for name in volumes}
    return Toolchain(
        root,
        {_part("volumes", name): _shared_volume(each, place) for name, each in where.items()},
        {_part("images", name): _volumes_of(name, each, where) for name, each in table.get("images", {}).items()},
    )


def _usual_place(name: str) -> str:
    """Sockets are no business of the project's folder, and on some engines do not work there."""
    return MEMORY if name == SOCKETS else f"./{name}"


def _shared_volume(where: object, place: Place) -> SharedVolume:
    """`volume`, `memory`, or a folder of the project."""
    found = text(where, place)
    if found in (VOLUME, MEMORY):
        return SharedVolume(found)
    folder = os.path.normpath(found)
    if found.startswith(("/", "~")) or folder == ".." or folder.startswith("../"):
        raise ValueError(
            f"`volumes`: {found!r} is no folder of this project: write it from the project on, as src/data"
        )
    return SharedVolume("folder", folder)


def _volumes_of(image: str, value: object, volumes: Mapping[str, object]) -> tuple[str, ...]:
    """The volumes that an image has; true for every one."""
    if value is True:
        return tuple(volumes)
    if not isinstance(value, list):
        raise ValueError(f'`images`: {image} = true is all volumes, and a list is some of them, as {image} = ["src"]')
    return tuple(dict.fromkeys(value))


def _part(table: str, name: str) -> str:
    """A name that is a part of names of an engine, and of a path."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise ValueError(f"`{table}`: {name!r} is not a name of letters, digits and . _ -")
    return name


def anything(value: object, place: Place) -> object:
    """A table that has been checked and that nothing reads yet."""
    return value


def _requirement(value: object, place: Place) -> str:
    from packaging.requirements import InvalidRequirement, Requirement

    found = text(value, place)
    if found.startswith("-"):
        raise ValueError(f"`packages`: {found!r} is an option of an installer: list the packages by their names")
    _without_user("packages", found)
    try:
        url = Requirement(found).url
    except InvalidRequirement as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"`packages`: {found!r} is not a requirement such as torch>=2.5: {reason}") from error
    if url and urlsplit(url).scheme in ("", "file"):
        raise ValueError(f"`packages`: {found!r} is on this machine only, where a build of an image cannot see it")
    return found


def _index(value: object, place: Place) -> str:
    found = text(value, place)
    _without_user("index", found)
    if not re.fullmatch(r"https?://(\[[0-9a-fA-F:]+\]|[\w.-]+)(:\d+)?(/\S*)?", found):
        raise ValueError(
            f"`index`: {found!r} is not the address of a package index, such as https://example.org/simple"
        )
    return found


def _without_user(name: str, value: str) -> None:
    """Refuse a URL with a password or token, which everybody could read in the image; without repeating it."""
    if re.search(r"https?://[^/\s]*@|://[^/\s]*:[^/\s]*@", value):
        raise ValueError(f"`{name}` has a user name in a URL, for all to read: write that into ~/.netrc, not here")


def mount_table(value: object) -> Mapping[str, object]:
    """A mount as a table; `SRC:DST[:ro]` is one, too."""
    if isinstance(value, Mapping):
        return value
    parts = str(value).split(":")
    read_only = len(parts) > 2 and parts[-1] == "ro"
    if len(parts) > 2 and parts[-1] in ("ro", "rw"):
        parts.pop()
    if len(parts) < 2:
        raise ValueError(f"{value!r} is not a mount: write SRC:DST or SRC:DST:ro")
    return {"source": ":".join(parts[:-1]), "target": parts[-1], "read-only": read_only}


def mount(table: Mapping[str, object], place: Place) -> Mount:
    """A mount of this machine, from a table of source, target, read-only and type."""
    source, target = text(table["source"], place), container_folder(table["target"], place)
    read_only = bool(table.get("read-only", False))
    if table.get("type", "bind") == "volume":
        return Mount(volume_name(source), target, "volume", read_only)
    path = place.base / re.sub(r"^~(?=/|$)", lambda _: str(place.home), source)
    try:
        # Links are followed here, so that whoever approves a mount sees the folder that is really opened.
        path = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise ValueError(f"{path.absolute()} does not exist on this machine") from error
    return Mount(str(path), target, "bind", read_only)


def container_folder(value: object, place: Place) -> str:
    """A folder as a container sees it, from `/` on."""
    target = text(value, place)
    clean = os.path.normpath(target)
    if not target.startswith("/") or clean != (target.rstrip("/") or "/") or clean == "/":
        raise ValueError(f"{target!r} is not a folder of the container: write it from /, without . and ..")
    return clean


def volume_name(source: str) -> str:
    """The name of a volume."""
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", source, re.ASCII):
        raise ValueError(f"{source!r} is not the name of a volume")
    return source
