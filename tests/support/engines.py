"""The engines seen from outside, through their own programs: what is there, whatever the product says."""

import json
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.require import require

PROJECT = "io.workbench.project"


@dataclass(frozen=True)
class Container:
    """A container that carries our labels."""

    id: str
    name: str
    state: str
    project: str
    networks: tuple[str, ...]
    volumes: tuple[str, ...]


@dataclass(frozen=True)
class Engine:
    """One engine of the set-up. `env` makes the product use it."""

    name: str
    env: Mapping[str, str] = field(default_factory=dict)
    host: str = ""
    """Empty for the local engine."""

    def docker(self, *words: str) -> str:
        """Ask the engine with the docker client (Podman answers to it as well); its standard output."""
        client = str(Path(require("docker-cli")) / "docker")
        done = subprocess.run(
            [client, "-H", self.host, *words], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )
        assert done.returncode == 0, f"docker {' '.join(words)}: {done.stderr}"
        return done.stdout

    def inspect(self, container: str) -> dict[str, Any]:
        """`docker inspect` of one container."""
        found: list[dict[str, Any]] = json.loads(self.docker("inspect", "--type", "container", container))
        return found[0]

    def containers(self) -> list[Container]:
        """All containers with our labels, in any state."""
        if not self.host:
            return []
        ids = self.docker("ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={PROJECT}").split()
        # One that goes meanwhile (another test's) is left out, not an error.
        return [found for id in ids if (found := self._container(id))]

    def remove(self, containers: Iterable[Container]) -> None:
        """Remove containers, and the volumes and networks that were theirs alone."""
        for container in containers:
            self._try("rm", "--force", "--volumes", container.id)
            for volume in container.volumes:
                self._try("volume", "rm", "--force", volume)
            for network in set(container.networks) - {"bridge", "host", "none", "podman", "workbench"}:
                self._try("network", "rm", network)

    def _container(self, id: str) -> Container | None:
        try:
            found = self.inspect(id)
        except AssertionError:
            return None
        return Container(
            id=id,
            name=found["Name"].removeprefix("/"),
            state=found["State"]["Status"],
            project=found["Config"]["Labels"][PROJECT],
            networks=tuple(found["NetworkSettings"]["Networks"] or ()),
            volumes=tuple(mount["Name"] for mount in found["Mounts"] if mount.get("Name")),
        )

    def _try(self, *words: str) -> None:
        subprocess.run(
            [str(Path(require("docker-cli")) / "docker"), "-H", self.host, *words], capture_output=True, check=False
        )


def engine(name: str) -> Engine:
    """The engine of that name, or the end of the test when it is not there."""
    if name == "local":
        return Engine("local", {"WORKBENCH_ENGINE": "local"})
    host = require(name)
    variable = {"docker": "DOCKER_HOST", "podman": "CONTAINER_HOST"}[name]
    # No registry can be reached, so a project that names no Python gets the base image that there is.
    env = {"WORKBENCH_ENGINE": name, variable: host, "WORKBENCH_BASE_IMAGE": require("base-image")}
    return Engine(name, env, host)
