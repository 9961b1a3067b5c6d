"""The list of docks: names that the user has given to other machines. Names of `~/.ssh/config` need no entry."""

import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench import ssh
from workbench.docks.contexts import by_ssh, unusable
from workbench.errors import ConfigError, DockError
from workbench.ssh import Host

FILE = "docks.json"


@dataclass(frozen=True, slots=True)
class Dock:
    """A machine with an engine. `cloud` is what its provider knows it by; empty for one that is nobody's to start."""

    name: str
    host: Host
    cloud: Mapping[str, str] = field(default_factory=dict)
    trusted: bool = False
    """Whether the user trusts it as this machine: see `docks.sync`."""


class Book:
    """The list, in a file of the user's configuration (0600)."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE

    def docks(self) -> dict[str, Dock]:
        """Every dock of the list, by name. Raises ConfigError for a file that is none."""
        try:
            found = json.loads(self._file.read_text("utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise ConfigError(f"{self._file} is not valid: {error}.", "Correct or remove it.") from error
        entries = found.get("docks") if isinstance(found, dict) else None
        if not isinstance(entries, dict):
            raise ConfigError(f"{self._file} is not a list of docks.", "Correct or remove it.")
        return {name: self._dock(name, entry) for name, entry in entries.items()}

    def find(self, name: str) -> Dock:
        """The dock of this name; one that is not in the list is a Docker context, or what ssh knows by that name."""
        if found := self.all().get(name):
            return found
        if url := unusable(name):
            raise DockError(
                f"The Docker context {name} goes to {url}, which is no address of a dock.",
                "It looks like ssh://[USER@]HOST[:PORT]: which socket there has the engine is found out.",
            )
        return Dock(name, ssh.host(name))

    def at(self, host: Host, context: str = "") -> Dock:
        """The dock of a machine, by a name that finds it again: commands and processes that follow have only that.

        Raises ConfigError where what ssh calls it is the name of another dock.
        """
        docks, name = self.all(), str(host)
        for each in (docks.get(context), docks.get(name) or Dock(name, host), *docks.values()):
            if each and each.host == host:
                return each
        raise ConfigError(
            f"{name} is a dock already, {docks[name].host}, and not the machine that ssh knows by that name.",
            f"Give that one a name: workbench dock add NAME {name}",
        )

    def all(self) -> dict[str, Dock]:
        """Those of the list, and Docker's contexts that go by ssh."""
        contexts = {name: Dock(name, host) for name, host in by_ssh().items() if is_name(name)}
        return {**contexts, **self.docks()}

    def add(self, dock: Dock) -> None:
        """Put it on the list. Raises ConfigError when another machine has the name."""
        check_name(dock.name)
        docks = self.docks()
        known = docks.get(dock.name)
        if known and known.host != dock.host:
            raise ConfigError(
                f"{dock.name} is a dock already: {known.host}.", f"Take another name, or: workbench dock rm {dock.name}"
            )
        self._write({**docks, dock.name: dock})

    def replace(self, dock: Dock) -> None:
        """Give a dock of the list another address."""
        self._write({**self.docks(), dock.name: dock})

    def remove(self, name: str) -> Dock:
        """Take it off the list. Raises ConfigError when it is not there."""
        docks = self.docks()
        if name not in docks:
            raise ConfigError(f"{name!r} is not on the list of docks.", f"There are: {', '.join(docks) or 'none'}.")
        gone = docks.pop(name)
        self._write(docks)
        return gone

    def _dock(self, name: str, entry: Any) -> Dock:
        try:
            return Dock(
                check_name(name),
                ssh.host(str(entry["host"])),
                dict(entry.get("cloud") or {}),
                entry.get("trusted") is True,
            )
        except (TypeError, KeyError, AttributeError, ValueError, DockError) as error:
            raise ConfigError(f"{self._file}: the dock {name!r} is not valid.", "Correct or remove it.") from error

    def _write(self, docks: Mapping[str, Dock]) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        entries = {
            name: {
                "host": str(dock.host),
                **({"cloud": dict(dock.cloud)} if dock.cloud else {}),
                **({"trusted": True} if dock.trusted else {}),
            }
            for name, dock in docks.items()
        }
        descriptor, part = tempfile.mkstemp(dir=self._file.parent, prefix=f".{FILE}.")
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump({"docks": entries}, stream, indent=2)
        Path(part).replace(self._file)


def is_name(name: str) -> bool:
    """Whether a dock can be called so."""
    return bool(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", name, re.ASCII))


def check_name(name: str) -> str:
    """A name for a dock. Raises ConfigError for one that could be an option, a path or a command."""
    if not is_name(name):
        raise ConfigError(f"{name!r} cannot be the name of a dock.", "Take letters, digits, and . _ - between.")
    return name


def book() -> Book:
    """This user's list."""
    from platformdirs import user_config_path

    return Book(user_config_path("workbench", appauthor=False))
