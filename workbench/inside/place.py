"""What the launcher tells the inside: the `WORKBENCH_*` variables as one frozen value."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


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

    @property
    def python(self) -> Path | None:
        """The interpreter of the project's environment, None when there is no environment."""
        if self.env is None:
            return None
        windows = self.env / "Scripts" / "python.exe"
        return windows if windows.exists() else self.env / "bin" / "python"


def read_place(environ: Mapping[str, str]) -> Place:
    """The place that the environment describes. A missing or malformed variable is a ValueError that names it."""
    env = environ.get("WORKBENCH_ENV", "")
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
    )


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


def _options(text: str) -> tuple[str, ...]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"WORKBENCH_OPTIONS must be a JSON list of texts: {error}.") from error
    if not isinstance(value, list) or not all(isinstance(option, str) for option in value):
        raise ValueError("WORKBENCH_OPTIONS must be a JSON list of texts.")
    return tuple(value)
