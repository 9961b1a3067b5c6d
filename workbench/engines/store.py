"""The images of Docker or Podman: built by its own program, pushed, pulled and saved through its API."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from workbench.engines import builder, images, registries, report
from workbench.engines.dialect import Dialect
from workbench.engines.failures import Absent
from workbench.engines.sockets import Address
from workbench.images.spec import DockerfileBuild, Image, Login
from workbench.model import EngineName, Event

if TYPE_CHECKING:
    from workbench.engines.sdk import Client


class DockerStore:
    """An `ImageStore` over the connection of an engine."""

    def __init__(self, client: "Client", dialect: Dialect, address: Address) -> None:
        self._client, self._dialect, self._address = client, dialect, address
        self.name: EngineName = dialect.name

    def build(self, build: DockerfileBuild) -> Iterator[Event]:
        """By BuildKit, or Podman's own builder."""
        return builder.build_dockerfile(build, self._dialect, self._address)

    def image(self, reference: str) -> Image | None:
        """An image by name or id."""
        try:
            return _image(self._client.image(reference))
        except Absent:
            return None

    def labelled(self, label: str) -> list[Image]:
        """One call for the list, and one for each."""
        found = self._client.images(filters={"label": label})
        return [image for entry in found if (image := self.image(entry["Id"]))]

    def tag(self, reference: str, name: str) -> None:
        """`docker tag`."""
        self._client.tag(reference, *images.split(name), force=True)

    def remove(self, reference: str) -> None:
        """`docker rmi`."""
        self._client.remove_image(reference)

    def push(self, reference: str, login: Login | None = None) -> Generator[Event, None, str]:
        """With progress in bytes over all layers."""
        return registries.push(self._client, reference, login)

    def pull(self, reference: str, login: Login | None = None) -> Iterator[Event]:
        """The same for the other direction."""
        return registries.pull(self._client, reference, login)

    def save(self, reference: str) -> Iterator[bytes]:
        """Straight from the engine, which keeps nothing of it."""
        yield from self._client.guarded(self._client.get_image(reference))

    def program(self, argv: Sequence[str]) -> tuple[tuple[str, ...], Mapping[str, str]]:
        """`docker` finds the engine by its environment, `podman` by an option."""
        if self._dialect.name == "podman":
            return (argv[0], *self._dialect.remote, self._address.url, *argv[1:]), {}
        return tuple(argv), self._address.environment

    def ports(self, container: str) -> Mapping[str, str] | None:
        """From the engine's own account of the container."""
        try:
            found = self._client.inspect_container(container)
        except Absent:
            return None
        bound = (found["NetworkSettings"].get("Ports") or {}).items()
        if not found["State"]["Running"]:
            return None
        return {
            port: f"{places[0]['HostIp'] or '127.0.0.1'}:{places[0]['HostPort']}" for port, places in bound if places
        }


def _image(entry: Mapping[str, Any]) -> Image:
    """An image as `inspect` has it. Podman writes `localhost/` before short names, and no `sha256:` before ids."""
    configuration = entry.get("Config") or {}
    id = str(entry["Id"])
    return Image(
        id=id if id.startswith("sha256:") else f"sha256:{id}",
        tags=tuple(tag.removeprefix("localhost/") for tag in entry.get("RepoTags") or () if "<none>" not in tag),
        digests=tuple(digest.removeprefix("localhost/") for digest in entry.get("RepoDigests") or ()),
        size=int(entry.get("Size") or 0),
        made=report.seconds(entry.get("Created") or ""),
        layers=tuple((entry.get("RootFS") or {}).get("Layers") or ()),
        labels=configuration.get("Labels") or {},
        user=configuration.get("User") or "",
    )
