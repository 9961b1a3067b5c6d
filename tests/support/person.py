"""Somebody who types commands on this machine: real processes of the installed tools, with a home of their own."""

import getpass
import json
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from support.engines import Container, Engine
from support.kernel import Jupyter
from support.require import tool

Environment = Mapping[str, str | None]
EXAMPLES = Path(__file__).parents[1] / "projects"


@dataclass(frozen=True)
class Result:
    """A finished command."""

    code: int
    out: str
    err: str
    seconds: float
    home: Path

    def __str__(self) -> str:
        log = self.home / ".local/state/workbench/error.log"
        more = log.read_text() if log.exists() else ""
        return f"exit code {self.code} after {self.seconds:.1f} s\n{self.out}\n{self.err}\n{more}"

    def json(self) -> Any:
        """Standard output as the one JSON document that it must be."""
        return json.loads(self.out)

    def ok(self) -> "Result":
        """Itself; fails the test when the command failed."""
        assert self.code == 0, str(self)
        return self

    def fails(self, code: int) -> str:
        """The error text, after the checks that hold for every failure: exit code, brevity, no traceback."""
        assert self.code == code, f"not {code}: {self}"
        assert "Traceback" not in self.out + self.err, self.err
        shown = self.err[max(f"\n{self.err}".rfind("\nError:"), 0) :]
        assert 1 <= len(shown.strip().splitlines()) <= 10, shown
        assert "Error:" in shown and "→" in shown, f"neither cause nor next step in: {self.err}"
        return shown


@dataclass(frozen=True)
class Workbench:
    """A running workbench, as `run-notebook -d --json` describes it."""

    name: str
    project: Path
    port: int
    url: str
    token: str
    container: str
    jupyter: Jupyter


class Person:
    """One account on this machine with an empty home below `folder`, using one engine.

    `name` is the account; None means the one that runs the tests.
    """

    def __init__(self, folder: Path, engine: Engine, name: str | None = None) -> None:
        self.folder, self.engine, self.name = folder, engine, name
        self.home, self.projects = folder / "home", folder / "projects"
        for each in (folder, self.home, self.projects):
            each.mkdir(parents=True, exist_ok=True)
            self.give(each)
        self._started: list[subprocess.Popen[str]] = []

    @property
    def ids(self) -> tuple[int, int]:
        """uid and gid."""
        entry = pwd.getpwnam(self.name) if self.name else None
        return (entry.pw_uid, entry.pw_gid) if entry else (os.getuid(), os.getgid())

    def give(self, path: Path) -> None:
        """Make a path, with all that is in it, this person's."""
        if self.name:
            for each in (path, *path.rglob("*")):
                os.chown(each, *self.ids, follow_symlinks=False)

    def project(self, example: str | None = None, name: str | None = None) -> Path:
        """A copy of an example project (or an empty folder), under a name of one's own choice."""
        root = self.projects / (name or example or "project")
        if example:
            shutil.copytree(EXAMPLES / example, root)
            _lock(root)
        else:
            root.mkdir(parents=True)
        self.give(self.projects)
        return root

    def write(self, path: Path, text: str) -> None:
        """Write a file as this person."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self.give(path)

    def run(self, *argv: str | Path, cwd: Path | None = None, env: Environment | None = None) -> Result:
        """Type a command (`run-notebook`, `workbench` or any other) and wait for its end."""
        return self.wait(self.start(*argv, cwd=cwd, env=env))

    def start(
        self, *argv: str | Path, cwd: Path | None = None, env: Environment | None = None, on: int | None = None
    ) -> "subprocess.Popen[str]":
        """Type a command and leave it running; it is ended with the test at the latest.

        `on`: a terminal that it has for itself, as from a login.
        """
        program = tool(str(argv[0])) if argv[0] in ("run-notebook", "workbench") else argv[0]
        login = [] if on is None else ["setsid", "--ctty"]
        words = [*self._become(), *login, *map(str, (program, *argv[1:]))]
        child = subprocess.Popen(
            words,
            cwd=cwd or self.projects,
            env=self.environment(env or {}),
            stdin=subprocess.DEVNULL if on is None else on,
            stdout=subprocess.PIPE if on is None else on,
            stderr=subprocess.PIPE if on is None else on,
            text=True,
            # With a terminal it is `setsid` that makes the session, and it must be in nobody's group for that.
            start_new_session=on is None,
        )
        self._started.append(child)
        return child

    def wait(self, child: "subprocess.Popen[str]", timeout: float = 400) -> Result:
        """Wait for a started command."""
        began = time.monotonic()
        try:
            out, err = child.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            out, err = child.communicate()
            raise AssertionError(f"not finished within {timeout} s: {child.args!r}\n{out}\n{err}") from None
        return Result(child.returncode, out, err, time.monotonic() - began, self.home)

    def environment(self, extra: Environment) -> dict[str, str]:
        """What this person's shell would hold: nothing of the tests' own settings; None in `extra` takes away."""
        hidden = ("WORKBENCH_", "XDG_", "PYTEST", "PIP_CACHE")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
        runtime = self.folder / "run"
        if not runtime.exists():
            runtime.mkdir(mode=0o700)
            self.give(runtime)
        own = {"HOME": str(self.home), "XDG_RUNTIME_DIR": str(runtime), "USER": self.name or getpass.getuser()}
        if self.name:
            own["UV_CACHE_DIR"] = os.environ["WORKBENCH_TEST_USER_UV_CACHE"]
        path = {"PATH": f"{tool('workbench').parent}{os.pathsep}{kept.get('PATH', os.defpath)}"}
        wanted = {**kept, **path, **own, **self.engine.env, **extra}
        return {name: value for name, value in wanted.items() if value is not None}

    def launch(self, project: Path, *options: str, env: Environment | None = None) -> Workbench:
        """`run-notebook -d --json` in a project; fails the test when that fails."""
        return workbench(self.run("run-notebook", "-d", "--json", *options, cwd=project, env=env).ok().json())

    def listed(self) -> list[dict[str, Any]]:
        """What `workbench ps --json` says of this person's projects (other tests' share the account)."""
        found = self.run("workbench", "ps", "--json").ok().json()
        return [each for each in found if Path(each["project"]).is_relative_to(self.folder)]

    def containers(self) -> list[Container]:
        """What the engine has for the projects below this person's folder, in any state."""
        return [each for each in self.engine.containers() if Path(each.project).is_relative_to(self.folder)]

    def processes(self) -> list[psutil.Process]:
        """Processes that live in this person's home, whoever started them."""
        return [process for process in psutil.process_iter() if self._is_own(process)]

    def clean_up(self) -> None:
        """End and remove everything that was started."""
        for child in self._started:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
                child.communicate()
        for container in self.containers():
            # Seen only when the test has failed.
            print(container.name, container.state, self.run("workbench", "logs", container.project, "--tail", "40"))
        for process in self.processes():
            # One that ends by itself at this moment is no failure.
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.engine.remove(self.containers())

    def _is_own(self, process: psutil.Process) -> bool:
        try:
            return process.pid != os.getpid() and process.environ().get("HOME") == str(self.home)
        except psutil.Error:
            # Ended meanwhile, or the process of somebody else.
            return False

    def _become(self) -> list[str]:
        """Replaces itself by the command: the process that we know stays the one that we started."""
        if not self.name:
            return []
        uid, gid = self.ids
        return ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--init-groups", "--"]


def _lock(root: Path) -> None:
    """Make the `pylock.toml` of an example that says what to lock: it names the files of the index in use."""
    wanted = root / "pylock.in"
    if wanted.exists():
        argv = [str(tool("uv")), "pip", "compile", "-q", "--format", "pylock.toml", "-o", "pylock.toml", "pylock.in"]
        subprocess.run(argv, cwd=root, check=True, capture_output=True, stdin=subprocess.DEVNULL)
        wanted.unlink()


def workbench(described: Mapping[str, Any]) -> Workbench:
    """The value for the JSON of one workbench."""
    return Workbench(
        name=described["name"],
        project=Path(described["project"]),
        port=described["port"],
        url=described["url"],
        token=described["token"],
        container=described["container"],
        jupyter=Jupyter(described["api_url"], described["token"]),
    )


@contextmanager
def person(folder: Path, engine: Engine, name: str | None = None) -> Iterator[Person]:
    """A person whose traces are removed at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    someone = Person(folder, engine, name)
    try:
        yield someone
    finally:
        someone.clean_up()


MakePerson = Callable[..., Person]
"""`make(engine_name, normal=False)`: see the fixture `somebody`."""
