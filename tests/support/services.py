"""A project with services beside it, as somebody types it, and what the engine has of them."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from support.person import Environment, Person, Result, Workbench, workbench
from support.require import require

COMPOSE = "com.docker.compose."
IDLE: Mapping[str, Any] = {"image": "BASE", "init": True, "command": ["sleep", "100000"]}
"""A service that is there, and does nothing. `BASE` is the image that every engine has."""


@dataclass(frozen=True)
class Beside:
    """A project of somebody's whose Compose file is `text`."""

    me: Person
    root: Path

    def write(self, said: str | Mapping[str, Any], settings: str = "") -> None:
        """Write its Compose file, or the services of one; and what pyproject.toml says."""
        text = said if isinstance(said, str) else yaml.safe_dump({"services": dict(said)})
        self.me.write(self.root / "compose.yaml", text.replace("BASE", require("base-image")))
        self.me.write(self.root / "pyproject.toml", settings)

    def launch(self, *options: str, env: Environment | None = None) -> Workbench:
        """`run-notebook -d --json`; fails the test when that fails."""
        return workbench(self.run("--json", *options, env=env).ok().json())

    def run(self, *options: str, env: Environment | None = None) -> Result:
        """`run-notebook -d`."""
        return self.me.run("run-notebook", "-d", *options, cwd=self.root, env=env)

    def workbench(self, *words: str, env: Environment | None = None) -> Result:
        """`workbench …`."""
        return self.me.run("workbench", *words, cwd=self.root, env=env)

    def services(self, *words: str, env: Environment | None = None) -> Result:
        """`workbench services …`."""
        return self.workbench("services", *words, env=env)

    def compose(self, *words: str) -> Result:
        """`docker compose …`, as somebody does who does not know Workbench."""
        return self.me.run("docker", "compose", *words, cwd=self.root).ok()

    def container(self, service: str) -> dict[str, Any]:
        """What the engine has of a service's only container."""
        marks = (f"label={COMPOSE}project={self.root.name}", f"label={COMPOSE}service={service}")
        [id] = self.me.engine.docker("ps", "-aq", *(word for mark in marks for word in ("--filter", mark))).split()
        return self.me.engine.inspect(id)

    def states(self) -> dict[str, str]:
        """Each service that has a container, and what that does: `running`, `exited` …"""
        form = f'{{{{.Label "{COMPOSE}service"}}}} {{{{.State}}}}'
        wanted = ("--filter", f"label={COMPOSE}project={self.root.name}", "--format", form)
        return dict(line.split() for line in self.me.engine.docker("ps", "-a", *wanted).splitlines())

    def up(self) -> set[str]:
        """The services that run."""
        return {name for name, state in self.states().items() if state == "running"}

    def clear(self) -> None:
        """Remove all that the engine has of the services. What a test that was cut off left goes too."""
        for kind, words in (("container", ("rm", "-fv")), ("network", ("rm",)), ("volume", ("rm", "-f"))):
            wanted = ("--filter", f"label={COMPOSE}project={self.root.name}", "-q")
            listed = self.me.engine.docker(kind, "ls", *(["-a"] if kind == "container" else []), *wanted)
            for each in listed.split():
                self.me.engine.docker(kind, *words, each)


def beside(me: Person, name: str) -> Beside:
    """A project of that name, of which the engine has nothing."""
    found = Beside(me, me.project("notebooks-only", name=name))
    found.clear()
    return found


def with_compose(me: Person, *, on_path: bool = False) -> Person:
    """Somebody who has Compose 2 as the plugin of their `docker`, or before Debian's version 1 on PATH.

    Who has neither has that version 1.
    """
    if on_path:
        path = os.pathsep.join([require("compose"), me.environment({})["PATH"]])
        me.engine = replace(me.engine, env={**me.engine.env, "PATH": path})
        return me
    plugin = me.home / ".docker/cli-plugins/docker-compose"
    plugin.parent.mkdir(parents=True)
    plugin.symlink_to(Path(require("compose")) / "docker-compose")
    me.give(me.home)
    return me
