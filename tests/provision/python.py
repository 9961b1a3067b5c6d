"""The virtual environment of the tests: uv by pip, then the locked development dependencies by uv."""

import shutil
import subprocess
import sys
from pathlib import Path

from provision.ground import CHECKOUT, Ground, is_root, say
from provision.outside import SYSTEM_PATH, clean
from provision.programs import StepFailed, ask, call

UV = "uv>=0.5"


def provide(ground: Ground) -> Path:
    """Have the environment, with the package installed as a user would have it; returns its folder."""
    base = _interpreter()
    uv = _uv(ground, base)
    folder = ground.cache / f"env-{_version(base)}"
    command: list[str | Path] = [uv, "sync", "--frozen", "--group", "dev", "--compile-bytecode", "--python", base]
    # Not editable: the tests as a user then run what a wheel brings, and the normal user may not see the checkout.
    command += ["--no-editable", "--reinstall-package", "notebook-workbench"]
    env = clean(UV_PROJECT_ENVIRONMENT=str(folder), UV_CACHE_DIR=str(ground.cache / "uv"), UV_NO_CONFIG="1")
    call([*command, "--project", CHECKOUT], env=env)
    ground.offer("BIN", folder / "bin")
    return folder


def _interpreter() -> str:
    """A Python 3.11 or newer. Root's own (in its home) is no use to the normal user, so the system's comes first."""
    system = shutil.which("python3", path=SYSTEM_PATH) if is_root() else None
    if system and _version(system) >= "3.11":
        return system
    if is_root() and sys.executable != system:
        say(f"the system's Python is older than 3.11; taking {sys.executable}, which other users may not reach")
    return sys.executable


def _version(python: str) -> str:
    return ask([python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]).strip()


def _uv(ground: Ground, base: str) -> Path:
    """The uv program, installed by pip into an environment of its own."""
    folder = ground.cache / "uv-env"
    program = folder / "bin" / "uv"
    if _works(program):
        return program
    shutil.rmtree(folder, ignore_errors=True)
    for python in dict.fromkeys((base, sys.executable)):
        try:
            call([python, "-m", "venv", "--clear", folder], env=clean())
            call([folder / "bin" / "pip", "install", "--quiet", "--no-cache-dir", UV], env=clean())
        except StepFailed as failure:
            say(f"{python} cannot make a virtual environment with pip ({failure}): is python3-venv installed?")
            continue
        return program
    raise StepFailed("no Python here can make a virtual environment; install python3-venv")


def _works(program: Path) -> bool:
    try:
        return subprocess.run([program, "--version"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False
