"""What there is before anything is done with the images of a project: the project, its images, the engine."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from workbench import config, engines, flow, project
from workbench.engines.base import Engine, ImageStore
from workbench.errors import ConfigError, EngineError
from workbench.images import catalogue
from workbench.images.catalogue import Catalogue
from workbench.images.places import Variables
from workbench.images.settle import Scene
from workbench.images.spec import Image, ImageSpec, Said
from workbench.model import HostFacts, Project
from workbench.plan import images, naming
from workbench.state import State
from workbench.values import Place


@dataclass(frozen=True, slots=True)
class Survey:
    """A project with its images, on one engine."""

    project: Project
    catalogue: Catalogue
    scene: Scene
    engine: Engine
    store: ImageStore
    facts: HostFacts
    state: State

    @property
    def user(self) -> str:
        """The user's name, which images are tagged by."""
        return self.scene.variables.names["user"]

    def spec(self, name: str, typed: Iterable[Said] = ()) -> ImageSpec:
        """What is configured for an image, and what was typed instead."""
        return self.catalogue.image(name, self.scene, typed)

    def reference(self, spec: ImageSpec) -> str:
        """What an image is called."""
        return images.reference(spec, self.project.name, self.user)

    def references(self) -> dict[str, str]:
        """What each image with a folder of its own is called."""
        found = {}
        for name in self.catalogue.folders:
            try:
                found[name] = self.reference(self.spec(name))
            except ConfigError:
                # Whoever wants this one is told; for the others it has no name.
                continue
        return found

    def built(self, name: str, reference: str) -> Image:
        """An image that must be there. Raises EngineError with what makes it."""
        found = self.store.image(reference)
        if found is None:
            make = f"build-image {name}" if name in self.catalogue.folders else f"workbench pull {name}"
            raise EngineError(f"The image {reference} is not here.", f"Make it: {make}")
        return found


@contextmanager
def survey(path: Path, engine: str, environ: Mapping[str, str]) -> Iterator[Survey]:
    """Find the project, read what it says of its images, connect to an engine that has images."""
    found = project.find(path)
    listed = catalogue.read(found)
    flags = {"engine": engine} if engine else {}
    kind = config.load(found, environ, flags).engine
    connected, store = engines.with_images(kind, environ)
    try:
        facts = flow.host_facts(connected, environ)
        place = Place(found.root, Path.home(), environ)
        docked = facts.remote and not facts.desktop
        # Beyond dockerutils: who the user is inside, where a rootless engine has them as root, and how the project's
        # other images are called.
        inside = {"uid": 0, "gid": 0} if facts.rootless else {"uid": facts.uid, "gid": facts.gid}
        scene = Scene(place, _more(catalogue.variables(found, place), inside), docked)
        state = State.of(naming.name_of(found))
        plain = Survey(found, listed, scene, connected, store, facts, state)
        called = {f"{re.sub('[^A-Za-z0-9]', '_', name)}_image": image for name, image in plain.references().items()}
        yield replace(plain, scene=replace(scene, variables=_more(scene.variables, called)))
    finally:
        connected.close()


def _more(variables: Variables, names: Mapping[str, object]) -> Variables:
    return replace(variables, names={**variables.names, **{name: str(value) for name, value in names.items()}})


def require_names(listed: Catalogue, names: Iterable[str]) -> tuple[str, ...]:
    """Names of images; raises ConfigError that tells which there are when none is given."""
    wanted = tuple(names)
    if not wanted:
        raise ConfigError("Which image?", listed.which)
    return wanted


def environment() -> Mapping[str, str]:
    """This process's environment."""
    return os.environ
