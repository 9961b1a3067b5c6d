"""A launch plan as the commands that a person would type, for `--dry-run`. They work: what they read is written."""

import json
import os
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.model import ImageBuild, LaunchPlan, LocalRun, VenvBuild
from workbench.plan import commands, naming
from workbench.plan.digest import plain_fields
from workbench.plan.run import describe

if TYPE_CHECKING:
    from workbench.flow import Launched


def planned_text(launched: "Launched") -> str:
    """Notices and used files as comments, then one command per line; a shell does what a launch would."""
    plan = launched.plan
    used = f"# uses {', '.join(plan.used)}" if plan.used else "# no dependency files: Python and a kernel only"
    head = [f"# {plan.name} on {launched.survey.engine.name}", *_elsewhere(launched), used]
    return "\n".join([*head, *(f"# {notice}" for notice in plan.notices), *_lines(launched)])


def _elsewhere(launched: "Launched") -> list[str]:
    """What the commands need that are for another machine."""
    dock = launched.survey.facts.dock
    if dock is None:
        return []
    copy = naming.copy_of(launched.survey.project, dock)
    return [f"# on {dock.name}: type `source dock {dock.name}` before, and have the project there in {copy}"]


def planned_json(launched: "Launched") -> str:
    """The plan for a program; nothing secret is in it."""
    plan = launched.plan
    return json.dumps(
        {
            "name": plan.name,
            "engine": launched.survey.engine.name,
            "dock": launched.survey.facts.dock.name if launched.survey.facts.dock else None,
            "digest": plan.digest,
            "used": list(plan.used),
            "notices": list(plan.notices),
            "run": plain_fields(describe(plan.run, plan.build)),
            "commands": _lines(launched),
        }
    )


def _lines(launched: "Launched") -> list[str]:
    """Each command as a shell reads it; the delivery comes from a file (0600) that this writes."""
    plan = launched.plan
    if isinstance(plan.run, LocalRun):
        return _local(plan, plan.run)
    from workbench.engines.builder import write_context

    builds = [plan.build.before, plan.build] if isinstance(plan.build, ImageBuild) else []
    for build in builds:
        if build is not None:
            write_context(build)
    *most, last = commands.commands(plan, launched.survey.engine.name)
    delivery = launched.survey.state.keep_delivery(plan.delivery, "planned-delivery.json")
    handed = [str(delivery.stat().st_size) if word == "SIZE" else word for word in last]
    return [
        *_services(launched),
        *(line(command) for command in most),
        f"{shlex.join(handed)} < {shlex.quote(str(delivery))}",
    ]


def _services(launched: "Launched") -> list[str]:
    """What starts the services, in the project's folder."""
    services = launched.survey.services
    if services is None:
        return []
    words = services.program.words
    return [f"cd {shlex.quote(str(services.project.root))}", shlex.join([*words, "up", "-d", *services.names])]


def line(command: tuple[str, ...]) -> str:
    """A command as a shell reads it; a build by the program that can, which may not be the first on PATH."""
    if command[:2] != ("docker", "build"):
        return _joined(command)
    from workbench.engines.builder import find_program
    from workbench.engines.dialect import DOCKER

    program = find_program(DOCKER)
    usual = shutil.which("docker")
    name = "docker" if usual and Path(usual).samefile(program) else program
    return f"DOCKER_BUILDKIT=1 {_joined((name, *command[1:]))}"


def _joined(command: Sequence[str]) -> str:
    """Words as bash and zsh read them: one line, in which nothing moves the cursor."""
    return " ".join(shlex.quote(word) if word.isprintable() else _escaped(word) for word in command)


def _escaped(word: str) -> str:
    made = (
        each if each.isprintable() and each not in "'\\" else "".join(f"\\x{byte:02x}" for byte in os.fsencode(each))
        for each in word
    )
    return f"$'{''.join(made)}'"


def _local(plan: LaunchPlan, run: LocalRun) -> list[str]:
    """The server's own command; the environment is uv's work and is named by its folder."""
    made = f"# environment: {plan.build.folder}" if isinstance(plan.build, VenvBuild) else ""
    settings = [f"{name}={value}" for name, value in run.env.items()]
    return [made, f"cd {shlex.quote(run.workdir)}", shlex.join(["env", *settings, *run.argv])]
