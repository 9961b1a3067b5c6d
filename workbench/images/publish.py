"""`publish-image` and `workbench pull`: images to a registry and back."""

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass

from workbench import consent
from workbench.errors import ConfigError
from workbench.flow import Ui
from workbench.images.spec import ImageSpec, Login, Said
from workbench.images.survey import Survey
from workbench.model import Event
from workbench.plan import image_commands
from workbench.plan.publication import Publication, publication, registry, wants_aws
from workbench.plan.words import Command


@dataclass(frozen=True, slots=True)
class PublishRequest:
    """One command line: which image, and the name in a registry that was typed, if any."""

    image: str
    typed: tuple[Said, ...] = ()
    to: str | None = None
    trust: bool = False


@dataclass(frozen=True, slots=True)
class Published:
    """An image in a registry."""

    image: str
    reference: str
    digest: str

    @property
    def pinned(self) -> str:
        """The name by which exactly this one can be pulled."""
        return f"{self.reference.partition('@')[0].rpartition(':')[0]}@{self.digest}"


def target(found: Survey, request: PublishRequest) -> tuple[ImageSpec, Publication]:
    """Where an image is published."""
    spec = found.spec(request.image, request.typed)
    if request.to:
        return spec, Publication(request.to if ":" in request.to.rpartition("/")[2] else f"{request.to}:latest")
    return spec, publication(spec, found.reference(spec), _names(found, spec), found.scene.variables.environ)


def commands(found: Survey, request: PublishRequest) -> tuple[Command, ...]:
    """What a person would type, once logged in."""
    spec, where = target(found, request)
    program = found.store.name
    return (
        image_commands.tag_command(found.reference(spec), where.reference, program),
        image_commands.push_command(where.reference, program),
    )


def publish(found: Survey, request: PublishRequest, ui: Ui) -> Published:
    """Push the image under its name in the registry."""
    spec, where = target(found, request)
    if where.reads:
        asks = (f"See the value of your environment variable {', '.join(where.reads)} (in publication-tag).",)
        consent.agree(found.state, f"publish {spec.key}", asks, found.project.root, trusted=request.trust, ui=ui)
    local = found.reference(spec)
    found.built(spec.key, local)
    login = _aws(where, ui) if wants_aws(spec) and not request.to else None
    for command in commands(found, request):
        ui.command(command)
    found.store.tag(local, where.reference)
    pushed = _Pushed(found.store.push(where.reference, login))
    ui.work(iter(pushed))
    return Published(local, where.reference, pushed.digest)


def pull(found: Survey, request: PublishRequest, ui: Ui) -> str:
    """Have the published image, or the one that exists already, under its name here; that name."""
    spec = found.spec(request.image, request.typed)
    local = found.reference(spec)
    exists = not spec.prefix and spec.folder is None and not request.to
    where = local if exists else target(found, request)[1].reference
    login = None
    if wants_aws(spec) and not request.to and not exists:
        from workbench.images import ecr

        login = ecr.login(registry(where))
    ui.command(image_commands.pull_command(where, found.store.name))
    ui.work(found.store.pull(where, login))
    if where != local:
        ui.command(image_commands.tag_command(where, local, found.store.name))
        found.store.tag(where, local)
    return local


class _Pushed:
    """The events of a push, and the digest that it ends with."""

    digest = ""

    def __init__(self, events: Generator[Event, None, str]) -> None:
        self._events = events

    def __iter__(self) -> Iterator[Event]:
        self.digest = yield from self._events


def _names(found: Survey, spec: ImageSpec) -> Mapping[str, str]:
    """What the variables of a publication tag stand for, but for the image's own."""
    names = {"user": found.user}
    if not wants_aws(spec):
        if any(f"{{{name}}}" in (spec.publication_tag or "") for name in ("account", "region")):
            where = spec.origins.get("publication-tag", "publication-tag")
            raise ConfigError(
                f"{where}: {{account}} and {{region}} are those of AWS.", "Add image_repo=aws, or write them out."
            )
        return names
    from workbench.images import ecr

    account = ecr.account()
    return {**names, "account": account.id, "region": account.region}


def _aws(where: Publication, ui: Ui) -> Login:
    """A login at AWS, and a repository for the image."""
    from workbench.images import ecr

    login = ecr.login(where.registry)
    if ecr.have_repository(where.repository):
        ui.note(f"Made the repository {where.repository} at {where.registry}.")
    return login
