"""Which images to build from the folders of `docker/`, in which order, and what they are called."""

import re
from collections.abc import Iterator, Mapping, Sequence

from workbench.images.spec import DockerfileBuild, ImageSpec
from workbench.labels import PROJECT
from workbench.model import Project
from workbench.plan import naming

BASE = "base"
"""The folder whose image others may be built on: it comes first."""
BUILDER = "builder"
"""A stage of this name gets a tag, so that a prune leaves its layers for the next build."""

_BUILDER_STAGE = re.compile(rf"^[ \t]*FROM[ \t]+\S.*[ \t]AS[ \t]+{BUILDER}[ \t]*$", re.IGNORECASE | re.MULTILINE)


def reference(spec: ImageSpec, project: str, user: str) -> str:
    """What an image is called: `<project>-<folder>:<user>`, with `name`, `tag` and `prefix` in their place."""
    tag = spec.tag or naming.image_tag(user)
    if not spec.prefix:
        return f"{spec.name}:{tag}"
    return f"{project}-{spec.name or naming.image_part(spec.folder or spec.key)}:{tag}"


def in_order(names: Sequence[str], *, folders: Sequence[str], base: bool) -> tuple[str, ...]:
    """The images to build, `base` first where it is wanted or one of them; each once."""
    first = (BASE,) if BASE in names or (base and BASE in folders) else ()
    return tuple(dict.fromkeys((*first, *names)))


def plan_builds(
    project: Project, specs: Sequence[ImageSpec], dockerfiles: Mapping[str, bytes], user: str, *, force: bool
) -> tuple[DockerfileBuild, ...]:
    """The builds of images, in order; those without a folder exist already. `dockerfiles`: folder -> content."""
    return tuple(
        build
        for spec in specs
        if spec.folder is not None
        for build in _builds(project, spec, spec.folder, dockerfiles[spec.folder], user, force=force)
    )


def _builds(
    project: Project, spec: ImageSpec, folder: str, dockerfile: bytes, user: str, *, force: bool
) -> Iterator[DockerfileBuild]:
    """The build of an image, after that of its builder stage where there is one."""
    how, name = spec.build, reference(spec, project.name, user)

    def build(tag: str, target: str | None) -> DockerfileBuild:
        return DockerfileBuild(
            tag=tag,
            dockerfile=f"docker/{folder}/Dockerfile",
            context=str(project.root),
            args=how.args,
            private=how.private,
            target=target,
            platform=how.platform,
            # Without the label of a workbench's image: `prune` leaves it alone.
            labels={PROJECT: f"{project.root}/docker/{folder}"},
            pull=how.pull or (force and how.pull_on_force),
            cache=how.cache,
        )

    if _BUILDER_STAGE.search(dockerfile.decode("utf-8", "replace")) and how.target != BUILDER:
        repository, _, tag = name.rpartition(":")
        yield build(f"{repository}-{BUILDER}:{tag}", BUILDER)
    yield build(name, how.target)
