"""The live install: the mounted project becomes an editable install of its environment, while the server starts."""

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from workbench.inside import launchers, uv
from workbench.inside.lacking import lacking_requirements
from workbench.inside.place import Place
from workbench.inside.report import say, write_json

BUILD_FOLDER = Path("share", "workbench", "build")
"""Where `environment.py` puts the project's build requirements, below the environment."""
PATH_FILE = "workbench-project.pth"
VERSIONS = dict.fromkeys(
    ("SETUPTOOLS_SCM_PRETEND_VERSION", "PDM_BUILD_SCM_VERSION", "PBR_VERSION", "POETRY_DYNAMIC_VERSIONING_BYPASS"), "0"
)
"""A version for projects that take theirs from git, where git or its repository is not there."""
VERSION_FILE = "_version.env.bld"
"""What `genversion` wrote into such a project: the right one, as `NAME=VALUE`."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the live install ended; kept in `install.json`.

    `state`: `none` (nothing to install), `installed`, `incomplete` (requirements are missing),
    `path` (could not be installed, but can be imported) or `failed`.
    """

    state: Literal["none", "installed", "incomplete", "path", "failed"]
    seconds: float = 0.0
    detail: tuple[str, ...] = ()


def begin(place: Place, delivered: threading.Event) -> "Future[Outcome]":
    """Start the live install in a thread. `delivered`: the environment now says how the network is reached.

    The future always ends with a result.
    """
    future: Future[Outcome] = Future()
    if not place.install or place.python is None:
        future.set_result(Outcome("none"))
        return future
    environ = dict(os.environ)
    threading.Thread(target=_run, args=(place, environ, delivered, future), daemon=True).start()
    return future


def _run(place: Place, environ: Mapping[str, str], delivered: threading.Event, future: "Future[Outcome]") -> None:
    start = time.monotonic()
    try:
        state, detail = _install(place, environ, delivered)
    except Exception as error:  # kernels wait for this thread: whatever fails, they must start
        state, detail = "failed", (f"{type(error).__name__}: {error}",)
    outcome = Outcome(state, round(time.monotonic() - start, 3), detail)
    try:
        write_json(place.run / "install.json", asdict(outcome))
    finally:
        future.set_result(outcome)
    _tell(outcome)


State = Literal["installed", "incomplete", "path", "failed"]


def _install(place: Place, environ: Mapping[str, str], delivered: threading.Event) -> tuple[State, tuple[str, ...]]:
    """Without the network first; then with it, once that is known; in the last resort by a path file."""
    failure = _editable(place, environ, isolated=False)
    if failure:
        delivered.wait()
        failure = _editable(place, dict(os.environ), isolated=True)
    if failure:
        return ("path" if _write_path(place) else "failed"), failure
    _path_file(place).unlink(missing_ok=True)
    state = _complete(place, delivered)
    launchers.refresh(_environment(place))
    return state


def _editable(place: Place, environ: Mapping[str, str], *, isolated: bool) -> tuple[str, ...]:
    """`uv pip install -e` of the project; returns the last lines of what went wrong, nothing when all went well."""
    build = _environment(place) / BUILD_FOLDER
    if not isolated and not build.is_dir():
        return ("The build requirements are not installed.",)
    env = {**environ, **({} if _has_git(place) else {**VERSIONS, **_generated(place)})}
    options = ["--no-deps"]
    if not isolated:
        options += ["--no-build-isolation", "--offline"]
        env["PYTHONPATH"] = str(build)
        env["PATH"] = f"{build / 'bin'}{os.pathsep}{env.get('PATH', os.defpath)}"
    return _uv(place, env, *options, "--editable", str(place.root))


def _complete(place: Place, delivered: threading.Event) -> tuple[State, tuple[str, ...]]:
    """Install what the built metadata asks for and the environment lacks (dynamic dependencies)."""
    environment = _environment(place)
    own = [uv.site_packages(venv) for venv in launchers.devices(environment)]
    lacking = lacking_requirements(uv.site_packages(environment), place.root, own)
    if not lacking:
        return "installed", ()
    delivered.wait()
    say(f"the project also asks for {', '.join(lacking)}: installing")
    failure = _uv(place, dict(os.environ), "--compile-bytecode", *lacking)
    return ("incomplete", failure) if failure else ("installed", ())


def _uv(place: Place, env: Mapping[str, str], *arguments: str) -> tuple[str, ...]:
    argv = [uv.uv_program(), "pip", "install", "--quiet", "--python", str(place.python), *arguments]
    done = subprocess.run(argv, env=dict(env), cwd=place.run, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return ()
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return tuple(lines[-6:]) or (f"uv ended with exit code {done.returncode}.",)


def _write_path(place: Place) -> bool:
    """Make the project importable without an install; False when the environment cannot be written either."""
    source = place.root / "src"
    folder = source if source.is_dir() else place.root
    try:
        _path_file(place).write_text(f"{folder}\n", encoding="utf-8")
    except OSError:
        return False
    return True


def _path_file(place: Place) -> Path:
    return uv.site_packages(_environment(place)) / PATH_FILE


def _environment(place: Place) -> Path:
    if place.env is None:  # pragma: no cover - `begin` has looked
        raise ValueError("no project environment")
    return place.env


def _has_git(place: Place) -> bool:
    return shutil.which("git") is not None and (place.root / ".git").exists()


def _generated(place: Place) -> dict[str, str]:
    """The version that `genversion` found where git is, nothing when nobody asked it."""
    try:
        lines = (place.root / VERSION_FILE).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    pairs = (line.partition("=") for line in lines)
    return {name: value for name, _, value in pairs if name.startswith("SETUPTOOLS_SCM_PRETEND_VERSION")}


def _tell(outcome: Outcome) -> None:
    if outcome.state == "installed":
        say(f"project installed live in {outcome.seconds:.1f} s")
        return
    what = {
        "incomplete": "the project is installed, but not all that it asks for",
        "path": "the project could not be installed; it can be imported all the same",
        "failed": "the project could not be installed",
    }[outcome.state]
    say(f"{what}:")
    for line in outcome.detail:
        say(f"  {line}")
