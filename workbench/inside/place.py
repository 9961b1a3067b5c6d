"""What the launcher tells the inside: the `WORKBENCH_*` variables as one frozen value."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from workbench.inside.services import declared

Device = Literal["cpu", "gpu"]
DEVICES: tuple[Device, ...] = ("cpu", "gpu")
GPUS = re.compile(r"all|[\w/-]+(,[\w/-]+)*")
"""Every GPU, or the indices or UUIDs of some."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where this server runs, for which project and how. Paths are absolute."""

    name: str
    """The workbench's name; its browser address is `<name>.localhost`."""
    root: Path
    """The project's folder: root of the file browser."""
    run: Path
    """Run folder (0700, gone after a restart): delivery, token, kernelspecs, Jupyter's runtime files."""
    env: Path | None
    """The project's virtual environment; None for an image that has none."""
    port: int = 8888
    ip: str = "127.0.0.1"
    install: bool = False
    """Whether the project is a package that is to be installed live."""
    classic: bool = False
    """Whether the start page is Jupyter Notebook's, where that is installed."""
    options: tuple[str, ...] = ()
    """The user's own Jupyter options, as on a command line."""
    device: Device = "cpu"
    """What kernels and shells start on."""
    gpus: str = ""
    """The GPUs that can be used: empty for none, `all` for those one sees, else as in `CUDA_VISIBLE_DEVICES`."""
    keep: Path | None = None
    """A folder for what outlives this container, if there is one: notebooks' sessions."""
    panel: bool = True
    """Whether the panel is served."""
    services: tuple[declared.WebService, ...] = ()
    """The web interfaces that this server leads to."""

    @property
    def python(self) -> Path | None:
        """The interpreter of the project's environment, None when there is no environment."""
        return _interpreter(self.env)

    @property
    def devices(self) -> tuple[Device, ...]:
        """The devices that kernels can start on."""
        return ("cpu", "gpu") if self.gpus else ("cpu",)

    def env_of(self, device: Device) -> Path | None:
        """The virtual environment of a device: one of its own over the project's, or the project's itself."""
        own = self.env and self.env / "devices" / device
        return own if own and own.is_dir() else self.env

    def python_of(self, device: Device) -> Path | None:
        """The interpreter of a device's environment, None when there is no environment."""
        return _interpreter(self.env_of(device))


def read_place(environ: Mapping[str, str]) -> Place:
    """The place that the environment describes. A missing or malformed variable is a ValueError that names it."""
    env, keep = environ.get("WORKBENCH_ENV", ""), environ.get("WORKBENCH_KEEP")
    return Place(
        name=_needed(environ, "WORKBENCH_NAME"),
        root=Path(_needed(environ, "WORKBENCH_ROOT")),
        run=Path(_needed(environ, "WORKBENCH_RUN")),
        env=Path(env) if env and Path(env).is_dir() else None,
        port=_number(environ, "WORKBENCH_PORT", 8888),
        ip=environ.get("WORKBENCH_IP") or "127.0.0.1",
        install=environ.get("WORKBENCH_INSTALL") == "1",
        classic=environ.get("WORKBENCH_CLASSIC") == "1",
        options=_options(environ.get("WORKBENCH_OPTIONS") or "[]"),
        device=_device(environ),
        gpus=_gpus(environ),
        keep=Path(keep) if keep else None,
        panel=environ.get("WORKBENCH_PANEL") != "0",
        services=declared.read(environ.get(declared.VARIABLE) or "[]"),
    )


def _interpreter(env: Path | None) -> Path | None:
    if env is None:
        return None
    windows = env / "Scripts" / "python.exe"
    return windows if windows.exists() else env / "bin" / "python"


def _needed(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name)
    if not value:
        raise ValueError(f"{name} is not set; `run-notebook` sets it.")
    return value


def _number(environ: Mapping[str, str], name: str, default: int) -> int:
    value = environ.get(name) or str(default)
    if not value.isdecimal():
        raise ValueError(f"{name} must be a number, not {value!r}.")
    return int(value)


def _gpus(environ: Mapping[str, str]) -> str:
    value = environ.get("WORKBENCH_GPUS", "")
    if value and not GPUS.fullmatch(value):
        raise ValueError(f"WORKBENCH_GPUS must be `all` or a list like 0,1, not {value!r}.")
    return value


def _device(environ: Mapping[str, str]) -> Device:
    value = environ.get("WORKBENCH_DEVICE") or "cpu"
    device = next((device for device in DEVICES if device == value), None)
    if device is None:
        raise ValueError(f"WORKBENCH_DEVICE must be cpu or gpu, not {value!r}.")
    if device == "gpu" and not environ.get("WORKBENCH_GPUS"):
        raise ValueError("WORKBENCH_DEVICE is gpu, but WORKBENCH_GPUS names no GPU.")
    return device


def _options(text: str) -> tuple[str, ...]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"WORKBENCH_OPTIONS must be a JSON list of texts: {error}.") from error
    if not isinstance(value, list) or not all(isinstance(option, str) for option in value):
        raise ValueError("WORKBENCH_OPTIONS must be a JSON list of texts.")
    return tuple(value)
