"""`workbench images`: what the images of a project are, and what changed since each was built."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from workbench.errors import ConfigError
from workbench.images import build, context
from workbench.images.spec import Image
from workbench.images.survey import Survey
from workbench.labels import INPUTS
from workbench.plan.digest import changes


@dataclass(frozen=True, slots=True)
class Listed:
    """One image of a project. `image` None: it is not here. `changed`: what differs from what it was built from."""

    name: str
    reference: str
    image: Image | None = None
    changed: tuple[str, ...] = ()
    problem: str = ""
    """Why nothing can be said of it."""


def listing(found: Survey) -> Iterator[Listed]:
    """Every image of the project, those of folders first."""
    for name in found.catalogue.names:
        try:
            spec = found.spec(name)
        except ConfigError as error:
            yield Listed(name, "-", problem=error.message)
            continue
        reference = found.reference(spec)
        image = found.store.image(reference)
        yield Listed(name, reference, image, _changed(found, spec.folder, image) if image and spec.folder else ())


def _changed(found: Survey, folder: str, image: Image) -> tuple[str, ...]:
    """What differs; of a synthetic image, of the one that it is made from."""
    try:
        before = json.loads(image.labels.get(INPUTS, "null"))
    except ValueError:
        before = None
    if not isinstance(before, dict):
        return ("what it was built from is not known: it was not built by build-image",)
    root = found.project.root
    content = (root / "docker" / folder / "Dockerfile").read_bytes()
    now = build.inputs(found, found.spec(folder), content, context.survey(root, folder))
    # One that only came with the build is not known; one that is gone makes nothing old.
    told = {name: each for name, each in now.items() if name in before or not context.is_base(name)}
    return changes({name: each for name, each in before.items() if name in now or not context.is_base(name)}, told)
