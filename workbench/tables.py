"""The shapes of the tables in `[tool.workbench]`: their keys and types."""

from typing import Literal, Required, TypedDict

ENV = dict[str, str | int | float]
MountTable = TypedDict(
    "MountTable",
    {"source": Required[str], "target": Required[str], "read-only": bool, "type": Literal["bind", "volume"]},
    total=False,
)
DeviceTable = TypedDict(
    "DeviceTable", {"packages": Required[list[str]], "index": str, "torch-backend": str}, total=False
)
RunTable = TypedDict(
    "RunTable",
    {
        "env": ENV,
        "interactive": bool,
        "device": str,
        "network": str,
        "mounts": list[str | MountTable],
        "ports": list[str],
        "cmd": str | list[str],
        "init": bool,
        "memory": str | int,
        "cpus": str | float,
        "shm-size": str | int,
        "privileged": bool,
        "cap-add": list[str],
        "devices": list[str],
        "user": str,
        "workdir": str,
        "hostname": str,
        "entrypoint": str,
        "add-hosts": list[str],
        "ipc": str,
        "ulimits": list[str],
        "restart": str,
        "log-opts": ENV,
    },
    total=False,
)
"""How a container of an image is started."""

BuildTable = TypedDict(
    "BuildTable",
    {
        "name": str,
        "tag": str,
        "prefix": bool,
        "build-args": ENV,
        "target": str,
        "platform": str,
        "pull": bool,
        "pull-from-on-force": bool,
        "cache": bool,
        "build-network": str,
        "image-repo": str,
        "publication-tag": str,
        "pre-build-script": str | list[str],
        "post-build-script": str | list[str],
    },
    total=False,
)
"""How an image is named, built and published."""


class WebTable(TypedDict, total=False):
    """`[tool.workbench.services.NAME.web]`."""

    port: Required[int]
    path: str
    title: str
    absolute: bool


class ServiceTable(TypedDict, total=False):
    """`[tool.workbench.services.NAME]`."""

    start: bool
    env: ENV
    volumes: dict[str, str]
    web: int | WebTable
    restart: bool


class SyncTable(TypedDict, total=False):
    """`[tool.workbench.sync]`."""

    exclude: list[str]


class ToolchainTable(TypedDict, total=False):
    """`[tool.workbench.toolchain]`."""

    root: str
    volumes: list[str] | dict[str, str]
    images: dict[str, list[str] | bool]


class ImageTable(BuildTable, RunTable, total=False):
    """`[tool.workbench.images.NAME]`; `docked` stands in for what is said otherwise on a remote engine."""

    docked: RunTable
