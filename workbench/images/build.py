"""`build-image`: the builds of a project's images, with what surrounds them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from workbench import consent, files, hostnet, process, show
from workbench.engines.failures import Absent
from workbench.errors import ConfigError, EngineError, ProjectError
from workbench.flow import Ui
from workbench.images import context, version
from workbench.images.context import Context
from workbench.images.spec import DockerfileBuild, Image, ImageSpec, Said
from workbench.images.survey import Survey
from workbench.labels import BUILD, PROJECT
from workbench.model import Event
from workbench.plan import dockerfile, image_commands, images, trust
from workbench.plan.build import secrets
from workbench.plan.words import Command

ALL = "all"
TEMPLATE, PIP = "pip.conf.template", "pip.conf"
MADE = b"# Made from pip.conf.template for the time of a build.\n"
KEPT = 6
"""Last lines of a script that an error shows."""


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """One command line. `typed` stands in the place of what files say of the named images."""

    names: tuple[str, ...]
    typed: tuple[Said, ...] = ()
    base: bool = False
    """Whether the base is built along, and newer images that it starts from are looked for where that is configured."""
    pull: bool = False
    trust: bool = False


@dataclass(frozen=True, slots=True)
class Planned:
    """An image to build: its builds in order, and what they send."""

    spec: ImageSpec
    builds: tuple[DockerfileBuild, ...]
    context: Context

    @property
    def reference(self) -> str:
        """What it will be called."""
        return self.builds[-1].tag


def order(found: Survey, request: BuildRequest) -> tuple[ImageSpec, ...]:
    """What to build, in order: also the project's images that others start from and that are not here."""
    names = found.catalogue.folders if ALL in request.names else request.names
    typed = request.typed
    if len(names) != 1 and any(said.key == "name" for said in typed):
        raise ConfigError("One name cannot be given to several images.", "Take `--image-name` with a single image.")
    if not names:
        raise ConfigError("This project has no images to build.", "Make one: docker/NAME/Dockerfile, say docker/dev.")
    references, specs, needs = found.references(), dict[str, ImageSpec](), dict[str, tuple[str, ...]]()
    waiting = list(names)
    while waiting:
        name = waiting.pop(0)
        specs[name] = spec = _with_folder(found, found.spec(name, typed if name in names else ()))
        needs[name] = images.needs(spec, images.Folder(_dockerfile(found, spec)), references)
        lacking = (each for each in needs[name] if each not in (*specs, *waiting))
        waiting += [each for each in lacking if found.store.image(references[each]) is None]
    folders = found.catalogue.folders
    in_order = images.in_order(tuple(specs), folders=folders, base=request.base, needs=needs)
    return tuple(specs[name] if name in specs else _with_folder(found, found.spec(name)) for name in in_order)


def plan(found: Survey, spec: ImageSpec, request: BuildRequest) -> Planned:
    """The builds of one image, as the project is now."""
    folder, content = spec.folder or "", _dockerfile(found, spec)
    seen = context.survey(found.project.root, folder)
    if images.needs(spec, images.Folder(content), found.references()):
        # No registry has what it starts from.
        spec = replace(spec, build=replace(spec.build, pull=False, pull_on_force=False))
        request = replace(request, pull=False)
    made_from = inputs(found, spec, content, seen)
    if images.pulls(spec.build, force=request.base, pull=request.pull):
        # What is here is not what it will start from.
        made_from = {name: each for name, each in made_from.items() if not context.is_base(name)}
    builds = images.plan_builds(
        found.project,
        [spec],
        {folder: images.Folder(content, made_from)},
        found.user,
        owner=str(found.facts.uid),
        force=request.base,
        pull=request.pull,
        secrets=secrets(found.facts, str(found.state.folder)),
        proxies=hostnet.proxies(found.facts.network.env),
    )
    return Planned(spec, builds, seen)


def inputs(found: Survey, spec: ImageSpec, content: bytes, seen: Context) -> dict[str, str]:
    """What an image would be made from now."""
    args = {**spec.build.args, **spec.build.private}
    # What is there for the time of the build only is told by its template.
    seen = Context(tuple(entry for entry in seen.entries if not _is_passing(found.project.root, entry.path)))
    bases = {name: image.id for name in dockerfile.bases(content, args) if (image := found.store.image(name))}
    return context.inputs(found.project.root, spec.folder or "", seen, spec.build, bases)


def build(found: Survey, request: BuildRequest, ui: Ui) -> Iterator[tuple[str, Image]]:
    """Build each image; what it is called, and what it became. Stops at the first that fails."""
    root = found.project.root
    specs = order(found, request)
    for spec in specs:
        asks = trust.asks_of_build(spec)
        consent.agree(found.state, f"build {spec.key}", asks, root, trusted=request.trust, ui=ui)
    _keep_network(found)
    _write_version(found, ui)
    with pip_conf(root):
        for spec in specs:
            _script(spec.build.before, "before the build", root, ui)
            planned = plan(found, spec, request)
            _tell(planned, ui)
            for each in planned.builds:
                ui.command(image_commands.build_command(each, found.store.name))
                ui.work(found.store.build(each))
            _script(spec.build.after, "after the build", root, ui)
            made = found.store.image(planned.reference)
            if made is None:
                raise EngineError(f"The image {planned.reference} is gone.", "Somebody removed it: build it again.")
            yield planned.reference, made


def clean(found: Survey, ui: Ui) -> Iterator[str]:
    """Remove the project's images, builder stages and replaced ones too; what went. Those in use stay, and are named.

    Nothing goes that this project's builds did not make.
    """
    for name in own_images(found):
        ui.command(image_commands.remove_command(name, found.store.name))
        try:
            found.store.remove(name)
        except Absent:
            # It went with another one.
            continue
        except EngineError as error:
            ui.note(f"{name} stays: {error.message}")
        else:
            yield name


def own_images(found: Survey) -> Iterator[str]:
    """What this project's builds made, by name; by id where another image has taken the name."""
    mine = f"{found.project.root}/docker/"
    for image in found.store.labelled(PROJECT):
        if image.labels[PROJECT].startswith(mine) and BUILD not in image.labels:
            yield from image.tags or (image.id,)


def _with_folder(found: Survey, spec: ImageSpec) -> ImageSpec:
    if spec.folder is None:
        raise ConfigError(
            f"{spec.key!r} has no Dockerfile: it is the image {found.reference(spec)}, which exists already.",
            f"`run-image {spec.key}` starts it, `workbench pull {spec.key}` fetches it.",
        )
    return spec


def _dockerfile(found: Survey, spec: ImageSpec) -> bytes:
    return (found.project.root / "docker" / (spec.folder or "") / "Dockerfile").read_bytes()


def _keep_network(found: Survey) -> None:
    """Where builds find the proxies and indexes as a secret: see `plan.build.secrets`."""
    env = found.facts.network.env
    if env:
        found.state.write_text("network.env", "".join(f"{name}={value}\n" for name, value in sorted(env.items())))


def _write_version(found: Survey, ui: Ui) -> None:
    """`genversion`, for images that have no `.git`. Where git cannot tell, the build may still do without."""
    wanted = version.source({file.name: file.content for file in found.project.dependencies})
    if wanted is None or not (found.project.root / ".git").exists():
        return
    try:
        written = version.generate(found.project)
    except ProjectError as error:
        ui.note(f"No version for the image: {error.message} {error.hint}")
        return
    if written:
        ui.note(f"Version for images without .git: {written[1]} (in {written[0]})")


@contextmanager
def pip_conf(root: Path) -> Iterator[None]:
    """`pip.conf` from `pip.conf.template` while images are built, where the project has none of its own."""
    template, target = root / TEMPLATE, root / PIP
    if not template.is_file():
        yield
        return
    with files.shared(root) as nobody_else:
        if os.path.lexists(target) and not _is_made(root):
            yield
            return
        try:
            # Who may read the template may read the copy.
            files.replace(target, MADE + template.read_bytes(), mode=template.stat().st_mode)
            yield
        finally:
            if nobody_else():
                target.unlink(missing_ok=True)


def _is_passing(root: Path, path: str) -> bool:
    """Whether a file of the context is the copy of the template, or becomes that in another command just now."""
    return (path == PIP and _is_made(root)) or path.startswith(f".{PIP}.")


def _is_made(root: Path) -> bool:
    """Whether the project's `pip.conf` is a copy of its template."""
    target = root / PIP
    try:
        return not target.is_symlink() and target.read_bytes().startswith(MADE)
    except OSError:
        return False


def _tell(planned: Planned, ui: Ui) -> None:
    """How much a build may send, and what to do where that is much."""
    seen = planned.context
    number = f"{len(seen.entries)} file{'s' if len(seen.entries) > 1 else ''}"
    ui.note(f"{planned.reference}: context {show.size(seen.size)}, {number}")
    if seen.size > context.LARGE:
        most = ", ".join(f"{name} {show.size(size)}" for name, size in seen.largest)
        ui.note(f"That is much to send: {most}. Name in .dockerignore what the image does not need.")


def _script(words: Command, when: str, root: Path, ui: Ui) -> None:
    """Run a command of the user's in the project's folder. Raises EngineError with its last lines when it fails."""
    if not words:
        return
    last: list[str] = []
    code = 0

    def events() -> Iterator[Event]:
        nonlocal code
        name = f"{' '.join(words)} ({when})"
        yield Event("step", name, when)
        lines = process.lines(words, cwd=root)
        try:
            while True:
                line = next(lines)
                last[:] = [*last, line][-KEPT:]
                yield Event("output", line, when)
        except StopIteration as end:
            code = end.value
        finally:
            lines.close()
        yield Event("failed" if code else "done", name, when, seconds=None if code else 0)

    ui.command(words)
    try:
        ui.work(events())
    except (OSError, process.ProgramMissing) as error:
        why = error.message if isinstance(error, process.ProgramMissing) else f"{words[0]}: {error.strerror}."
        raise EngineError(
            f"The script {when} cannot be run: {why}", "Have it begin with `#!/bin/sh` and be executable: chmod +x."
        ) from error
    if code:
        raise EngineError(
            f"The script {when} ended with exit code {code}: {words[0]}", "Correct it, then build again.", detail=last
        )
