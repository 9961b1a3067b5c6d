"""The state folder of one workbench: its lock, token and port, the approved plan. XDG state, 0700, files 0600."""

import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from workbench.errors import ProjectError
from workbench.model import Delivery, Seed


def state_root() -> Path:
    """Where the state of all workbenches of this user lies."""
    from platformdirs import user_state_path

    return user_state_path("workbench", appauthor=False)


def cache_root() -> Path:
    """Where what can be made again lies: build contexts, environments of the local engine."""
    from platformdirs import user_cache_path

    return user_cache_path("workbench", appauthor=False)


@dataclass(frozen=True, slots=True)
class State:
    """One workbench's folder. Everything in it can be lost without losing a workbench: the engine is the memory."""

    folder: Path

    @classmethod
    def of(cls, name: str) -> "State":
        """The state of the workbench with this name; its folder is made when missing."""
        folder = state_root() / "workbenches" / name
        try:
            for each in (state_root(), folder.parent, folder):
                # One by one: the mode is for the last of a path only, and names of projects are nobody's business.
                each.mkdir(parents=True, exist_ok=True, mode=0o700)
                each.chmod(0o700)
        except OSError as error:
            raise ProjectError(
                f"{folder} cannot be written: {error.strerror}.",
                "Workbench keeps locks and tokens there; set XDG_STATE_HOME to a folder that you can write.",
            ) from error
        return cls(folder)

    @contextmanager
    def lock(self, waiting: Callable[[], None]) -> Iterator[None]:
        """Hold this workbench for one command; calls `waiting` once when another command holds it."""
        from filelock import FileLock, Timeout

        lock = FileLock(self.folder / "lock", mode=0o600)
        try:
            lock.acquire(timeout=0.05)
        except Timeout:
            waiting()
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def seed(self) -> Seed | None:
        """Token and port of this workbench, None before the first launch."""
        found = self.read("seed.json")
        return Seed(str(found["token"]), int(found["port"])) if found else None

    def keep_seed(self, seed: Seed) -> None:
        """Remember token and port for the life of the workbench."""
        self.write("seed.json", {"token": seed.token, "port": seed.port})

    def keep_delivery(self, delivery: Delivery, name: str = "delivery.json") -> Path:
        """Keep what a restart must hand over again, in the form in which the server reads it."""
        return self.write(name, replace(delivery, returning=False).document())

    def kept_delivery(self, token: str) -> Delivery:
        """What a restart hands over."""
        return as_delivery(self.read("delivery.json"), token)

    def dock(self) -> str | None:
        """The dock that the workbench runs on, by the name that it had at the launch; None for this machine."""
        found = self.read("dock.json")
        return str(found["dock"]) if found else None

    def keep_dock(self, dock: str, project: Path) -> None:
        """Remember where a workbench runs that no engine of this machine knows."""
        self.write("dock.json", {"dock": dock, "project": str(project)})

    def read(self, name: str) -> dict[str, Any] | None:
        """A JSON document of this folder, None when it is missing or was cut off."""
        try:
            found = json.loads((self.folder / name).read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def write(self, name: str, document: Mapping[str, Any]) -> Path:
        """Replace a JSON document of this folder in one step and return its path."""
        return self.write_text(name, json.dumps(document, default=dict))

    def write_text(self, name: str, text: str) -> Path:
        """Replace a file of this folder in one step (0600) and return its path."""
        descriptor, temporary = tempfile.mkstemp(dir=self.folder, prefix=f".{name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(text)
            return Path(temporary).replace(self.folder / name)
        except OSError as error:
            Path(temporary).unlink(missing_ok=True)
            # A full disk names no file by itself.
            error.filename = error.filename or str(self.folder)
            raise

    def drop(self, name: str) -> None:
        """Remove a document of this folder; no error when it is not there."""
        (self.folder / name).unlink(missing_ok=True)

    def forget(self) -> None:
        """Remove what a removed workbench leaves here. The locks stay: others may hold them, or wait for them."""
        for path in self.folder.iterdir():
            if path.is_file() and path.suffix != ".lock" and path.name != "lock":
                path.unlink(missing_ok=True)
        # What a server without a container keeps of its notebooks' sessions.
        shutil.rmtree(self.folder / "keep", ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Docked:
    """A workbench that was started on a dock: its name, the dock, and the project's folder here."""

    name: str
    dock: str
    project: str


def docked() -> list[Docked]:
    """Every workbench that was started from here on a dock, and not removed since."""
    found = (State(path.parent) for path in (state_root() / "workbenches").glob("*/dock.json"))
    kept = ((state.folder.name, state.read("dock.json")) for state in found)
    return [Docked(name, str(known["dock"]), str(known["project"])) for name, known in kept if known]


def as_delivery(kept: Mapping[str, Any] | None, token: str) -> Delivery:
    """A kept delivery as a value, with this token."""
    kept = kept or {}
    return Delivery(token, env=kept.get("env", {}), files=kept.get("files", {}))


def new_token() -> str:
    """256 random bits, in hexadecimal digits."""
    return secrets.token_hex(32)
