"""The containers of services on Docker or Podman: made by Compose, looked at and stopped through the engine's API."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from workbench.engines import report, streams
from workbench.engines.dialect import PODMAN, Dialect
from workbench.engines.failures import Absent, InUse
from workbench.engines.links import refuse_links
from workbench.engines.sockets import Address
from workbench.labels import COMPOSE
from workbench.model import ServiceState

if TYPE_CHECKING:
    from workbench.engines.sdk import Client

GRACE = 10
"""Seconds that Docker gives a container which says nothing of its own."""


class DockerServices:
    """`ServiceContainers` over the connection of an engine."""

    def __init__(self, client: "Client", dialect: Dialect, address: Address) -> None:
        self._client, self._dialect = client, dialect
        plain = {"DOCKER_HOST": address.url}
        self.environment: Mapping[str, str] = plain if dialect is PODMAN else address.environment

    def find(self, stack: str, *, commands: bool = False) -> list[ServiceState]:
        """One list call, and a look at each."""
        wanted = [f"{COMPOSE}project={stack}"]
        found = []
        for entry in self._client.containers(all=True, filters={"label": wanted}):
            # Gone since the list was made: then it is not found.
            with suppress(Absent):
                found.append(report.service(self._client.inspect_container(entry["Id"])))
        wanted_ones = (each for each in found if each.service and (commands or not each.command))
        return sorted(wanted_ones, key=lambda each: (each.service, each.container))

    def has_names(self, network: str) -> bool:
        """Docker has them in every network of Compose's; Podman where a program for it is installed."""
        return self._dialect is not PODMAN or self._client.has_names(network)

    def look(self, id: str) -> None:
        """Podman has systemd run the checks, which containers and many servers do not have."""
        if self._dialect is PODMAN:
            with suppress(Absent, InUse):
                self._client.check_health(id)

    def stop(self, id: str) -> None:
        """As long as the container itself asks for."""
        with suppress(Absent):
            self._client.stop(id, timeout=self._grace(id))

    def restart(self, id: str) -> None:
        """The same container again, stopped first: while it runs it could still change what it is started with."""
        found = self._client.inspect_container(id)
        self.stop(id)
        mounted = (mount["Source"] for mount in found["Mounts"] if mount["Type"] == "bind")
        refuse_links(mounted, report.service(found).folder)
        self._client.start(id)

    def logs(self, id: str, *, follow: bool = False, tail: int | None = None) -> Iterator[str]:
        """Both output streams in the order of their coming."""
        return streams.log(self._client, self._dialect, id, follow=follow, tail=tail)

    def _grace(self, id: str) -> int:
        found = self._client.inspect_container(id)["Config"].get("StopTimeout")
        return GRACE if found is None else int(found)
