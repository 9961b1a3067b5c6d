"""The engine's own Compose: which program that is here, and how it is called."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from workbench import process
from workbench.engines.base import Engine
from workbench.errors import EngineError, WorkbenchError

PATIENCE = 20
"""Seconds in which a program must have said its version."""
OLDEST = (1, 28)
"""Before it, files without a `version` are refused, and profiles are not known."""
CANDIDATES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "docker": (("docker", "compose"), ("docker-compose",)),
    # Docker's speaks to Podman's socket; `podman compose` only calls another one, whichever there is.
    "podman": (("docker-compose",), ("docker", "compose"), ("podman", "compose")),
}


class NoCompose(WorkbenchError):
    """There is no Compose on this machine that could be used."""

    exit_code = 3


@dataclass(frozen=True, slots=True)
class Program:
    """A Compose that was found. `env` leads it to the engine."""

    words: tuple[str, ...]
    version: str
    env: Mapping[str, str]

    @property
    def is_modern(self) -> bool:
        """Whether it is version 2 or later, which is another program than version 1."""
        return _number(self.version) >= (2,)

    def command(self, *words: str) -> tuple[tuple[str, ...], Mapping[str, str]]:
        """A command of it, and what its environment needs."""
        return (*self.words, *words), self.env

    def __str__(self) -> str:
        return f"{' '.join(self.words)} {self.version}"


def find(engine: Engine) -> Program:
    """The Compose of an engine. Raises NoCompose with what to install, EngineError where there are no containers."""
    if engine.services is None:
        raise EngineError(
            "Services are containers, and this engine runs none.",
            "Start Docker or Podman (`workbench doctor` says how), or name it: --engine docker",
        )
    old = ""
    for words in CANDIDATES[engine.name]:
        if version := _version(words):
            if _number(version) >= OLDEST:
                return Program(words, version, engine.services.environment)
            old = f" {' '.join(words)} is too old: {version}."
    known = " nor ".join(f"`{' '.join(words)}`" for words in CANDIDATES[engine.name])
    raise NoCompose(
        f"Services need Compose, and neither {known} can be used here.{old}",
        "Install it: https://docs.docker.com/compose/install (Debian: sudo apt install docker-compose).",
    )


def _version(words: tuple[str, ...]) -> str:
    """Its version; empty where it is not there."""
    try:
        done = process.run((*words, "version", "--short"), timeout=PATIENCE)
    except (process.ProgramMissing, process.TookTooLong):
        return ""
    found = re.search(r"\d+\.\d+[\w.+-]*", done.out)
    return found[0] if done.code == 0 and found else ""


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])
