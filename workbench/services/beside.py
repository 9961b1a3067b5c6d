"""The services of a launch: what its project wants of them, who agreed, their start."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from workbench import consent
from workbench.engines.base import Engine
from workbench.errors import ConfigError, ProjectError
from workbench.model import Companions, HostFacts, Project, Settings
from workbench.plan import naming, services
from workbench.plan.digest import digest
from workbench.services import life, program, source
from workbench.services.source import Source
from workbench.state import State

if TYPE_CHECKING:
    from workbench.flow import Ui


@dataclass(frozen=True, slots=True)
class Services:
    """The services of a project on an engine, before anything is done with them."""

    project: Project
    engine: Engine
    state: State
    program: program.Program
    source: Source
    names: tuple[str, ...]
    """Those that the workbench is to have."""
    companions: Companions
    far: bool
    """Whether another machine runs them."""

    def group(self) -> life.Group:
        """What starts them, from a file that holds what was read now.

        It is called by its content: what another command reads meanwhile does not take its place.
        """
        if self.engine.services is None:
            raise AssertionError("an engine without containers has no services")
        text, root = source.written(self.source.stack), self.project.root
        file = self.state.write_text(f"compose-{digest(text)}.json", text)
        self.state.write_text(life.NO_ENV, "")
        known = (self.program, self.source.stack, root, self.source.env, file)
        return life.Group(self.engine.name, self.engine.services, *known)

    def agree(self, names: tuple[str, ...], ui: "Ui", *, trusted: bool) -> None:
        """Have the user agree to what these services, and those that they need, ask of the machine."""
        order = services.in_order(self.source.stack, names)
        asks = source.agreed(self.source, order, self.project.root, far=self.far, shared=self.companions.mounts)
        consent.agree(self.state, "services", asks, self.project.root, trusted=trusted, ui=ui)


def look(
    project: Project, settings: Settings, engine: Engine, facts: HostFacts, state: State, environ: Mapping[str, str]
) -> Services:
    """Have Compose read the project's file. Changes nothing.

    Raises NoCompose, ProjectError without a file, and ConfigError for what Compose does not take or does not have.
    """
    compose = program.find(engine)
    try:
        found = source.read(project.root, compose, environ)
    except ProjectError as error:
        said = {str(settings.origins.get(f"services.{name}", "")) for name in settings.services}
        error.hint = f"{error.hint} (Services are wanted by {', '.join(sorted(said))}.)" if said else error.hint
        raise
    if odd := [name for name in found.stack.services if name.startswith("-")]:
        # Compose would take it for an option, with which it starts more than what was agreed to.
        raise ConfigError(f"The Compose file calls a service {odd[0]!r}.", "Let its name begin with a letter.")
    if facts.dock:
        moved = services.moved(found.stack.document, str(project.root), naming.copy_of(project, facts.dock))
        found = replace(found, stack=services.stack(moved, found.stack.name))
    names = services.wanted(found.stack, settings.services, source.profiles(environ, project.root))
    companions = services.companions(found.stack, settings.services, names)
    far = facts.dock is not None or (facts.remote and not facts.desktop)
    return Services(project, engine, state, compose, found, names, companions, far)


def prepare(found: Services, ui: "Ui", *, trusted: bool) -> None:
    """What may refuse them, before anything is built: nobody agrees, or their names are another project's."""
    life.refuse_others(found.group())
    found.agree(found.names, ui, trusted=trusted)


@contextmanager
def started(found: Services, ui: "Ui") -> Iterator[None]:
    """Have the services, after `prepare`, while the workbench is started; new ones stop again if that fails."""
    group = found.group()
    new = life.up(group, found.names, found.state, ui)
    try:
        nameless = [each for each in found.companions.networks if not group.containers.has_names(each)]
        if nameless:
            ui.note(
                f"{found.engine.name} knows no names in {', '.join(nameless)}: services are reached by their addresses"
                " only. Podman needs aardvark-dns for names (with CNI: dnsname)."
            )
        yield
    except BaseException:
        life.back(group, new, found.state)
        raise
