"""The flow of a launch: find, configure, survey, plan, provide, start, reach. Deciding is `workbench.plan`'s."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from workbench import approved, comeback, consent, labels, ready, recreate
from workbench.approved import Approved
from workbench.engines.base import Engine, NoGpu, PortTaken
from workbench.engines.ports import free_port
from workbench.errors import EngineError, NotReadyError
from workbench.model import (
    Build,
    Companions,
    ContainerRun,
    Device,
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
from workbench.services import STARTED
from workbench.state import State, cache_root, new_token

if TYPE_CHECKING:
    from workbench.services.beside import Services


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
    """What was asked, and what there is before anything is decided."""

    request: Request
    project: Project
    settings: Settings
    engine: Engine
    facts: HostFacts
    state: State
    name: str
    no_pull: bool = False
    """Whether images are to be taken as they are on this machine."""
    device: Device | None = None
    """What was chosen in the panel instead of the settings' device."""
    companions: Companions | None = None
    """The services that it has beside it."""
    services: "Services | None" = None
    """What starts them; None after the launch."""

    @property
    def mine(self) -> dict[str, str]:
        """The labels by which the engine knows the project's workbench."""
        return {labels.PROJECT: naming.label_of(self.project, self.facts.dock), labels.OWNER: str(self.facts.uid)}


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
    from workbench import config, hostnet, project

    found = project.find(request.path)
    settings = config.load(found, environ, request.flags)
    engine, notices = _connect(settings, environ)
    facts = host_facts(engine, environ)
    mine = hostnet.notices(facts.network) if engine.name != "local" else ()
    for notice in (*notices, *config.notices(found, environ), *mine):
        ui.note(notice)
    name = naming.name_of(found, facts.dock)
    no_pull = config.no_pull(environ) and engine.name != "local"
    present = Survey(request, found, settings, engine, facts, State.of(name), name, no_pull)
    return _with_services(present, environ)


def _with_services(found: Survey, environ: Mapping[str, str]) -> Survey:
    """With the services that are to be beside it, where the engine can have any."""
    settings, engine = found.settings, found.engine
    if not settings.beside:
        return found
    if engine.services is None and "services" not in found.request.flags:
        # The plan says so.
        return found
    from workbench.services import beside

    services = beside.look(found.project, settings, engine, found.facts, found.state, environ)
    return replace(found, services=services, companions=services.companions)


def _connect(settings: Settings, environ: Mapping[str, str]) -> tuple[Engine, tuple[str, ...]]:
    from workbench import engines

    if settings.dock is None:
        return engines.connect(settings.engine, environ)
    from workbench.docks.engine import connect

    return connect(settings.dock, settings.engine), ()


def host_facts(engine: Engine, environ: Mapping[str, str]) -> HostFacts:
    """What the engine and this machine are now."""
    from workbench import gpus, hostnet

    facts = engine.facts()
    # What another machine has, only its engine can tell.
    gpu = facts.gpu if facts.remote or engine.name == "fake" else gpus.survey(engine.name, environ)
    network = hostnet.survey(environ, Path.home())
    return replace(facts, network=network, gpu=gpu, executable=sys.executable, python=_python())


def launch(request: Request, environ: Mapping[str, str], ui: Ui) -> Launched:
    """One `run-notebook`: a running workbench for the project, started or found."""
    found = survey(request, environ, ui)
    try:
        if request.dry_run:
            found = on_chosen_device(found)
            plan = make_plan(found, found.state.seed() or _new_seed(found))
            return Launched(found, plan, "planned")
        waiting = "Another run-notebook is starting this project: waiting for it."
        with found.state.lock(lambda: ui.note(waiting)), _copied(found, ui):
            return _launch(found, ui)
    except BaseException:
        found.engine.close()
        raise


@contextmanager
def _copied(found: Survey, ui: Ui) -> Iterator[None]:
    """On a dock, have a copy of the project that is kept the same, for as long as this lasts and somebody goes on."""
    dock, settings = found.facts.dock, found.settings
    if dock is None:
        yield
        return
    from workbench.docks.engine import PROJECTS
    from workbench.docks.sync import copy

    root = found.project.root
    found.state.keep_dock(dock.name, root)
    exclude = settings.sync.exclude if settings.sync else ()
    copy.want(found.state, copy.What(dock.name, str(root), f"{PROJECTS}/{found.name}", exclude))
    with copy.held(found.state):
        ui.work(copy.first(found.state, dock.name))
        yield


def on_chosen_device(found: Survey) -> Survey:
    """With the device that was chosen in the panel since the launch, unless this one asks for another."""
    kept = approved.read(found.state)
    if kept is None or "device" in found.request.flags:
        return found
    return replace(found, device=approved.chosen(kept, found.settings))


def make_plan(found: Survey, seed: Seed) -> LaunchPlan:
    """The plan for what was found, with our part of the image and the network files read from disk."""
    from workbench.kit import read_kit

    request = found.request
    files = {name: _text(path) for name, path in found.facts.network.files.items()}
    return plan_launch(
        found.project,
        replace(found.settings, device=found.device or found.settings.device),
        found.facts,
        seed,
        read_kit(),
        Folders(cache=str(cache_root()), state=str(found.state.folder)),
        rebuild=request.rebuild,
        offline=request.offline or found.no_pull,
        files={name: text for name, text in files.items() if text},
        jupyter=request.jupyter,
        companions=found.companions,
    )


def _launch(found: Survey, ui: Ui) -> Launched:
    request = found.request
    if request.repository:
        from workbench import repository

        root, engine = found.project.root, found.engine.name
        repository.agree(request.repository, root, found.state, engine, trusted=request.trust, ui=ui)
    existing = recreate.existing(found.engine, found.state, found.mine, ui.note)
    # Not before: what was cut off may have put back what is kept.
    found = on_chosen_device(found)
    seed = _seed(found, existing)
    plan = make_plan(found, seed)
    if existing and existing.state == "running" and not _wants_restart(found, existing, plan, ui):
        try:
            if existing.plan != plan.digest:
                # It goes on as it is.
                return _reopen(found, plan, existing, seed, ui)
            _agree_to_services(found, ui)
            with _served(found, ui):
                found.engine.join(existing.id, _networks(plan))
                return _reopen(found, plan, existing, seed, ui)
        except (EngineError, NotReadyError):
            existing = recreate.existing(found.engine, found.state, found.mine, ui.note)
            if existing and existing.state == "running":
                raise
            # Nothing was handed over to it, and it has waited for that long enough.
            ui.note("It has ended without an answer: starting it again.")
    asks = trust.asks(found.settings, str(found.project.root))
    consent.agree(found.state, "workbench", asks, found.project.root, trusted=request.trust, ui=ui)
    for notice in plan.notices:
        ui.note(notice)
    _agree_to_services(found, ui)
    provide(found, plan, ui)
    with _served(found, ui):
        if existing and existing.state == "stopped" and existing.plan == plan.digest and not request.restart:
            resumed = _resume(found, plan, existing)
            if resumed:
                return resumed
        if existing and existing.state == "stopped":
            ui.note("The stopped container is replaced: what was installed in it by hand goes, HOME stays.")
        if existing and existing.state == "running":
            plan = returning(plan)
        return replacing(found, plan, existing, ui)


def _agree_to_services(found: Survey, ui: Ui) -> None:
    """What may refuse the services: before anything is built or started."""
    if found.services:
        from workbench.services import beside

        beside.prepare(found.services, ui, trusted=found.request.trust)


@contextmanager
def _served(found: Survey, ui: Ui) -> Iterator[None]:
    """Have the services that are wanted, and stop those that are not any more once the workbench runs without them."""
    if found.services is None:
        yield
    else:
        from workbench.services import beside

        with beside.started(found.services, ui):
            yield
    leave_services(found.engine, found.state, ui.note, keep=found.companions.names if found.companions else ())


def leave_services(engine: Engine, state: State, note: Callable[[str], None], keep: tuple[str, ...] = ()) -> None:
    """Stop the services that were started for a workbench and that it does not need any more."""
    if state.read(STARTED) is None:
        return
    from workbench.services import life

    if stopped := life.stop(engine, state, keep):
        note(f"Stopped {', '.join(stopped)}.")


def _networks(plan: LaunchPlan) -> tuple[str, ...]:
    return plan.run.networks if isinstance(plan.run, ContainerRun) else ()


def returning(plan: LaunchPlan) -> LaunchPlan:
    """The plan for a server that open notebooks wait for."""
    return replace(plan, delivery=replace(plan.delivery, returning=True))


def replacing(found: Survey, plan: LaunchPlan, existing: Running | None, ui: Ui) -> Launched:
    """Start the plan in the place of what there is, which comes back if that fails. Call it under the state's lock."""
    for command in commands.starting(plan.run, found.engine.name):
        ui.command(command)
    with recreate.replacing(found.engine, found.state, existing, plan.delivery.token, ui.note):
        return start_on_device(found, plan, ui)


def start_on_device(found: Survey, plan: LaunchPlan, ui: Ui) -> Launched:
    """Start on the device of the plan; where that was anything there is, without the GPU that cannot be had."""
    try:
        return _start(found, plan)
    except NoGpu as error:
        if (found.device or found.settings.device).kind != "auto":
            raise
        ui.note(f"Without a GPU: {error.message} {error.hint}")
        return _start(found, _without_gpu(found, plan))


def _without_gpu(found: Survey, plan: LaunchPlan) -> LaunchPlan:
    """The plan for the CPU, under the name of the other: the next launch finds what this one asked for."""
    new = make_plan(replace(found, device=Device("cpu")), Seed(plan.delivery.token, plan.run.port))
    new = replace(new, delivery=plan.delivery)
    run = replace(new.run, labels={**new.run.labels, labels.PLAN: plan.digest})
    return replace(new, run=run, digest=plan.digest)


def _seed(found: Survey, existing: Running | None) -> Seed:
    """The workbench's token and port: remembered, or read back from the running one, or new."""
    seed = found.state.seed()
    wanted = found.settings.port
    if existing and existing.state == "running":
        token = seed.token if seed else recreate.token_of(found.engine, existing)
        moves = found.request.restart or found.request.rebuild
        return Seed(token, wanted if wanted and moves else existing.port)
    if seed is None:
        return _new_seed(found)
    return Seed(seed.token, wanted or seed.port)


def _new_seed(found: Survey) -> Seed:
    return Seed(new_token(), found.settings.port or free_port(naming.first_port(str(found.project.root))))


def _wants_restart(found: Survey, existing: Running, plan: LaunchPlan, ui: Ui) -> bool:
    """Whether a running workbench is to be replaced: it was asked for, or its plan has changed and the user agrees."""
    if found.request.restart or found.request.rebuild:
        return True
    if existing.plan == plan.digest or found.request.keep:
        return False
    changed = what_changed(found.state.read("plan.json"), plan)
    ui.note(f"Changed since this workbench was started: {', '.join(changed)}.")
    answer = ui.ask("Restart it with the change? Kernels lose their state.")
    if answer is None:
        ui.note("It keeps running as it was; `run-notebook --restart` applies the change.")
    return bool(answer)


def _reopen(found: Survey, plan: LaunchPlan, existing: Running, seed: Seed, ui: Ui) -> Launched:
    found.state.keep_seed(seed)
    if comeback.hand_over(found.engine, existing, found.state.kept_delivery(seed.token)):
        ui.note("It was started without us: it is handed over what it needs.")
    ready.reach(found.engine, existing, seed.token)
    if found.settings.port not in (None, existing.port):
        ui.note(f"It answers on port {existing.port}; `--restart` moves it to {found.settings.port}.")
    return Launched(found, plan, "opened", existing, _endpoint(found, existing, seed.token))


def provide(found: Survey, plan: LaunchPlan, ui: Ui) -> None:
    """Have the environment of the plan, the project's own image first."""
    if found.facts.network.env and isinstance(plan.build, ImageBuild):
        lines = (f"{name}={value}\n" for name, value in sorted(found.facts.network.env.items()))
        found.state.write_text("network.env", "".join(lines))
    if found.request.ship and found.facts.dock and isinstance(plan.build, ImageBuild):
        if plan.build.force or found.engine.present(plan.build) != plan.build.inputs:
            from workbench.docks.ship import ship

            ship(plan.build, found.facts.dock.name, ui)
        return
    build_on(found.engine, plan.build, ui)


def build_on(engine: Engine, build: Build, ui: Ui) -> None:
    """Have an environment on an engine, and say why there is something to build."""
    for each in _in_order(build):
        if reason := _reason(engine, each):
            ui.note(reason)
            for command in commands.provision(each, engine.name):
                ui.command(command)
        ui.work(engine.provide(each))


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
    running, plan = _start_onfree_port(found, plan)
    try:
        ready.reach(found.engine, running, plan.delivery.token)
    except BaseException:
        # A Ctrl-C or a full disk too: what nobody was told of must not go on running.
        found.engine.stop(running.id)
        found.engine.remove(running.id)
        raise
    return Launched(found, plan, "started", running, _endpoint(found, running, plan.delivery.token))


def _start_onfree_port(found: Survey, plan: LaunchPlan) -> tuple[Running, LaunchPlan]:
    """Start; where the port was taken meanwhile and the user did not name it, on the next free one."""
    for _ in range(20):
        # Before the start: should we be killed in it, the next launch still knows what it finds.
        _remember(found, plan, plan.run.port)
        try:
            return found.engine.start(plan.run, plan.delivery), plan
        except PortTaken:
            if found.settings.port:
                raise
            plan = replace(plan, run=_on_port(plan.run, free_port(plan.run.port + 1)))
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
    found.state.keep_delivery(plan.delivery)
    approved.keep(found.state, _approved(found))


def _approved(found: Survey) -> Approved:
    request = found.request
    return Approved(
        found.project,
        found.settings,
        device=found.device or found.settings.device,
        flags=request.flags,
        jupyter=request.jupyter,
        cwd=str(request.cwd or Path.cwd()),
        no_pull=found.no_pull,
        companions=found.companions,
    )


def _resume(found: Survey, plan: LaunchPlan, existing: Running) -> Launched | None:
    """Start the stopped workbench again, packages installed by hand included. None when its port is gone."""
    # Those that there were may have been made anew.
    found.engine.join(existing.id, _networks(plan))
    try:
        running = found.engine.resume(existing.id, plan.delivery)
    except PortTaken:
        return None
    _remember(found, plan, running.port)
    ready.reach(found.engine, running, plan.delivery.token)
    return Launched(found, plan, "resumed", running, _endpoint(found, running, plan.delivery.token))


def _endpoint(found: Survey, running: Running, token: str) -> Endpoint:
    asked = found.request.path.resolve()
    notebook = asked.relative_to(found.project.root).as_posix() if asked.suffix == ".ipynb" else ""
    return ready.endpoint(running, token, classic=found.settings.classic, notebook=notebook)


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
