"""A workbench in its own place again: on another device, or built anew. From what was approved, and nothing else."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal, Protocol

from workbench import approved, recreate
from workbench.approved import Approved
from workbench.engines.base import Engine
from workbench.errors import EngineError, ProjectError
from workbench.flow import Launched, Survey, Ui, host_facts, make_plan, provide, returning, start_on_device
from workbench.model import Device, Request, Running, Seed
from workbench.plan.device import choose
from workbench.recreate import Phase
from workbench.state import State

Kind = Literal["cpu", "gpu"]


class Watcher(Ui, Protocol):
    """Whom a relaunch talks to."""

    def phase(self, phase: Phase) -> None:
        """Hear what begins now; may raise to call it off."""
        ...


def relaunch(
    engine: Engine,
    state: State,
    ui: Watcher,
    environ: Mapping[str, str],
    *,
    device: Kind | None = None,
    rebuild: bool = False,
) -> Launched:
    """Put a new container in the place of the running one: same name, port and token. It comes back if that fails.

    `rebuild` takes the project's lists of packages as they are now; where they are the same, it builds all the same.
    """
    with state.lock(lambda: ui.note("Another command is at work on this workbench: waiting for it.")):
        before = kept(state)
        wanted = approved.with_present_packages(before) if rebuild else before
        found = _survey(engine, state, wanted, environ, force=rebuild and wanted == before)
        if device:
            found = replace(found, device=on_device(wanted, device))
        old = _running(found, ui)
        delivery = state.kept_delivery(_token(state, engine, old))
        plan = make_plan(found, Seed(delivery.token, old.port))
        plan = returning(replace(plan, delivery=delivery))
        provide(found, plan, ui)
        ui.phase("stopping")
        with recreate.replacing(engine, state, old, delivery.token, ui.note):
            ui.phase("starting")
            try:
                return start_on_device(found, plan, ui)
            except BaseException:
                ui.phase("restoring")
                raise


def kept(state: State) -> Approved:
    """What the workbench was approved with."""
    found = approved.read(state)
    if found is None:
        raise ProjectError(
            "What this workbench was started with is not known any more.",
            "`run-notebook --restart` in its project starts it anew.",
        )
    return found


def on_device(wanted: Approved, kind: Kind) -> Device:
    """The CPU, or the GPUs that the launch was approved with."""
    return Device(kind, wanted.settings.device.ids if kind == "gpu" else ())


def check_device(engine: Engine, state: State, kind: Kind, environ: Mapping[str, str]) -> None:
    """Raise EngineError, with the reason and what mends it, where the device cannot be had."""
    choose(on_device(kept(state), kind), host_facts(engine, environ))


def _survey(engine: Engine, state: State, wanted: Approved, environ: Mapping[str, str], *, force: bool) -> Survey:
    root = wanted.project.root
    request = Request(root, wanted.flags, rebuild=force, jupyter=wanted.jupyter, cwd=Path(wanted.cwd))
    return Survey(
        request,
        wanted.project,
        wanted.settings,
        engine,
        host_facts(engine, environ),
        state,
        state.folder.name,
        no_pull=wanted.no_pull,
        device=wanted.device,
        companions=wanted.companions,
    )


def _running(found: Survey, ui: Ui) -> Running:
    old = recreate.existing(found.engine, found.state, found.mine, ui.note)
    if old is None or old.state != "running":
        raise EngineError(f"{found.name} does not run any more.", "`run-notebook` in its project starts it.")
    return old


def _token(state: State, engine: Engine, running: Running) -> str:
    seed = state.seed()
    return seed.token if seed else recreate.token_of(engine, running)
