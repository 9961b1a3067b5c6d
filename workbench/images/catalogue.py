"""Which images a project has, and what its files say of each. Reads the disk, writes nothing."""

import getpass
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from workbench import dependencies, toml
from workbench.errors import ConfigError
from workbench.images import cfg, table
from workbench.images.places import Variables
from workbench.images.settle import Scene, settle
from workbench.images.spec import ImageSpec, Said
from workbench.model import Project
from workbench.values import Place


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The images of a project: `folders` of `docker/` with a Dockerfile, and what is `said` of each image, by name."""

    folders: tuple[str, ...]
    said: Mapping[str, tuple[Said, ...]]

    @property
    def names(self) -> tuple[str, ...]:
        """Every image: those of folders first, in order."""
        return tuple(dict.fromkeys((*self.folders, *self.said)))

    @property
    def which(self) -> str:
        """What there is to choose from, or to do where there is nothing."""
        there = ", ".join(self.names)
        return f"There are: {there}." if there else "Make one: docker/NAME/Dockerfile, say docker/dev."

    def image(self, name: str, scene: Scene, typed: Iterable[Said] = ()) -> ImageSpec:
        """One image, for one machine; what was `typed` goes before what files say.

        Raises ConfigError for a name that is none, and for values that cannot be.
        """
        if name not in self.names:
            raise ConfigError(f"{name!r} is no image of this project.", self.which)
        return settle(name, (*self.said.get(name, ()), *typed), self.folders, scene)


def read(project: Project) -> Catalogue:
    """The images of a project. Raises ConfigError, with file and line, for what its files cannot mean."""
    return Catalogue(folders(project), said(project))


def folders(project: Project) -> tuple[str, ...]:
    """The folders of `docker/` that have a Dockerfile, in order."""
    return tuple(sorted(path.parent.name for path in project.root.glob("docker/*/Dockerfile") if path.is_file()))


def said(project: Project) -> dict[str, tuple[Said, ...]]:
    """What is said of each image, the weaker source first: `docker/dockerutils.cfg`, then the project's TOML."""
    found: dict[str, tuple[Said, ...]] = {}
    for source in (dockerutils(project), *map(table.read, toml.tables(project))):
        for name, each in ((name, each) for name, each in source.items() if each):
            found[name] = (*found.get(name, ()), *each)
    return found


def dockerutils(project: Project) -> cfg.Sections:
    """What `docker/dockerutils.cfg` says; nothing where there is none."""
    path = project.root / cfg.FILE
    if not path.is_file():
        return {}
    return cfg.read(dependencies.read_file(project.root, path).content.decode("utf-8-sig", "replace"))


def variables(project: Project, place: Place) -> Variables:
    """What the variables of dockerutils stand for in this project."""
    names = {
        "project_root": str(project.root),
        "user": place.environ.get("USER") or getpass.getuser(),
        "project": project.root.name,
        "home": str(place.home),
    }
    return Variables(names, place.environ)
