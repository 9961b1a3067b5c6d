"""The local engine's memory: one small JSON per workbench, because processes have no labels."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from workbench.engines.base import NameTaken
from workbench.errors import EngineError
from workbench.model import LocalRun


@dataclass(frozen=True, slots=True)
class Record:
    """One workbench of the local engine. Nothing in it is secret."""

    run: LocalRun
    pid: int | None = None
    """The server's process; None before it was started, or when its launcher died in between."""
    created: float | None = None
    """That process's creation time (seconds since 1970): a process id alone may have been reused."""
    stopped: bool = False
    """Whether `stop` ended it; a process that is gone without that is dead."""


@dataclass(frozen=True, slots=True)
class Records:
    """The folder of records (0700). Each is written whole or not at all."""

    folder: Path

    def path(self, name: str) -> Path:
        """Where the record of this workbench is."""
        return self.folder / f"{name}.json"

    def all(self) -> list[Record]:
        """Every record, by name."""
        found = (self._read(path) for path in sorted(self.folder.glob("[!.]*.json")))
        return [record for record in found if record is not None]

    def get(self, name: str) -> Record:
        """The record of this workbench; an EngineError when there is none."""
        record = self._read(self.path(name)) if Path(name).name == name else None
        if record is None:
            raise EngineError(
                f"There is no workbench {name} on the local engine.", "`workbench ps` lists those that there are."
            )
        return record

    def create(self, record: Record) -> None:
        """Keep a new record; NameTaken when the name is taken, even by one created at the same moment."""
        temporary = self._temporary(record)
        try:
            # A hard link refuses to replace, and makes the whole content appear at once.
            self.path(record.run.name).hardlink_to(temporary)
        except FileExistsError:
            raise NameTaken(
                f"A workbench named {record.run.name} exists already.",
                "`workbench ps` lists it, `workbench rm` removes it.",
            ) from None
        finally:
            temporary.unlink()

    def update(self, record: Record) -> None:
        """Replace the record of a workbench."""
        self._temporary(record).replace(self.path(record.run.name))

    def delete(self, name: str) -> None:
        """Forget a workbench."""
        self.path(name).unlink(missing_ok=True)

    def _temporary(self, record: Record) -> Path:
        from msgspec import json

        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, name = tempfile.mkstemp(dir=self.folder, prefix=".")
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(json.format(json.encode(record, enc_hook=dict)))
        return Path(name)

    def _read(self, path: Path) -> Record | None:
        from msgspec import DecodeError, json

        try:
            return json.decode(path.read_bytes(), type=Record)
        except FileNotFoundError:
            return None
        except DecodeError as error:
            raise EngineError(
                f"{path} cannot be read: {error}.",
                "Delete that file; a server that it stood for can then be ended as any process of yours.",
            ) from error
