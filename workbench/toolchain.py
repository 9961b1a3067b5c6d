"""`workbench toolchain`: the project's images that share volumes, built, started and ended through Compose."""

import os
import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from workbench import config, consent, files, process, show
from workbench.errors import ConfigError, EngineError, NoEngineError, ProjectError, last_lines
from workbench.flow import Ui
from workbench.images import build as building
from workbench.images import listing
from workbench.images.spec import NO_GPU
from workbench.images.survey import Survey
from workbench.labels import PROJECT
from workbench.model import Companions, Settings, Toolchain
from workbench.plan import device, image_commands, images, naming, trust
from workbench.plan import toolchain as planning
from workbench.plan.device import Choice
from workbench.plan.toolchain import Place, Tool
from workbench.plan.user import container_user
from workbench.plan.words import Command, pairs
from workbench.services import beside, program

FILE = "toolchain.yaml"
"""Our document in the state folder of the project."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The toolchain of a project, on an engine."""

    found: Survey
    toolchain: Toolchain
    tools: Mapping[str, Tool]
    name: str
    """The name of the project's workbench, and the stem of what is the toolchain's."""
    settings: Settings
    environ: Mapping[str, str]

    @property
    def project(self) -> str:
        """What Compose knows it by."""
        return planning.project_name(self.name)

    def place(self, project: str) -> Place:
        """Where it runs; `project` is the path of the project's folder as a document is to have it."""
        user = container_user(self.found.facts, self.found.project.owner)
        return Place(project, user, self.found.facts, {PROJECT: str(self.found.project.root)})

    def services(self) -> Companions | None:
        """What containers have of the project's services; None where none runs."""
        found, containers = self.found, self.found.engine.services
        if containers is None or not self.settings.beside:
            return None
        companions = beside.look(
            found.project, self.settings, found.engine, found.facts, found.state, self.environ
        ).companions
        running = any(each.state == "running" for each in containers.find(companions.stack))
        return companions if running else None


@dataclass(frozen=True, slots=True)
class State:
    """A container of a toolchain as its engine has it, or that there is none."""

    name: str
    image: str
    built: bool
    container: str = ""
    state: str = ""
    """As `workbench services` says it; empty without a container."""


def ready(found: Survey, environ: Mapping[str, str]) -> Ready:
    """The toolchain of a project. Raises ConfigError where there is none, or where it names what there is not."""
    settings = config.load(found.project, environ)
    if settings.toolchain is None:
        raise ConfigError(
            "This project has no toolchain.",
            'Say which images share which volumes: [tool.workbench.toolchain.images] NAME = ["src"]',
        )
    planning.check(settings.toolchain, found.catalogue.names, settings.origins["toolchain"])
    references = found.references()
    tools = {name: _tool(found, name, volumes, references) for name, volumes in settings.toolchain.images.items()}
    return Ready(found, settings.toolchain, tools, naming.name_of(found.project), settings, environ)


def chosen(ready: Ready, names: Iterable[str]) -> tuple[str, ...]:
    """The images of these names, or all. Raises ConfigError for one that is not in the toolchain."""
    wanted = tuple(names)
    for name in wanted:
        if name not in ready.tools:
            from workbench.schema import nearest

            raise ConfigError(f"{name!r} is no image of the toolchain.", nearest(name, ready.tools))
    return wanted or tuple(ready.tools)


def up(ready: Ready, names: Iterable[str], ui: Ui, *, rebuild: bool = False, trusted: bool = False) -> None:
    """Start containers in the background, once their images are there. `rebuild`: build those in any case."""
    wanted = chosen(ready, names)
    prepare(ready, wanted, ui, rebuild=rebuild, trusted=trusted)
    for each in listing.listing(ready.found):
        if each.name in wanted and each.changed:
            ui.note(f"{each.name} is older than its files ({', '.join(each.changed)}): `--build` builds it again.")
    _carry_out(ready, up_words(wanted), ui)


def volume_commands(ready: Ready) -> list[Command]:
    """What makes the volumes in memory, by their names."""
    user, program = container_user(ready.found.facts, ready.found.project.owner), ready.found.store.name
    names = planning.in_memory(ready.toolchain, ready.tools, ready.name)
    return [planning.create_command(name, user, program) for name in names]


def up_words(names: Iterable[str]) -> Command:
    """What Compose is told."""
    return ("up", "--detach", *names)


def container_name(ready: Ready, name: str) -> str:
    """A new name for the container of one command."""
    chosen(ready, [name])
    return f"{ready.project}-{name}-{secrets.token_hex(4)}"


def run(ready: Ready, name: str, words: Command, container: str, ui: Ui, *, trusted: bool = False) -> int:
    """Do what `run_words` says of an image, with this terminal; the exit code of the command."""
    _refuse_second(ready, name)
    prepare(ready, [name], ui, trusted=trusted)
    ui.command(printed(ready, words))
    argv, env = _compose(ready, words)
    return process.attach(argv, env=env, after_signal=lambda: _end(ready, container))


def run_words(name: str, command: Command, container: str, *, tty: bool) -> Command:
    """What Compose is told."""
    return ("run", "--rm", "--no-deps", *(() if tty else ("-T",)), "--name", container, name, *command)


def down(ready: Ready, ui: Ui, *, volumes: bool = False) -> None:
    """Remove containers, networks and what was in memory; folders stay, and named volumes but for `volumes`."""
    write(ready)
    _carry_out(ready, down_words(volumes=volumes), ui)
    for name in planning.in_memory(ready.toolchain, ready.tools, ready.name):
        _drop(ready, name)


def down_words(*, volumes: bool) -> Command:
    """What Compose is told."""
    return ("down", "--remove-orphans", *(("--volumes",) if volumes else ()))


def logs(ready: Ready, names: Iterable[str], *, follow: bool, tty: bool) -> int:
    """Show what the containers have written; the exit code of Compose."""
    write(ready)
    options = (*(("--follow",) if follow else ()), *(() if tty else ("--no-color",)))
    argv, env = _compose(ready, ("logs", *options, *chosen(ready, names)), tty=tty)
    return process.attach(argv, env=env)


def states(ready: Ready) -> list[State]:
    """What there is of each image of the toolchain, commands that were started by `run` too."""
    return [state for name, tool in ready.tools.items() for state in _states(ready, name, tool)]


def export(ready: Ready, folder: Path) -> str:
    """The equal file for Compose, as it stands in `folder`."""
    found = ready.found
    tools = {name: replace(tool, device=_in_general(tool)) for name, tool in ready.tools.items()}
    every, references = dict(tools), found.references()
    waiting = [need for tool in tools.values() for need in tool.needs]
    for name in waiting:
        if name not in every:
            every[name] = _tool(found, name, (), references)
            waiting += every[name].needs
    needs = {name: tool.needs for name, tool in every.items()}
    first = images.in_order(tuple(dict.fromkeys(waiting)), folders=found.catalogue.folders, base=False, needs=needs)
    bases = {name: every[name] for name in first if name not in tools}
    way = os.path.relpath(found.project.root, folder)
    document = planning.portable(ready.toolchain, tools, bases, found.project.name, ready.place(way))
    return planning.text(document, planning.header(ready.toolchain, tools, first))


def write_export(path: Path, text: str) -> None:
    """Write an exported file. Raises ConfigError in place of replacing one that is somebody else's."""
    if path.exists() and not path.read_text(encoding="utf-8", errors="replace").startswith(planning.HEADER):
        raise ConfigError(f"{path} is there, and no export of Workbench: it stays.", "Name another file: -o FILE")
    files.replace(path, text.encode())


def prepare(ready: Ready, names: Iterable[str], ui: Ui, *, rebuild: bool = False, trusted: bool = False) -> None:
    """Have all that containers of these images need: the user's agreement, images, folders, our document."""
    found, wanted = ready.found, {name: ready.tools[name] for name in names}
    if found.scene.docked:
        raise ConfigError(
            f"The folders of this project are not on the machine that {found.store.name} is on.",
            "Use an engine of this machine: a toolchain runs nowhere else.",
        )
    for name, tool in wanted.items():
        asks = trust.asks_of_run(tool.spec, found.project.root)
        consent.agree(found.state, f"toolchain {name}", asks, found.project.root, trusted=trusted, ui=ui)
        for sentence in planning.left(found.spec(name)):
            ui.note(sentence)
    lacking = {name for name, tool in wanted.items() if rebuild or found.store.image(tool.image) is None}
    for name in lacking:
        if wanted[name].spec.folder is None:
            found.built(name, wanted[name].image)
    if to_build := tuple(name for name in wanted if name in lacking and wanted[name].spec.folder is not None):
        for reference, _ in building.build(found, building.BuildRequest(to_build, trust=trusted), ui):
            ui.note(f"Built {reference}")
    make_folders(ready, wanted)
    for each in volume_commands(ready):
        _make_volume(ready, each, ui)
    write(ready, wanted)


def make_folders(ready: Ready, tools: Mapping[str, Tool]) -> None:
    """Make the folders that are shared, as the user's. Raises ProjectError for one that is elsewhere."""
    project, facts = ready.found.project, ready.found.facts
    user = container_user(facts, project.owner)
    owner = (user.uid, user.gid) if facts.uid == 0 and not facts.desktop else None
    for folder in planning.folders(ready.toolchain, tools):
        _make(project.root, folder, owner)


def write(ready: Ready, starting: Collection[str] = ()) -> None:
    """Keep our document where Compose reads it. `starting`: the images that are about to be started.

    Their GPUs must be there, and they have the services that run.
    """
    found = ready.found
    tools = {
        name: replace(tool, device=_device(found, tool)) if name in starting else tool
        for name, tool in ready.tools.items()
    }
    place = replace(ready.place(str(found.project.root)), beside=ready.services() if starting else None)
    document = planning.own(ready.toolchain, tools, ready.name, place)
    found.state.write_text(FILE, planning.text(document))


def printed(ready: Ready, words: Command) -> Command:
    """A command of Compose as a person types it; the engine is told where it is not the usual one."""
    found = program.find(ready.found.engine)
    told = {name: value for name, value in found.env.items() if os.environ.get(name) != value}
    return (*(("env", *pairs(told)) if told else ()), *found.words, *_options(ready), *words)


def _tool(found: Survey, name: str, volumes: tuple[str, ...], references: Mapping[str, str]) -> Tool:
    spec = planning.used(found.spec(name))
    if spec.folder is None:
        return Tool(spec, found.reference(spec), volumes)
    dockerfile = (found.project.root / "docker" / spec.folder / "Dockerfile").read_bytes()
    return Tool(spec, found.reference(spec), volumes, needs=images.needs(spec, images.Folder(dockerfile), references))


def _in_general(tool: Tool) -> Choice:
    """The device of an image on whatever machine it will run."""
    wanted = tool.spec.run.device
    return Choice("gpu", wanted.ids, "request", usable=True) if wanted.kind == "gpu" else NO_GPU


def _device(found: Survey, tool: Tool) -> Choice:
    """What an image computes on here. Raises EngineError where its GPUs cannot be had by Compose."""
    choice = device.choose(tool.spec.run.device, found.facts)
    if choice.form == "cdi" and not found.facts.takes_cdi:
        raise EngineError(
            f"{found.store.name} {found.facts.version} gives GPUs to its own program only, and not to Compose.",
            f"Start it alone, `run-image {tool.spec.key}`, or use Docker: --engine docker",
        )
    return choice


def _make(root: Path, folder: str, owner: tuple[int, int] | None) -> None:
    """Make a folder of the project where it is missing, and have what was made be the owner's.

    Below a folder that others may write, no link is followed that appears meanwhile.
    """
    path = root / folder
    if not path.resolve().is_relative_to(root.resolve()):
        raise ProjectError(
            f"{path} leads out of the project, to {path.resolve()}.", "A toolchain shares folders of the project only."
        )
    if path.is_dir():
        return
    below = os.open(root, os.O_DIRECTORY)
    try:
        for part in PurePosixPath(folder).parts:
            made = _made(below, part)
            above, below = below, os.open(part, os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=below)
            os.close(above)
            if made and owner:
                os.fchown(below, *owner)
    except OSError as error:
        raise ProjectError(f"{path} cannot be made: {error.strerror}.", "What is in its way, move away.") from error
    finally:
        os.close(below)


def _made(parent: int, name: str) -> bool:
    """Make a folder; False where something of this name is there."""
    try:
        os.mkdir(name, dir_fd=parent)
    except FileExistsError:
        return False
    return True


def _drop(ready: Ready, volume: str) -> None:
    """Remove a volume that no container uses; others stay."""
    store = ready.found.store
    argv, env = store.program((store.name, "volume", "rm", volume))
    process.run(argv, env=env)


def _make_volume(ready: Ready, command: Command, ui: Ui) -> None:
    """Have a volume in memory be there, as it is wanted now unless it is in use."""
    store, name = ready.found.store, command[-1]
    _drop(ready, name)
    argv, env = store.program((store.name, "volume", "inspect", name))
    if process.run(argv, env=env).code == 0:
        return
    ui.command(command)
    argv, env = store.program(command)
    done = process.run(argv, env=env)
    if done.code:
        raise EngineError(
            f"{store.name} did not make the volume {name}.",
            "Correct what these lines name, then run the same command again.",
            detail=last_lines(done.err),
        )


def _options(ready: Ready) -> Command:
    return ("--project-name", ready.project, "--file", str(ready.found.state.folder / FILE))


def _compose(ready: Ready, words: Command, *, tty: bool = True) -> tuple[Command, dict[str, str]]:
    """The command line of Compose, and what its environment needs, the user's own values included."""
    plain = () if tty else ("--ansi", "never")
    argv, env = program.find(ready.found.engine).command(*plain, *_options(ready), *words)
    return argv, {**planning.private(ready.tools), **env}


def _carry_out(ready: Ready, words: Command, ui: Ui) -> None:
    """Have Compose do something to its end. Raises EngineError with its last words when it fails."""
    ui.command(printed(ready, words))
    argv, env = _compose(ready, words, tty=False)
    done = process.run(argv, env=env)
    if done.code:
        raise EngineError(
            f"Compose could not `{words[0]}` the toolchain.",
            "Correct what these lines name, then run the same command again.",
            detail=last_lines(done.out + done.err),
        )


def _refuse_second(ready: Ready, name: str) -> None:
    """Compose 1 ties the containers of one image together, in a way that Podman has not."""
    found = program.find(ready.found.engine)
    if ready.found.store.name == "podman" and not found.is_modern:
        containers = ready.found.engine.services
        found_ones = containers.find(ready.project, commands=True) if containers else []
        running = [each.container for each in found_ones if each.service == name and each.state == "running"]
        if running:
            raise EngineError(
                f"{running[0]} runs, and {found} cannot start a second container of {name} on Podman.",
                f"Install Compose 2, or work in the first: podman exec -it {running[0]} bash",
            )


def _end(ready: Ready, container: str) -> None:
    """End a container that is still there when its command was cut off."""
    store = ready.found.store
    with suppress(EngineError, NoEngineError, process.TookTooLong):
        if store.ports(container) is not None:
            argv, env = store.program(image_commands.stop_command(container, store.name))
            process.run(argv, env=env, timeout=60)


def _states(ready: Ready, name: str, tool: Tool) -> Iterator[State]:
    """What the engine has of one image."""
    plain = State(name, tool.image, ready.found.store.image(tool.image) is not None)
    containers = ready.found.engine.services
    found = containers.find(ready.project, commands=True) if containers else []
    mine = [each for each in found if each.service == name]
    yield from [replace(plain, container=each.container, state=show.service((each,))) for each in mine] or [plain]
