"""Projects with images, as somebody has them, and what the engines have of them."""

import json
import random
import re
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.engines import PROJECT
from support.person import Environment, Person, Result
from support.require import require

CFG = "docker/dockerutils.cfg"


@dataclass(frozen=True)
class Images:
    """A project of somebody's, and what is typed in it."""

    me: Person
    root: Path

    def write(self, files: Mapping[str, str]) -> None:
        """Write files of the project. `BASE` in a Dockerfile is the image that every engine has."""
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace("BASE", require("base-image")) if path.name == "Dockerfile" else text)
        self.me.give(self.root)

    def build(self, *words: str, env: Environment | None = None) -> Result:
        """`build-image …`."""
        return self.me.run("build-image", *words, cwd=self.root, env=env)

    def run(self, *words: str, env: Environment | None = None) -> Result:
        """`run-image …`."""
        return self.me.run("run-image", *words, cwd=self.root, env=env)

    def workbench(self, *words: str, env: Environment | None = None) -> Result:
        """`workbench …`."""
        return self.me.run("workbench", *words, cwd=self.root, env=env)

    def listed(self) -> dict[str, Any]:
        """What `workbench images --json` says of each image."""
        return {each["name"]: each for each in self.workbench("images", "--json").ok().json()}

    @property
    def user(self) -> str:
        """The tag of images."""
        return self.me.environment({})["USER"]

    def reference(self, folder: str) -> str:
        """What the image of a folder is called."""
        return f"{self.root.name}-{folder}:{self.user}"

    def id(self, reference: str) -> str | None:
        """The engine's id for an image, None when it is not there."""
        try:
            return self.me.engine.docker("image", "inspect", "--format", "{{.Id}}", reference).strip()
        except AssertionError as error:
            assert re.search("no such image|not known", str(error), re.IGNORECASE), str(error)
            return None


def project(me: Person, name: str, files: Mapping[str, str]) -> Images:
    """A project of these files. Names of projects are those of images: each test has its own."""
    found = Images(me, me.project(name=name))
    found.write(files)
    return found


def unused() -> str:
    """A part of a name that nobody has."""
    return f"t{uuid.uuid4().hex[:8]}"


@contextmanager
def tidied(me: Person) -> Iterator[Person]:
    """Somebody whose containers and images of `docker/` are gone at the end."""
    try:
        yield me
    finally:
        me.engine.remove(me.containers())
        for id in images_below(me, me.folder):
            # One that others were built on may have gone with them.
            with suppress(AssertionError):
                me.engine.docker("rmi", "--force", id)


def images_below(me: Person, folder: Path) -> list[str]:
    """The ids of the images that builds of projects in a folder made, replaced ones too."""
    found = _labelled(me)
    places = {each["Id"]: Path(each["Config"]["Labels"][PROJECT]) for each in found}
    return [id for id, place in places.items() if place.is_relative_to(folder) and "docker" in place.parts]


def _labelled(me: Person) -> list[dict[str, Any]]:
    """What the engine knows of images with our label; asked for again when another test's went meanwhile."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with suppress(AssertionError):
            return _asked(me)
    return _asked(me)


def _asked(me: Person) -> list[dict[str, Any]]:
    ids = dict.fromkeys(me.engine.docker("images", "--quiet", "--no-trunc", "--filter", f"label={PROJECT}").split())
    found: list[dict[str, Any]] = json.loads(me.engine.docker("image", "inspect", *ids)) if ids else []
    return found


def printed(result: Result, word: str = "") -> list[str]:
    """The commands that were shown, those with a word in them."""
    lines = [line.removeprefix("$ ") for line in result.err.splitlines() if line.startswith("$ ")]
    return [line for line in lines if not word or word in line.split()]


def hostile() -> Iterator[str]:
    """200 texts that a shell, a terminal, an option parser or a reader of CSV would take for more than text."""
    chance = random.Random(6)  # noqa: S311 - the same texts each time
    parts = [
        "$(touch x)",
        "`id`",
        ";id",
        "&&id",
        "|sh",
        "'",
        '"',
        "\\",
        "\n",
        "\t",
        "--privileged",
        "-v /:/h",
        ",readonly",
        "=",
        ":",
        "{x}",
        "#",
        "*",
        "~",
        "!",
        "é",
        "日本",
        "\u202e",
        "\x1b[2K",
        "%",
        "<(id)",
        "\r",
        "\x7f",
    ]
    for number in range(200):
        yield "".join(chance.sample(parts, chance.randint(1, 4))) if number >= len(parts) else parts[number]
