"""How uv and pip are called: by the scripts that make environments, and by the live install. Standard library only."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

KERNEL = ("ipykernel", "pip")
"""What each environment has besides the project's own dependencies."""


class InstallError(Exception):
    """uv or pip has failed; it has already said why. Carries its exit code."""


class InputError(Exception):
    """Something that was asked for cannot be used; the message names it."""


def install(folder: Path, venv: Path, *arguments: str, env: Mapping[str, str] | None = None) -> None:
    """`uv pip install` into the environment, with bytecode; relative paths are those of `folder`."""
    uv(folder, "pip", "install", "--python", str(interpreter(venv)), "--compile-bytecode", *arguments, env=env)


def pip(folder: Path, venv: Path, *arguments: str) -> None:
    """`pip install` into the environment. InstallError when it fails."""
    argv = [str(interpreter(venv)), "-m", "pip", "install", "--no-input", "--progress-bar", "off", *arguments]
    told(folder, argv, os.environ)


def uv(folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> None:
    """Run uv; its words go to our output. InstallError when it fails."""
    told(folder, [uv_program(), *arguments], environment(env))


def told(folder: Path, argv: list[str], environ: Mapping[str, str]) -> None:
    """Run an installer in `folder`; its words go to our output. InstallError when it fails."""
    done = subprocess.run(argv, cwd=folder, env=environ, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        raise InstallError(done.returncode)


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's variables for uv, with `more` over them. No activated environment draws uv's attention away."""
    environ = {**os.environ, "UV_NO_PROGRESS": "1", **(more or {})}
    environ.pop("VIRTUAL_ENV", None)
    return environ


def uv_program() -> str:
    """uv: beside this interpreter, else on PATH. InputError when there is none."""
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        raise InputError("uv is not installed.")
    return found


def interpreter(venv: Path) -> Path:
    """The environment's Python."""
    windows = venv / "Scripts" / "python.exe"
    return windows if windows.exists() else venv / "bin" / "python"


def site_packages(venv: Path) -> Path:
    """The folder of the environment's packages."""
    found = sorted(venv.glob("lib/python3*/site-packages"))
    return found[-1] if found else venv / "Lib" / "site-packages"


def normal(requirement: str) -> str:
    """The normalised name in a requirement."""
    match = re.match(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)", requirement)
    return re.sub(r"[-_.]+", "-", match[1]).lower() if match else requirement


def say(text: str) -> None:
    """One line of progress."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
