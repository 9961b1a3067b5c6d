"""The local engine: virtual environments and server processes on this machine, for those without a container engine."""

import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from workbench import process
from workbench.engines import channels, venvs
from workbench.engines import tail as tailing
from workbench.engines.base import Channel
from workbench.engines.ports import need_free
from workbench.engines.records import Record, Records
from workbench.errors import EngineError, refused_by_system
from workbench.labels import DEVICE, GPUS, NAME, OWNER, PLAN, PROJECT
from workbench.model import (
    Build,
    Delivery,
    DockFacts,
    EngineName,
    Event,
    ExecResult,
    HostFacts,
    Leftover,
    LocalRun,
    Running,
    RunPlan,
    RunState,
    Stats,
    VenvBuild,
)
from workbench.state import cache_root, state_root

if TYPE_CHECKING:
    import psutil

LOG = "server.log"
LOG_SIZE = 10_000_000
"""Bytes beyond which a start sets the log aside."""
LEFT_OUT = ("JPY_", "JUPYTER_SERVER_", "JUPYTER_TOKEN", "PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "WORKBENCH_")
"""Beginnings of variables that a server does not inherit: they belong to the Python or the Jupyter we run in."""
ENTER = "import os, sys; os.chdir(sys.argv[1]); os.execvp(sys.argv[2], sys.argv[2:])"
"""Python text that runs a command in a folder: `env --chdir` is not everywhere."""


class LocalEngine:
    """Workbenches as processes of this user. `folder` holds one record each, `environments` what uv made."""

    name: EngineName = "local"
    dock: DockFacts | None = None
    services: None = None

    def __init__(self, folder: Path | None = None, environments: Path | None = None) -> None:
        self.records = Records(folder or state_root() / "local")
        self.environments = environments or cache_root() / "environments"

    def facts(self) -> HostFacts:
        """This machine, this user and this installation's Python."""
        return HostFacts(
            engine="local",
            version=platform.python_version(),
            uid=os.getuid(),
            gid=os.getgid(),
            user=_user(),
            os={"win32": "windows"}.get(sys.platform, sys.platform),
            isolated_bridge=False,
            cgroup_limits=False,
            python=f"{sys.version_info.major}.{sys.version_info.minor}",
            executable=sys.executable,
        )

    def present(self, build: Build) -> Mapping[str, str] | None:
        """Inputs of this environment, else of the last used one of the same project, else None."""
        with _refusals():
            return venvs.present(_venv(build))

    def provide(self, build: Build) -> Iterator[Event]:
        """Make the environment with uv unless it is there; it takes its place only when it is whole."""
        with _refusals():
            yield from venvs.provide(_venv(build))

    def start(self, run: RunPlan, delivery: Delivery) -> Running:
        """Start the server as a process of its own and hand over the delivery as a file (0600) in its run folder."""
        if not isinstance(run, LocalRun):
            raise EngineError("The local engine runs no containers.", "Choose `--engine docker` or `--engine podman`.")
        with _refusals():
            record = Record(run)
            self.records.create(record)
            try:
                return self._running(self._launch(record, delivery))
            except BaseException:
                shutil.rmtree(run.folder, ignore_errors=True)
                self.records.delete(run.name)
                raise

    def resume(self, id: str, delivery: Delivery) -> Running:
        """Start a stopped workbench again: same command, port and folder."""
        with _refusals():
            before = self.records.get(id)
            if self._server(before):
                raise EngineError(f"The workbench {id} is running already.", f"`workbench stop {id}` ends it.")
            # Without a process id first, so that a server whose launcher dies now is still found by its mark.
            record = Record(before.run)
            self.records.update(record)
            try:
                return self._running(self._launch(record, delivery))
            except BaseException:
                self.records.update(before)
                raise

    def forward(self, port: int) -> None:
        """It is on this machine."""

    def join(self, id: str, networks: Sequence[str]) -> None:
        """There are no networks."""

    def leave(self, id: str, networks: Sequence[str]) -> None:
        """There are no networks."""

    def find(self, labels: Mapping[str, str]) -> list[Running]:
        """The workbenches on record whose labels contain the given ones, with the state of their processes."""
        with _refusals():
            found = [record for record in self.records.all() if labels.items() <= record.run.labels.items()]
            return [self._running(record) for record in found]

    def stop(self, id: str) -> None:
        """SIGTERM, then SIGKILL after `stop_timeout` seconds; kernels that are left end too."""
        with _refusals():
            record = self.records.get(id)
            if server := self._server(record):
                from workbench.engines import processes

                processes.end(server, record.run.stop_timeout)
                self.records.update(replace(record, stopped=True))

    def remove(self, id: str, *, volumes: bool = False) -> None:
        """Remove a stopped workbench's run folder and record. There is no HOME of its own here: it is the user's."""
        with _refusals():
            record = self.records.get(id)
            if self._server(record):
                raise EngineError(f"The workbench {id} is running.", f"`workbench stop {id}` first.")
            if Path(record.run.folder).exists():
                shutil.rmtree(record.run.folder)
            self.records.delete(id)

    def rename(self, id: str, name: str) -> None:
        """Keep the record under another name, and the run folder beside the one that was planned."""
        with _refusals():
            record = self.records.get(id)
            if self._server(record):
                raise EngineError(f"The workbench {id} is running.", f"`workbench stop {id}` first.")
            moved = replace(record, run=_renamed(record.run, name))
            self.records.create(moved)
            # No record has it, so what is there was left by one that was killed.
            shutil.rmtree(moved.run.folder, ignore_errors=True)
            if Path(record.run.folder).exists():
                Path(record.run.folder).rename(moved.run.folder)
            self.records.delete(id)

    def logs(self, id: str, *, follow: bool = False, tail: int | None = None) -> Iterator[str]:
        """The server's log; with `follow` until its process ends."""
        with _refusals():
            record = self.records.get(id)
            log = Path(record.run.folder) / LOG
            if log.exists():
                yield from tailing.read(log, tail=tail, growing=lambda: follow and self._server(record) is not None)

    def stats(self, id: str) -> Stats:
        """One sample of the server and its kernels."""
        with _refusals():
            _, server = self._alive(id)
            from workbench.engines import processes

            return processes.sample(server)

    def made(self, id: str) -> float | None:
        """When its virtual environment was made."""
        with _refusals():
            return venvs.made(Path(self.records.get(id).run.venv))

    def exec(self, id: str, argv: tuple[str, ...], *, stdin: bytes | None = None) -> ExecResult:
        """Run a command in the project's environment and folder. A command that is not there ends with code 127."""
        with _refusals():
            record, _ = self._alive(id)
            try:
                done = process.run(argv, env=_inside(record.run), cwd=Path(record.run.workdir), stdin=stdin)
            except process.ProgramMissing as error:
                return ExecResult(127, "", error.message)
            return ExecResult(done.code, done.out, done.err)

    def talk(self, id: str, argv: tuple[str, ...]) -> Channel:
        """The same, as a conversation, which ends with the server."""
        with _refusals():
            record, server = self._alive(id)
            alive = partial(self._same, record, server)
            return channels.to_child(argv, _inside(record.run), Path(record.run.workdir), alive)

    def exec_argv(self, id: str, argv: tuple[str, ...], *, tty: bool) -> tuple[tuple[str, ...], Mapping[str, str]]:
        """The same for this terminal; a process of this machine has the caller's own, so `tty` changes nothing."""
        with _refusals():
            record, _ = self._alive(id)
            return (sys.executable, "-c", ENTER, record.run.workdir, *argv), _inside(record.run)

    def leftovers(self) -> list[Leftover]:
        """Workbenches that do not run, and environments that no workbench and no project needs."""
        with _refusals():
            records = self.records.all()
            stopped = [_stopped(record) for record in records if not self._server(record)]
            return stopped + venvs.leftovers(self.environments, {record.run.venv for record in records})

    def delete(self, leftover: Leftover) -> None:
        """Remove a stopped workbench or an environment."""
        if leftover.kind == "environment":
            with _refusals():
                venvs.delete(self.environments, Path(leftover.id))
        else:
            self.remove(leftover.id)

    def close(self) -> None:
        """Nothing is held."""

    def _launch(self, record: Record, delivery: Delivery) -> Record:
        run, folder = record.run, Path(record.run.folder)
        need_free(run.port)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
        _rotate(folder / LOG)
        handed = _deliver(folder, delivery)
        try:
            env = {**_inherited(os.environ), **run.env, "WORKBENCH_RECORD": str(self.records.path(run.name))}
            pid = process.detach(run.argv, env=env, cwd=Path(run.workdir), log=folder / LOG)
            return self._note(record, pid)
        except BaseException:
            handed.unlink(missing_ok=True)
            raise

    def _note(self, record: Record, pid: int) -> Record:
        """Keep the process in the record, or end it."""
        from workbench.engines import processes

        # While the server starts: psutil's import is not waited for.
        since = processes.created(pid) or time.time()
        noted = replace(record, pid=pid, created=since)
        try:
            self.records.update(noted)
            venvs.touch(Path(record.run.venv))
        except BaseException:
            if server := processes.living(pid, since):
                processes.end(server, record.run.stop_timeout)
            raise
        return noted

    def _server(self, record: Record) -> "psutil.Process | None":
        if record.stopped:
            return None
        from workbench.engines import processes

        if record.pid is None or record.created is None:
            return processes.marked(self.records.path(record.run.name))
        return processes.living(record.pid, record.created)

    def _alive(self, id: str) -> "tuple[Record, psutil.Process]":
        record = self.records.get(id)
        server = self._server(record)
        if server is None:
            raise EngineError(f"The workbench {id} is not running.", "`run-notebook` in its project starts it again.")
        return record, server

    def _same(self, record: Record, server: "psutil.Process") -> bool:
        return self._server(record) == server

    def _running(self, record: Record) -> Running:
        run, server = record.run, self._server(record)
        return Running(
            id=run.name,
            name=run.labels.get(NAME, run.name),
            container=str(server.pid if server else record.pid or ""),
            project=run.labels.get(PROJECT, run.workdir),
            engine="local",
            state="running" if server else _ended(record),
            port=run.port,
            image=run.venv,
            plan=run.labels.get(PLAN, ""),
            device=run.labels.get(DEVICE, "cpu"),
            gpus=run.labels.get(GPUS, ""),
            owner=run.labels.get(OWNER, ""),
            started=record.created,
            labels=run.labels,
        )


def _ended(record: Record) -> RunState:
    if record.pid is None:
        return "created"
    return "stopped" if record.stopped else "dead"


def _venv(build: Build) -> VenvBuild:
    if isinstance(build, VenvBuild):
        return build
    raise EngineError("The local engine has no images.", "Choose `--engine docker` or `--engine podman`.")


def _renamed(run: LocalRun, name: str) -> LocalRun:
    """The run under another name. Under the workbench's own it has the folder of the plan, else one beside that."""
    planned = run.folder.removesuffix(f".{run.name}")
    folder = planned if name == run.labels.get(NAME) else f"{planned}.{name}"
    return replace(run, name=name, folder=folder, env={**run.env, "WORKBENCH_RUN": folder})


def _stopped(record: Record) -> Leftover:
    run = record.run
    size = venvs.size(Path(run.folder))
    return Leftover("container", run.name, run.name, run.labels.get(PROJECT, run.workdir), "not running", size)


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # A user id without a name, as many clusters have.
        return str(os.getuid())


def _inherited(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if not name.startswith(LEFT_OUT)}


def _inside(run: LocalRun) -> dict[str, str]:
    """What a command in the workbench has over this process's environment."""
    path = os.pathsep.join((str(Path(run.venv) / "bin"), os.environ.get("PATH", os.defpath)))
    return {**run.env, "VIRTUAL_ENV": run.venv, "PATH": path}


def _rotate(log: Path) -> None:
    if log.exists() and log.stat().st_size > LOG_SIZE:
        log.replace(log.with_name(f"{LOG}.1"))


def _deliver(folder: Path, delivery: Delivery) -> Path:
    path, temporary = folder / "delivery.json", folder / "delivery.tmp"
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        json.dump(delivery.document(), stream)
    return temporary.replace(path)


@contextmanager
def _refusals() -> Iterator[None]:
    """What the operating system refuses, as the engine's own error."""
    try:
        yield
    except OSError as error:
        raise refused_by_system(error) or EngineError(
            f"{error.strerror or error}: {error.filename or 'this machine'}.",
            "`workbench doctor` looks at this machine.",
        ) from error
