"""Which images to build from the folders of `docker/`, in which order, and what they are called."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter

from workbench.errors import ConfigError
from workbench.images.spec import BuildSpec, DockerfileBuild, ImageSpec
from workbench.labels import INPUTS, OWNER, PROJECT
from workbench.model import Project, Secret
from workbench.plan import dockerfile, naming

BASE = "base"
"""The folder whose image others may be built on: it comes first."""
BUILDER = "builder"
"""A stage of this name gets a tag, so that a prune leaves its layers for the next build."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of `docker/`: its Dockerfile, and what its build is made from (see `images.context`)."""

    dockerfile: bytes
    inputs: Mapping[str, str] = field(default_factory=dict)


def reference(spec: ImageSpec, project: str, user: str) -> str:
    """What an image is called: `<project>-<folder>:<user>`, with `name`, `tag` and `prefix` in their place."""
    tag = spec.tag or naming.image_tag(user)
    if not spec.prefix:
        return f"{spec.name}:{tag}"
    return f"{project}-{spec.name or naming.image_part(spec.folder or spec.key)}:{tag}"


def builder_reference(reference: str) -> str:
    """What the image of the builder stage is called."""
    repository, _, tag = reference.rpartition(":")
    return f"{repository}-{BUILDER}:{tag}"


def in_order(
    names: Sequence[str], *, folders: Collection[str], base: bool, needs: Mapping[str, Collection[str]] | None = None
) -> tuple[str, ...]:
    """The images to build, each once: `base` first where it is wanted or one of them, then what others `need`.

    Raises ConfigError for images that are built on each other.
    """
    first = (BASE,) if BASE in names or (base and BASE in folders) else ()
    wanted = tuple(dict.fromkeys((*first, *names)))
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for name in wanted:
        before = [each for each in wanted if each != name and each in (needs or {}).get(name, ())]
        sorter.add(name, *before, *(each for each in first if each != name))
    try:
        return tuple(sorter.static_order())
    except CycleError as error:
        circle = " on ".join(error.args[1])
        raise ConfigError(
            f"Images of docker/ are built on each other: {circle}.", "Correct the FROM line of one of them."
        ) from error


def needs(spec: ImageSpec, folder: Folder, references: Mapping[str, str]) -> tuple[str, ...]:
    """The project's images that an image is built on. `references`: what each image of the project is called."""
    named = set(dockerfile.bases(folder.dockerfile, {**spec.build.args, **spec.build.private}))
    return tuple(name for name, reference in references.items() if reference in named and name != spec.key)


def pulls(build: BuildSpec, *, force: bool, pull: bool) -> bool:
    """Whether newer images to start from are looked for."""
    return pull or build.pull or (force and build.pull_on_force)


def plan_builds(
    project: Project,
    specs: Sequence[ImageSpec],
    folders: Mapping[str, Folder],
    user: str,
    *,
    owner: str,
    force: bool = False,
    pull: bool = False,
    secrets: Sequence[Secret] = (),
    proxies: Mapping[str, str] | None = None,
) -> tuple[DockerfileBuild, ...]:
    """The builds of images, in order; those without a folder exist already.

    `user` is in the names of the images, `owner` (a user id) in their labels. `force` and `pull`: what was asked for.
    `secrets`: what a Dockerfile may read by naming it. `proxies`: variables that every builder takes without a word in
    the Dockerfile, and keeps out of the image.
    """
    return tuple(
        build
        for spec in specs
        if spec.folder is not None
        for build in _builds(
            project,
            spec,
            spec.folder,
            folders[spec.folder],
            user,
            owner=owner,
            pull=pulls(spec.build, force=force, pull=pull),
            secrets=secrets,
            proxies=proxies or {},
        )
    )


def _builds(
    project: Project,
    spec: ImageSpec,
    folder: str,
    found: Folder,
    user: str,
    *,
    owner: str,
    pull: bool,
    secrets: Sequence[Secret],
    proxies: Mapping[str, str],
) -> Iterator[DockerfileBuild]:
    """The build of an image, after that of its builder stage where there is one."""
    how, name = spec.build, reference(spec, project.name, user)

    def build(tag: str, target: str | None) -> DockerfileBuild:
        return DockerfileBuild(
            tag=tag,
            dockerfile=f"docker/{folder}/Dockerfile",
            context=str(project.root),
            args=how.args,
            private={**proxies, **how.private},
            target=target,
            platform=how.platform,
            network=how.network,
            # Without the label of a workbench's image, whose digest says whether to build: this is asked for.
            labels={
                OWNER: owner,
                PROJECT: f"{project.root}/docker/{folder}",
                **({INPUTS: json.dumps(found.inputs, sort_keys=True, separators=(",", ":"))} if found.inputs else {}),
            },
            secrets=tuple(secret for secret in secrets if f"id={secret.id}".encode() in found.dockerfile),
            pull=pull,
            cache=how.cache,
        )

    if BUILDER in map(str.lower, dockerfile.stages(found.dockerfile)) and how.target != BUILDER:
        yield build(builder_reference(name), BUILDER)
    yield build(name, how.target)
