"""An engine that only remembers: for tests and demonstrations. It keeps a real one's rules, and serves a real port."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import RLock

from workbench import process
from workbench.engines import channels
from workbench.engines import fake_memory as memory
from workbench.engines.base import Channel, NameTaken
from workbench.engines.fake_memory import Bench, Memory
from workbench.engines.fake_server import FakeServer
from workbench.engines.fake_services import FakeServices
from workbench.engines.ports import need_free
from workbench.errors import EngineError, WorkbenchError
from workbench.model import (
    Build,
    Delivery,
    DockFacts,
    EngineName,
    Event,
    ExecResult,
    HostFacts,
    Leftover,
    Running,
    RunPlan,
    Stats,
)

FOLDER = "WORKBENCH_FAKE_FOLDER"
"""Environment variable: the folder in which engines of several processes share what they remember."""
FACTS = HostFacts(engine="fake", version="1", uid=1000, gid=1000, user="someone", python="3.11")
PAUSE = 0.2
"""Seconds between two looks at a log that is followed."""
STATS = Stats(cpu=0.25, memory=100 << 20, memory_limit=None, pids=3)


class FakeEngine:
    """The engine `fake`.

    `folder` (or the variable WORKBENCH_FAKE_FOLDER) shares its memory with other processes; without it a thread
    per running workbench answers `/api/status` on the run's port, to those who have the token.
    `fail` maps the name of a method to the error that it raises; `answers` maps commands to what `exec` returns,
    other commands really run on this machine. `calls` lists each call: the method and its first argument.
    """

    name: EngineName = "fake"
    dock: DockFacts | None = None

    def __init__(
        self,
        folder: Path | None = None,
        *,
        fail: Mapping[str, WorkbenchError] | None = None,
        answers: Mapping[tuple[str, ...], ExecResult] | None = None,
        facts: HostFacts = FACTS,
        services: FakeServices | None = None,
    ) -> None:
        shared = os.environ.get(FOLDER)
        self.folder = folder or (Path(shared) if shared else None)
        self.fail = dict(fail or {})
        self.answers = dict(answers or {})
        self.calls: list[tuple[str, object]] = []
        self.deliveries: dict[str, Delivery] = {}
        self.services = services
        self._facts = facts
        self._memory = Memory()
        self._lock = RLock()
        self._servers: dict[str, FakeServer] = {}

    def facts(self) -> HostFacts:
        """The facts it was made with."""
        self._called("facts")
        return self._facts

    def present(self, build: Build) -> Mapping[str, str] | None:
        """Inputs of the environment under the build's tag or folder, else of the project's newest."""
        self._called("present", build)
        with self._state() as state:
            return memory.inputs(state, build)

    def provide(self, build: Build) -> Iterator[Event]:
        """Remember the environment, after one step."""
        try:
            self._called("provide", build)
        except WorkbenchError:
            yield Event("step", "build", step="1")
            yield Event("failed", "build", step="1")
            raise
        with self._state() as state:
            there = state.environments.get(memory.key(build))
            made = memory.environment(build)
            cached = there is not None and there.digest == made.digest and not build.force
            if not cached:
                state.environments[memory.key(build)] = made
        if cached:
            yield Event("cached", "build", step="1")
            return
        yield Event("step", "build", step="1")
        yield Event("done", "build", step="1", seconds=0.0)

    def start(self, run: RunPlan, delivery: Delivery) -> Running:
        """Remember a workbench, and serve its port."""
        self._called("start", run)
        with self._state() as state:
            if run.name in state.benches:
                raise NameTaken(f"The name {run.name} is taken.", f"`workbench rm {run.name}` removes it.")
            bench = memory.bench(run)
            self._begin(state, bench, delivery)
            state.benches[run.name] = bench
            return memory.running(bench)

    def resume(self, id: str, delivery: Delivery) -> Running:
        """Start a stopped workbench again."""
        self._called("resume", id)
        with self._state() as state:
            bench = memory.get(state, id)
            if bench.state == "running":
                raise EngineError(f"{id} is running already.", f"`workbench stop {id}` ends it.")
            self._begin(state, bench, delivery)
            return memory.running(bench)

    def forward(self, port: int) -> None:
        """It is on this machine."""

    def join(self, id: str, networks: Sequence[str]) -> None:
        """There are no networks."""

    def leave(self, id: str, networks: Sequence[str]) -> None:
        """There are no networks."""

    def find(self, labels: Mapping[str, str]) -> list[Running]:
        """Those whose labels contain the given ones."""
        self._called("find", labels)
        with self._state() as state:
            return [memory.running(bench) for bench in state.benches.values() if labels.items() <= bench.labels.items()]

    def stop(self, id: str) -> None:
        """Stop at once, with exit code 0."""
        self._called("stop", id)
        with self._state() as state:
            bench = memory.get(state, id)
            if bench.state == "running":
                bench.log.append("SIGTERM: saved, kernels ended")
            self._end(bench, 0)

    def crash(self, id: str, code: int = 1, *last: str) -> None:
        """What a test may do to a workbench: its server ends by itself, with these last lines in the log."""
        with self._state() as state:
            bench = memory.get(state, id)
            bench.log.extend(last)
            self._end(bench, code)

    def remove(self, id: str, *, volumes: bool = False) -> None:
        """Forget a stopped workbench."""
        self._called("remove", id)
        with self._state() as state:
            if memory.get(state, id).state == "running":
                raise EngineError(f"{id} is running.", f"`workbench stop {id}` first.")
            del state.benches[id]
            self.deliveries.pop(id, None)

    def rename(self, id: str, name: str) -> None:
        """Remember it under another name."""
        self._called("rename", id)
        with self._state() as state:
            bench = memory.get(state, id)
            if bench.state == "running":
                raise EngineError(f"{id} is running.", f"`workbench stop {id}` first.")
            if name in state.benches:
                raise NameTaken(f"The name {name} is taken.", f"`workbench rm {name}` removes it.")
            state.benches[name] = state.benches.pop(id)
            bench.name = name

    def logs(self, id: str, *, follow: bool = False, tail: int | None = None) -> Iterator[str]:
        """What a server of ours says at its start and end."""
        self._called("logs", id)
        seen: int | None = None
        while True:
            with self._state() as state:
                bench = memory.get(state, id)
                lines, over = list(bench.log), bench.state != "running"
            seen = max(0, len(lines) - tail) if seen is None and tail is not None else seen or 0
            yield from lines[seen:]
            seen = len(lines)
            if over or not follow:
                return
            time.sleep(PAUSE)

    def stats(self, id: str) -> Stats:
        """The same numbers always."""
        self._called("stats", id)
        self._need_running(id)
        return STATS

    def made(self, id: str) -> float | None:
        """When its environment was provided."""
        with self._state() as state:
            there = state.environments.get(memory.get(state, id).image)
            return there.made if there else None

    def exec(self, id: str, argv: tuple[str, ...], *, stdin: bytes | None = None) -> ExecResult:
        """The scripted answer, else the command's own: it runs on this machine with the workbench's environment."""
        self._called("exec", argv)
        bench = self._need_running(id)
        if argv in self.answers:
            return self.answers[argv]
        if argv[0] == "cat" and argv[-1].endswith("/token") and id in self.deliveries:
            return ExecResult(0, self.deliveries[id].token, "")
        workdir = Path(bench.workdir)
        try:
            done = process.run(argv, env=bench.env, cwd=workdir if workdir.is_dir() else None, stdin=stdin)
        except process.ProgramMissing as error:
            return ExecResult(127, "", error.message)
        return ExecResult(done.code, done.out, done.err)

    def talk(self, id: str, argv: tuple[str, ...]) -> Channel:
        """The command's own streams: it runs on this machine with the workbench's environment."""
        self._called("talk", argv)
        bench = self._need_running(id)
        workdir = Path(bench.workdir)
        alive = partial(self._runs_since, id, bench.started)
        return channels.to_child(argv, bench.env, workdir if workdir.is_dir() else None, alive)

    def exec_argv(self, id: str, argv: tuple[str, ...], *, tty: bool) -> tuple[tuple[str, ...], Mapping[str, str]]:
        """The command itself, with the workbench's environment."""
        self._called("exec_argv", argv)
        return argv, self._need_running(id).env

    def leftovers(self) -> list[Leftover]:
        """Stopped workbenches, and environments that no workbench has."""
        self._called("leftovers")
        with self._state() as state:
            return memory.leftovers(state)

    def delete(self, leftover: Leftover) -> None:
        """Forget one of the leftovers."""
        self._called("delete", leftover)
        if leftover.kind == "container":
            self.remove(leftover.id)
            return
        with self._state() as state:
            if state.environments.pop(leftover.id, None) is None:
                raise EngineError(f"There is no {leftover.kind} {leftover.id}.", "`workbench images` lists them.")

    def close(self) -> None:
        """Stop serving; what is remembered stays."""
        self._called("close")
        for name in list(self._servers):
            self._servers.pop(name).close()

    def _called(self, method: str, argument: object = None) -> None:
        self.calls.append((method, argument))
        if method in self.fail:
            raise self.fail[method]

    def _need_running(self, id: str) -> Bench:
        with self._state() as state:
            bench = memory.get(state, id)
        if bench.state != "running":
            raise EngineError(f"{id} is not running.", "`run-notebook` in its project starts it again.")
        return bench

    def _runs_since(self, id: str, started: float) -> bool:
        with self._state() as state:
            bench = state.benches.get(id)
            return bench is not None and bench.state == "running" and bench.started == started

    def _begin(self, state: Memory, bench: Bench, delivery: Delivery) -> None:
        need_free(bench.port)
        if self.folder is None:
            self._servers[bench.name] = FakeServer(bench.port, delivery.token)
        self.deliveries[bench.name] = delivery
        bench.state, bench.started, bench.exit_code = "running", time.time(), None
        bench.log += [f"serving on port {bench.port}", f"took the delivery ({len(delivery.env)} variables)"]

    def _end(self, bench: Bench, code: int) -> None:
        if bench.state == "running":
            bench.state, bench.exit_code = "stopped", code
        if server := self._servers.pop(bench.name, None):
            server.close()

    @contextmanager
    def _state(self) -> Iterator[Memory]:
        """What is remembered, for as long as nobody else changes it; an error inside changes nothing in a folder."""
        with self._lock:
            if self.folder is None:
                yield self._memory
                return
            with memory.shared(self.folder) as state:
                yield state
