"""Every setting, declared once: its name, type, meaning, default, where it may stand, and what reads it."""

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any, get_args, get_origin, is_typeddict

from workbench import values
from workbench.model import LOG_FILES, LOG_SIZE, Device
from workbench.tables import ENV, DeviceTable, ImageTable, MountTable, ServiceTable, SyncTable, ToolchainTable
from workbench.values import Place


@dataclass(frozen=True, slots=True)
class Option:
    """One setting. `read` turns a value as given into the one of `model.Settings`, or raises ValueError with why not.

    `many`: it is a collection; `read` returns a mapping, and what several sources give adds up by key.
    `used`: False for a table that no launch reads as a whole: see `workbench.images`.
    """

    name: str
    type: Any
    help: str
    read: Callable[[object, Place], object]
    default: object = None
    many: bool = False
    file: bool = True
    environment: bool = True
    flag: bool = True
    used: bool = True

    @property
    def field(self) -> str:
        """Its name in `model.Settings`."""
        return self.name.replace("-", "_")

    @property
    def variable(self) -> str:
        """Its environment variable."""
        return "WORKBENCH_" + self.field.upper()

    def check(self, value: object) -> None:
        """Raise ValueError, with the reason, for a value of a file whose type is wrong or whose keys are unknown."""
        import msgspec

        # First: a key that is written wrongly explains one that is missing.
        for key, known in _strangers(value, self.type):
            raise ValueError(f"{key!r} is not known here. {nearest(key, known)}")
        try:
            msgspec.convert(value, self.type)
        except msgspec.ValidationError as error:
            raise ValueError(
                str(error).replace("Expected", "expected").replace(" - at `$", " - at `" + self.name)
            ) from None


def nearest(key: str, known: Iterable[str]) -> str:
    """A sentence that names the known key which is meant, or all of them."""
    known = sorted(known)
    near = difflib.get_close_matches(key.replace("_", "-").lower(), known, 1)
    return f"Did you mean `{near[0]}`?" if near else f"Known are: {', '.join(known)}."


_SIZE = {"pattern": r"^\d+(\.\d+)?\s*[bBkKmMgGtT]?([iI]?[bB])?$", "examples": ["512m", "4g"]}
_SHAPES: Mapping[str, Mapping[str, object]] = {
    "engine": {"enum": ["auto", "docker", "podman", "local"]},
    "device": {"pattern": "^(auto|cpu|gpu(:[A-Za-z0-9,-]+)?)$", "examples": ["auto", "cpu", "gpu", "gpu:0,1"]},
    "port": {"minimum": 1, "maximum": 65535},
    "memory": _SIZE,
    "shm-size": _SIZE,
    "cpus": {"exclusiveMinimum": 0},
    "restart": {"pattern": "^(no|always|unless-stopped|on-failure(:[1-9][0-9]*)?)$", "examples": ["no", "on-failure"]},
    "log-max-size": {"pattern": r"^[1-9]\d*\s*[bBkKmMgG]?[bB]?$", "examples": ["10m"]},
    "log-max-file": {"minimum": 1, "maximum": 999},
}
"""What a schema says beyond the type, for editors; `read` decides."""

_DEVICE = 'What the {} environment has over the shared one: packages = ["NAME==VERSION"], index, torch-backend.'
_TOOLCHAIN = 'Images that share volumes below one folder: root, volumes, images = {NAME = ["VOLUME"]}.'

OPTIONS: tuple[Option, ...] = (
    Option("engine", str, "What runs the workbench.", values.engine, "auto"),
    Option("device", str, "What computes: auto, cpu, gpu, gpu:0,1.", values.device, Device()),
    Option("dock", str, "Machine whose engine runs it, reached by ssh.", values.dock, file=False),
    Option("image", str, "Image to build on, or to take as it is.", values.reference),
    Option("as-is", bool, "Take the image as it is, adding nothing.", values.switch, False),
    Option("base-image", str, "Base of our own image, in place of python:X.Y-slim.", values.reference),
    Option("port", int, "Port on 127.0.0.1, in place of a free one.", values.port),
    Option("classic", bool, "Open the classic notebook in place of JupyterLab.", values.switch, False),
    Option("diffs", bool, "Write .py and .html copies of notebooks into .diffs/.", values.switch, True),
    # No WORKBENCH_ENV: inside a workbench that is a path, told to the server.
    Option("env", ENV, "Environment variables.", values.env, many=True, environment=False),
    Option("env-file", str, "Files of NAME=VALUE lines.", values.env_file, many=True, file=False, environment=False),
    Option("pass-env", list[str], "Variables to take over from your environment.", values.pass_env, many=True),
    Option("mounts", list[str | MountTable], "Further folders: SRC:DST[:ro], or tables.", values.mounts, many=True),
    Option("memory", str | int, "Limit of memory, such as 4g.", values.size),
    Option("cpus", float, "Limit of CPU cores, such as 2 or 0.5.", values.cores),
    Option("shm-size", str | int, "Size of /dev/shm, such as 1g.", values.size, 1 << 30),
    # No flag: `--restart` is another thing.
    Option(
        "restart",
        str,
        "When the engine starts it again: no, on-failure[:N], unless-stopped, always.",
        values.restart,
        "no",
        flag=False,
    ),
    Option(
        "log-max-size", str | int, "Size at which a file of the log is full, such as 10m.", values.log_size, LOG_SIZE
    ),
    Option("log-max-file", int, "Files of the log that are kept.", values.count, LOG_FILES),
    Option("privileged", bool, "All rights over this machine.", values.switch, False),
    Option("host-network", bool, "This machine's network in place of one of its own.", values.switch, False),
    Option("cap-add", list[str], "Linux capabilities to add.", values.capabilities, many=True),
    Option("devices", list[str], "Devices of this machine.", values.devices, many=True),
    Option(
        "services",
        list[str] | dict[str, ServiceTable],
        "Services of compose.yaml to have beside it: names, or a table for each.",
        values.services,
        many=True,
    ),
    Option("cpu", DeviceTable, _DEVICE.format("CPU"), values.device_packages, environment=False, flag=False),
    Option("gpu", DeviceTable, _DEVICE.format("GPU"), values.device_packages, environment=False, flag=False),
    Option("sync", SyncTable, 'On a dock: exclude = ["PATTERN"].', values.sync, environment=False, flag=False),
    Option("toolchain", ToolchainTable, _TOOLCHAIN, values.toolchain, environment=False, flag=False),
    Option("images", dict[str, ImageTable], "What dockerutils.cfg says per image.", values.anything, used=False),
)
BY_NAME: Mapping[str, Option] = {option.name: option for option in OPTIONS}


def json_schema() -> dict[str, Any]:
    """The JSON schema of `[tool.workbench]`."""
    import msgspec

    options = [option for option in OPTIONS if option.file]
    schemas, tables = msgspec.json.schema_components([option.type for option in options], ref_template="#/$defs/{name}")
    for table in tables.values():
        table["additionalProperties"] = False
    properties = {}
    for option, schema in zip(options, schemas, strict=True):
        default = {} if option.default is None or option.many else {"default": plain(option.default)}
        properties[option.name] = {**schema, **_SHAPES.get(option.name, {}), **default, "description": option.help}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "[tool.workbench] of pyproject.toml, or workbench.toml",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "$defs": tables,
    }


def plain(value: object) -> object:
    """A default in the form in which it would be written in a file."""
    return str(value) if isinstance(value, Device) else value


def _strangers(value: object, kind: Any) -> Iterator[tuple[str, Iterable[str]]]:
    """Keys of tables (at any depth) that their type does not have, each with those that it has."""
    if is_typeddict(kind) and isinstance(value, dict):
        for key, each in value.items():
            if key in kind.__annotations__:
                yield from _strangers(each, kind.__annotations__[key])
            else:
                yield key, tuple(kind.__annotations__)
    elif get_origin(kind) is UnionType:
        for part in get_args(kind):
            yield from _strangers(value, part)
    elif isinstance(value, dict | list) and (parts := get_args(kind)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _strangers(each, parts[-1])
