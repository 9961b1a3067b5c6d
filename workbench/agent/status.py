"""What the agent tells of a workbench: the `status` of the protocol."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench import approved, config, project, relaunch
from workbench.approved import Approved
from workbench.engines.base import Engine
from workbench.errors import EngineError, WorkbenchError
from workbench.flow import Survey, host_facts, make_plan
from workbench.model import HostFacts, Request, Running, Seed
from workbench.plan import naming
from workbench.plan.changes import what_changed
from workbench.plan.device import choose
from workbench.state import State

UNKNOWN = "What this workbench was started with is not known any more."
UNREADABLE = "the configuration cannot be read"


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a look at the machine and the project costs more than a moment to say."""

    version: str
    """The engine's."""
    obstacle: str
    """Why there is no GPU to be had; empty where there is one."""
    changes: tuple[str, ...]
    """What a launch would do differently now."""


def look(engine: Engine, running: Running, state: State, environ: Mapping[str, str]) -> Outlook:
    """Look at the machine and at the project's configuration as they are now."""
    facts = host_facts(engine, environ)
    kept = approved.read(state)
    if kept is None:
        return Outlook(facts.version, UNKNOWN, ())
    changes = _changes(engine, facts, running, state, kept, environ)
    return Outlook(facts.version, _obstacle(kept, facts), changes)


def status(running: Running, outlook: Outlook, state: State, *, made: float | None, attached: bool) -> dict[str, Any]:
    """The document."""
    kept = approved.read(state)
    page = "tree" if kept and kept.settings.classic else "lab"
    return {
        "name": running.name,
        "engine": running.engine,
        "engine_version": outlook.version,
        "dock": running.dock or None,
        "image": running.image,
        "image_created": made,
        "container": running.container,
        "started": running.started,
        "port": running.port,
        "url": f"http://{naming.local_host(running.name)}:{running.port}/{page}",
        "device": running.device,
        "gpus": running.gpus,
        "gpu": {"possible": not outlook.obstacle, "why": outlook.obstacle},
        "changes": list(outlook.changes),
        "attached": attached,
    }


def _obstacle(kept: Approved, facts: HostFacts) -> str:
    try:
        choose(relaunch.on_device(kept, "gpu"), facts)
    except EngineError as error:
        return error.message
    return ""


def _changes(
    engine: Engine, facts: HostFacts, running: Running, state: State, kept: Approved, environ: Mapping[str, str]
) -> tuple[str, ...]:
    request = Request(kept.project.root, kept.flags, jupyter=kept.jupyter, cwd=Path(kept.cwd))
    try:
        found = project.find(request.path)
        settings = config.load(found, environ, request.flags, cwd=request.cwd)
        device = approved.chosen(kept, settings)
        # What Compose makes of the project's file by now is asked at a launch only.
        known = (kept.no_pull, device, kept.companions)
        present = Survey(request, found, settings, engine, facts, state, running.name, *known)
        plan = make_plan(present, Seed("", running.port))
    except (WorkbenchError, OSError):
        return (UNREADABLE,)
    return () if plan.digest == running.plan else what_changed(state.read("plan.json"), plan)
