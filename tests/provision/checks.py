"""What is checked: style, types, documentation, tests."""

import os
import signal
import subprocess
from pathlib import Path

from provision.ground import CHECKOUT, Ground, say
from provision.outside import SYSTEM_PATH, clean
from provision.programs import Ended, StepFailed, call, end_with_parent

OURS = ("tests/run.py", "tests/conftest.py", "tests/provision", "tests/support", "tests/user", "tests/browser")


def static(ground: Ground, environment: Path) -> None:
    """Style, types and documentation. A failure is noted, and does not keep the tests from running."""
    programs = environment / "bin"
    caches = {"RUFF_CACHE_DIR": str(ground.cache / "ruff"), "MYPY_CACHE_DIR": str(ground.cache / "mypy")}
    env = clean(MYPYPATH="tests", **caches)
    python = ("--python-executable", programs / "python")
    checks: dict[str, tuple[str | Path, ...]] = {
        "ruff check": (programs / "ruff", "check", "."),
        "ruff format": (programs / "ruff", "format", "--check", "."),
        "mypy": (programs / "mypy", "--strict", *python),
        "mypy of the tests' own tools": (programs / "mypy", "--strict", *python, *OURS),
        "docs": (programs / "sphinx-build", "-W", "--keep-going", "-q", "docs", ground.work / "site"),
    }
    for name, command in checks.items():
        try:
            call(command, env=env, cwd=CHECKOUT)
        except StepFailed as failure:
            ground.failed.append(f"{name}: {failure}")


def pytest(ground: Ground, environment: Path, arguments: list[str]) -> int:
    """Run the tests in the engines' network; returns pytest's exit code."""
    command = [*ground.enter, str(environment / "bin" / "python"), "-m", "pytest"]
    command += ["-o", f"cache_dir={ground.cache / 'pytest'}", "--timeout=600"]
    if not any(argument.startswith(("-n", "--numprocesses")) for argument in arguments):
        # One more than there are cores: most of them wait for engines most of the time.
        command += ["-n", str(min((os.cpu_count() or 1) + 1, 4)), "--dist", "loadgroup"]
    say("$ pytest " + " ".join(arguments))
    env = _environment(ground, environment)
    child = subprocess.Popen([*command, *arguments], cwd=CHECKOUT, env=env, preexec_fn=end_with_parent)
    while True:
        try:
            return child.wait()
        except Ended:
            child.send_signal(signal.SIGINT)
        except KeyboardInterrupt:
            say("interrupted; waiting for the tests to end")  # the terminal has told them too


def _environment(ground: Ground, environment: Path) -> dict[str, str]:
    """A home of their own for the tests; only package caches outlive the run."""
    home = ground.work / "home"
    folders = {"HOME": home, "XDG_CONFIG_HOME": home / ".config", "XDG_CACHE_HOME": home / ".cache"}
    folders |= {"XDG_STATE_HOME": home / ".local/state", "XDG_DATA_HOME": home / ".local/share"}
    folders["XDG_RUNTIME_DIR"] = home / "run"
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folders |= {"UV_CACHE_DIR": ground.cache / "uv", "PIP_CACHE_DIR": ground.cache / "pip"}
    folders["WORKBENCH_TEST_WORK"] = ground.work
    folders["WORKBENCH_TEST_OUTPUT"] = _output(ground)
    path = [str(environment / "bin"), ground.env.get("WORKBENCH_TEST_DOCKER_CLI", ""), SYSTEM_PATH]
    notes = {"LEFT_OUT": ground.left_out, "FAILED": ground.failed}
    return clean(
        **{name: str(folder) for name, folder in folders.items()},
        PATH=os.pathsep.join(filter(None, path)),
        **{f"WORKBENCH_TEST_{name}": "\n".join(lines) for name, lines in notes.items() if lines},
        **ground.env,
    )


def _output(ground: Ground) -> Path:
    """Folder of what tests leave for people to look at, such as screenshots; of the last run only."""
    folder = ground.cache / "output"
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        if old.is_file():
            old.unlink()
    return folder
