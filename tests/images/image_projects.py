"""Projects with images, for the tests of this room."""

from collections.abc import Mapping
from pathlib import Path

from workbench import project
from workbench.images import catalogue
from workbench.images.settle import Scene
from workbench.images.spec import ImageSpec
from workbench.model import Project
from workbench.values import Place

CFG = "docker/dockerutils.cfg"
ENVIRON = {"USER": "ada", "DATA": "/da ta", "KEY": "s3 --privileged -v /:/host"}


def written(root: Path, files: Mapping[str, str], folders: tuple[str, ...] = ("dev",)) -> Project:
    """A project of these files, with a Dockerfile in each folder of `docker/`."""
    for name, text in {**files, **{f"docker/{folder}/Dockerfile": "FROM scratch\n" for folder in folders}}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, newline="")
    return project.find(root, home=Path("/nowhere/home"))


def scene(found: Project, *, docked: bool = False, environ: Mapping[str, str] = ENVIRON) -> Scene:
    place = Place(found.root, found.root / "home", environ)
    return Scene(place, catalogue.variables(found, place), docked)


def image(
    root: Path, text: str, name: str = "dev", *, file: str = CFG, docked: bool = False, **more: object
) -> ImageSpec:
    """The image of a project with one configuration file."""
    found = written(root, {file: text}, **more)  # type: ignore[arg-type]
    return catalogue.read(found).image(name, scene(found, docked=docked))
