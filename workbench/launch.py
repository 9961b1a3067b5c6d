"""The flow of a launch: find, configure, survey, plan, provide, start, reach. Deciding is `workbench.plan`'s."""

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

from workbench import labels, ready
from workbench.engines.base import Engine, PortTaken
from workbench.errors import EngineError, NotReadyError, TrustError
from workbench.model import (
    Build,
    Delivery,
    Endpoint,
    Event,
    HostFacts,
    ImageBuild,
    ImageUse,
    LaunchPlan,
    LocalRun,
    Project,
    Request,
    Running,
    RunPlan,
    Seed,
    Settings,
)
from workbench.plan import commands, naming, trust
from workbench.plan.build import Folders
from workbench.plan.changes import what_changed
from workbench.plan.digest import changes
from workbench.plan.launch import plan_launch
from workbench.plan.run import describe
from workbench.state import State, cache_root, new_token


class Ui(Protocol):
    """Whom a launch talks to: a terminal, a log, a test."""

    def note(self, text: str) -> None:
        """Say one line."""
        ...

    def command(self, argv: tuple[str, ...]) -> None:
        """Show what is about to be done as a person would type it, to those who asked for that."""
        ...

    def work(self, events: Iterator[Event]) -> None:
        """Show long work until it ends; lets its errors through."""
        ...

    def ask(self, question: str) -> bool | None:
        """A yes-or-no question; None when nobody can answer."""
        ...


@dataclass(frozen=True, slots=True)
class Survey:
    """What there is before anything is decided."""

    project: Project
    settings: Settings
    engine: Engine
    facts: HostFacts
    state: State
    name: str
    no_pull: bool = False
    """Whether images are to be taken as they are on this machine."""


@dataclass(frozen=True, slots=True)
class Launched:
    """What a launch came to. `running` and `endpoint` are None after a dry run."""

    survey: Survey
    plan: LaunchPlan
    outcome: Literal["planned", "started", "resumed", "opened"]
    running: Running | None = None
    endpoint: Endpoint | None = None


def survey(request: Request, environ: Mapping[str, str], ui: Ui) -> Survey:
    """Find the project, read its configuration and ask the engine. Changes nothing."""
    from workbench import config, engines, hostnet, project

    found = project.find(request.path)
    settings = config.load(found, environ, request.flags)
    engine, notices = engines.connect(settings.engine, environ)
    network = hostnet.survey(environ, Path.home())
    mine = hostnet.notices(network) if engine.name != "local" else ()
    for notice in (*notices, *config.notices(found, environ), *mine):
        ui.note(notice)
    facts = replace(engine.facts(), network=network, executable=sys.executable, python=_python())
    name = naming.workbench_name(found.name, str(found.root))
    no_pull = config.no_pull(environ) and engine.name != "local"
    return Survey(found, settings, engine, facts, State.of(name), name, no_pull)


def launch(request: Request, environ: Mapping[str, str], ui: Ui) -> Launched:
    """One `run-notebook`: a running workbench for the project, started or found."""
    found = survey(request, environ, ui)
    try:
        if request.dry_run:
            plan = make_plan(found, request, found.state.seed() or _new_seed(found))
            return Launched(found, plan, "planned")
        with found.state.lock(lambda: ui.note("Another run-notebook is starting this project: waiting for it.")):
            return _launch(found, request, ui)
    except BaseException:
        found.engine.close()
        raise


def make_plan(found: Survey, request: Request, seed: Seed) -> LaunchPlan:
    """The plan for what was found, with our part of the image and the network files read from disk."""
    from workbench.kit import read_kit

    files = {name: _text(path) for name, path in found.facts.network.files.items()}
    return plan_launch(
        found.project,
        found.settings,
        found.facts,
        seed,
        read_kit(),
        Folders(cache=str(cache_root()), state=str(found.state.folder)),
        rebuild=request.rebuild,
        offline=request.offline or found.no_pull,
        files={name: text for name, text in files.items() if text},
        jupyter=request.jupyter,
    )


def _launch(found: Survey, request: Request, ui: Ui) -> Launched:
    existing = _existing(found.engine, found.project, found.facts)
    seed = _seed(found, existing, request)
    plan = make_plan(found, request, seed)
    if existing and existing.state == "running" and not _wants_restart(found, existing, plan, request, ui):
        return _reopen(found, plan, existing, seed)
    _approve(found, request, ui)
    for notice in plan.notices:
        ui.note(notice)
    provide(found, plan, ui)
    if existing and existing.state == "stopped" and existing.plan == plan.digest and not request.restart:
        resumed = _resume(found, plan, existing)
        if resumed:
            return resumed
    if existing:
        # Stopped with other settings, or a half-made one of a launcher that was killed.
        if existing.state == "stopped":
            ui.note("The stopped container is replaced: what was installed in it by hand goes, HOME stays.")
        found.engine.stop(existing.id)
        found.engine.remove(existing.id)
    for command in commands.starting(plan.run, found.engine.name):
        ui.command(command)
    return _start(found, plan)


def _existing(engine: Engine, project: Project, facts: HostFacts) -> Running | None:
    """This user's workbench for the project, the running one first."""
    wanted = {labels.PROJECT: str(project.root), labels.OWNER: str(facts.uid)}
    found = sorted(engine.find(wanted), key=lambda each: each.state != "running")
    return found[0] if found else None


def _seed(found: Survey, existing: Running | None, request: Request) -> Seed:
    """The workbench's token and port: remembered, or read back from the running one, or new."""
    seed = found.state.seed()
    wanted = found.settings.port
    if existing and existing.state == "running":
        token = seed.token if seed else _token_of(found.engine, existing)
        return Seed(token, existing.port)
    if seed is None:
        return _new_seed(found)
    return Seed(seed.token, wanted or seed.port)


def _new_seed(found: Survey) -> Seed:
    return Seed(new_token(), found.settings.port or _free_port(naming.first_port(str(found.project.root))))


def _free_port(first: int) -> int:
    """The first port from `first` on that nobody listens on here."""
    import socket

    for port in range(first, first + 1000):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise EngineError(f"No free port between {first} and {first + 1000}.", "Name one with --port.")


def _token_of(engine: Engine, running: Running) -> str:
    """The token of a workbench whose state folder was lost, from its own memory."""
    read = engine.exec(running.id, ("cat", "/run/workbench/token"))
    if read.code != 0 or not read.out.strip():
        raise EngineError(
            f"The token of the running workbench {running.name} is lost.",
            f"Start it anew: workbench rm {running.name}, then run-notebook. HOME in the container goes with it.",
        )
    return read.out.strip()


def _wants_restart(found: Survey, existing: Running, plan: LaunchPlan, request: Request, ui: Ui) -> bool:
    """Whether a running workbench is to be replaced: it was asked for, or its plan has changed and the user agrees."""
    if request.restart or request.rebuild:
        return True
    if existing.plan == plan.digest or request.keep:
        return False
    changed = what_changed(found.state.read("plan.json"), plan)
    ui.note(f"Changed since this workbench was started: {', '.join(changed)}.")
    answer = ui.ask("Restart it with the change? Kernels lose their state.")
    if answer is None:
        ui.note("It keeps running as it was; `run-notebook --restart` applies the change.")
    return bool(answer)


def _reopen(found: Survey, plan: LaunchPlan, existing: Running, seed: Seed) -> Launched:
    found.state.keep_seed(seed)
    _reach(found.engine, existing, seed.token)
    return Launched(found, plan, "opened", existing, _endpoint(found, existing, seed.token))


def _approve(found: Survey, request: Request, ui: Ui) -> None:
    """Have the user agree to what the project's own configuration asks of this machine."""
    asks = trust.asks(found.settings, str(found.project.root))
    if not asks:
        return
    mark = trust.digest(asks)
    if (found.state.read("trust.json") or {}).get("digest") != mark and not request.trust:
        for ask in asks:
            ui.note(f"  • {ask}")
        answer = ui.ask(f"{found.project.root} asks for this on your machine. Allow it?")
        if not answer:
            raise TrustError(
                "The project's configuration reaches outside the container, and nobody has approved it: "
                + "; ".join(asks),
                "Read it, then run again with --trust to approve exactly this.",
            )
    found.state.write("trust.json", {"digest": mark, "asks": list(asks)})


def provide(found: Survey, plan: LaunchPlan, ui: Ui) -> None:
    """Have the environment of the plan, the project's own image first."""
    if found.facts.network.env and isinstance(plan.build, ImageBuild):
        lines = (f"{name}={value}\n" for name, value in sorted(found.facts.network.env.items()))
        found.state.write_text("network.env", "".join(lines))
    for build in _in_order(plan.build):
        if reason := _reason(found.engine, build):
            ui.note(reason)
            for command in commands.provision(build, found.engine.name):
                ui.command(command)
        ui.work(found.engine.provide(build))


def _reason(engine: Engine, build: Build) -> str:
    """Why there is something to build, in one line; empty when there is not."""
    if isinstance(build, ImageUse):
        return ""
    what = "image" if isinstance(build, ImageBuild) else "environment"
    present = engine.present(build)
    if build.force:
        return f"Building the {what} anew, as asked."
    if present is None:
        return f"Building the {what} of this project for the first time."
    changed = changes(present, build.inputs)
    return f"Rebuilding the {what}: {', '.join(changed)}." if changed else ""


def _in_order(build: Build) -> tuple[Build, ...]:
    before = build.before if isinstance(build, ImageBuild) else None
    return (before, build) if before else (build,)


def _start(found: Survey, plan: LaunchPlan) -> Launched:
    running, plan = _start_on_free_port(found, plan)
    try:
        _remember(found, plan, running.port)
        _reach(found.engine, running, plan.delivery.token)
    except BaseException:
        # A Ctrl-C or a full disk too: what nobody was told of must not go on running.
        found.engine.stop(running.id)
        found.engine.remove(running.id)
        raise
    return Launched(found, plan, "started", running, _endpoint(found, running, plan.delivery.token))


def _start_on_free_port(found: Survey, plan: LaunchPlan) -> tuple[Running, LaunchPlan]:
    """Start; where the port was taken meanwhile and the user did not name it, on the next free one."""
    for _ in range(20):
        # Before the start: should we be killed in it, the next launch still knows the token.
        found.state.keep_seed(Seed(plan.delivery.token, plan.run.port))
        try:
            return found.engine.start(plan.run, plan.delivery), plan
        except PortTaken:
            if found.settings.port:
                raise
            plan = replace(plan, run=_on_port(plan.run, _free_port(plan.run.port + 1)))
    raise EngineError("Twenty ports in a row were taken while starting.", "Name a free one with --port.")


def _on_port(run: RunPlan, port: int) -> RunPlan:
    """The same run on another port. The local engine's server is told it by its environment."""
    moved = {"WORKBENCH_PORT": str(port)} if isinstance(run, LocalRun) else {}
    return replace(run, port=port, env={**run.env, **moved}, labels={**run.labels, labels.PORT: str(port)})


def _remember(found: Survey, plan: LaunchPlan, port: int) -> None:
    """Keep what was approved and started: restarts use it and nothing else."""
    found.state.keep_seed(Seed(plan.delivery.token, port))
    inputs = {} if isinstance(plan.build, ImageUse) else dict(plan.build.inputs)
    found.state.write("plan.json", {"digest": plan.digest, "run": describe(plan.run, plan.build), "inputs": inputs})
    keep_delivery(found.state, plan.delivery)


def keep_delivery(state: State, delivery: Delivery, name: str = "delivery.json") -> Path:
    """Keep what a restart must hand over again (0600), in the form in which the server reads it."""
    return state.write(name, {"token": delivery.token, "env": dict(delivery.env), "files": dict(delivery.files)})


def kept_delivery(state: State, token: str) -> Delivery:
    """What a restart hands over."""
    kept = state.read("delivery.json") or {}
    return Delivery(token, env=kept.get("env", {}), files=kept.get("files", {}))


def _resume(found: Survey, plan: LaunchPlan, existing: Running) -> Launched | None:
    """Start the stopped workbench again, packages installed by hand included. None when its port is gone."""
    try:
        running = found.engine.resume(existing.id, plan.delivery)
    except PortTaken:
        return None
    _remember(found, plan, running.port)
    _reach(found.engine, running, plan.delivery.token)
    return Launched(found, plan, "resumed", running, _endpoint(found, running, plan.delivery.token))


def restart(engine: Engine, running: Running) -> Endpoint:
    """Stop a workbench and start it again as it was approved."""
    state = State.of(running.name)
    with state.lock(lambda: None):
        seed = state.seed()
        token = seed.token if seed else _token_of(engine, running)
        engine.stop(running.id)
        again = engine.resume(running.id, kept_delivery(state, token))
        _reach(engine, again, token)
    return ready.endpoint(again, token)


def _reach(engine: Engine, running: Running, token: str) -> None:
    """Wait for the server; when it does not come, say why with its own last words."""
    try:
        ready.wait(running.port, token, lambda: _state(engine, running) == "running")
    except NotReadyError as error:
        raise _explained(engine, running, error) from error


def _state(engine: Engine, running: Running) -> str:
    found = engine.find({labels.NAME: running.name, labels.OWNER: running.owner})
    return next((each.state for each in found if each.id == running.id), "gone")


def _explained(engine: Engine, running: Running, error: NotReadyError) -> NotReadyError:
    found = next((each for each in engine.find({labels.NAME: running.name}) if each.id == running.id), None)
    if found and found.out_of_memory:
        return NotReadyError("The workbench was ended for lack of memory.", "Give it more: --memory 4g, or none.")
    try:
        last = tuple(line for line in engine.logs(running.id, tail=20) if line.strip())[-6:]
    except EngineError:
        last = ()
    return NotReadyError(error.message, "These are the server's last lines.", detail=last)


def _endpoint(found: Survey, running: Running, token: str) -> Endpoint:
    return ready.endpoint(running, token, classic=found.settings.classic)


def _python() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        # Gone since the survey: the server starts without it.
        return ""


def current_environ() -> Mapping[str, str]:
    """This process's environment: the one place where a launch takes it from."""
    return os.environ
