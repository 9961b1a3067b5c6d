"""The life of a dock that is a machine of a cloud: made, stopped, started again at another address, destroyed."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from workbench import ssh
from workbench.docks import hostkeys, look
from workbench.docks.book import Book, Dock
from workbench.docks.cloud import Machine, MachinePlan, Provider, network, provider, worked
from workbench.errors import ConfigError, DockError, WorkbenchError
from workbench.flow import Ui
from workbench.model import Event

CHECKIP = "https://checkip.amazonaws.com"
KEYS = ("id_ed25519.pub", "id_rsa.pub")
"""Those that ssh offers by itself and every cloud takes, the best first."""
ALL = ("0.0.0.0/0", "::/0")
KEYS_PATIENCE = 40.0
"""Seconds that a machine which answers has to say its keys at its console."""


@dataclass(frozen=True, slots=True)
class Owned:
    """A dock of the list, its provider, and the machine as that knows it."""

    dock: Dock
    provider: Provider
    machine: Machine


@dataclass(frozen=True, slots=True)
class Fleet:
    """Where docks are kept: the list, and the home in which ssh knows machines."""

    book: Book
    home: Path
    provider: Callable[[str], Provider] = provider

    def owned(self, name: str) -> Owned:
        """A dock that was made here. Raises ConfigError or DockError for any other: it is not ours to touch."""
        dock = self.book.docks().get(name)
        if dock is None:
            raise ConfigError(f"{name!r} is not on the list of docks.", "See which are: workbench dock ls")
        if not dock.cloud.get("provider") or not dock.cloud.get("id"):
            raise DockError(
                f"{name} was put on the list by its address: which cloud has it is not known.",
                f"Start and stop it where it was made; off the list: workbench dock rm {name}",
            )
        found = self.provider(dock.cloud["provider"])
        machine = found.find(dock.cloud["id"])
        if machine.state != "gone" and machine.dock != name:
            raise DockError(
                f"{machine.id} was not made for the dock {name} by Workbench: it is left alone.",
                f"Look at it in the console of {dock.cloud['provider']}; off the list: workbench dock rm {name}",
            )
        return Owned(dock, found, machine)

    def create(self, who: str, plan: MachinePlan, ui: Ui, patience: float) -> Machine:
        """Make the machine and put it on the list; cut off before it ends, nothing stays."""
        maker = self.provider(who)
        machine = worked(ui, maker.create(plan))
        try:
            self.book.add(Dock(plan.name, _host(machine, machine.user), {"provider": who, "id": machine.id}))
            hostkeys.forget(machine.address, self.home)
            if answers(machine.address, patience, ui):
                self._introduce(maker, machine, ui)
        except BaseException as error:
            self._undo(maker, machine, ui, error)
            with suppress(ConfigError):
                # After the machine: should that fail, it can still be named.
                self.book.remove(plan.name)
            raise
        return machine

    def start(self, name: str, ui: Ui, patience: float, allow: str = "") -> Machine:
        """Have it run, and the list know where; `allow` lets other addresses in than until now."""
        found = self._living(name)
        if allow:
            found.provider.admit(found.machine.id, allow)
        machine = found.machine
        if machine.state != "running" or not machine.address:
            machine = worked(ui, found.provider.start(machine.id))
        self._moved(found.dock, machine)
        answers(machine.address, patience, ui)
        return machine

    def stop(self, name: str, ui: Ui) -> Machine:
        """Have it stop; its disk stays."""
        found = self._living(name)
        if found.machine.state == "stopped":
            return found.machine
        return worked(ui, found.provider.stop(found.machine.id))

    def destroy(self, found: Owned, ui: Ui) -> None:
        """Remove the machine, and the dock from the list."""
        if found.machine.state != "gone":
            worked(ui, found.provider.destroy(found.machine.id))
        hostkeys.forget(found.dock.host.destination.rpartition("@")[2], self.home)
        self.book.remove(found.dock.name)

    def _living(self, name: str) -> Owned:
        found = self.owned(name)
        if found.machine.state == "gone":
            raise DockError(f"The machine of {name} is gone.", f"Off the list: workbench dock destroy {name}")
        return found

    def _undo(self, maker: Provider, machine: Machine, ui: Ui, why: BaseException) -> None:
        try:
            worked(ui, maker.destroy(machine.id))
        except WorkbenchError as left:
            raise DockError(
                f"The machine {machine.id} is there, and could not be removed: {left.message}",
                f"Try again: workbench dock destroy {machine.dock}",
            ) from why

    def _introduce(self, maker: Provider, machine: Machine, ui: Ui) -> None:
        """Have ssh know the machine by what its owner's cloud says of it; else ssh asks, as ever."""
        deadline = time.monotonic() + KEYS_PATIENCE
        while not (keys := maker.host_keys(machine.id)) and time.monotonic() < deadline:
            time.sleep(2)
        hostkeys.learn(machine.address, keys, self.home)
        if not keys:
            ui.note("Its host key could not be had from the cloud: the first ssh asks whether you know it.")

    def _moved(self, dock: Dock, machine: Machine) -> None:
        """Note the new address, and that the machine there is the one that ssh knew at the old one."""
        user, _, before = dock.host.destination.rpartition("@")
        if machine.address == before:
            return
        keys = hostkeys.known(before, self.home)
        for address in (before, machine.address):
            hostkeys.forget(address, self.home)
        hostkeys.learn(machine.address, keys, self.home)
        self.book.replace(replace(dock, host=_host(machine, machine.user or user)))


def lost(found: Owned) -> tuple[str, ...]:
    """What goes with a machine, as a person should read it before it does."""
    machine = found.machine
    if machine.state == "gone":
        return ()
    disk = f"its disk of {machine.disk} GB" if machine.disk else "its disk"
    what = [f"{disk}, with all images, containers and files on it"]
    if machine.state == "running":
        seen = look.look(found.dock)
        if seen.problem or seen.running is None:
            what.append(f"what runs on it, which cannot be looked at ({seen.problem or 'no engine answers'})")
        elif seen.running:
            what.append(f"{seen.running} running workbench{'es' if seen.running > 1 else ''}")
    return tuple(what)


def answers(address: str, patience: float, ui: Ui) -> bool:
    """Wait until ssh answers there, `patience` in seconds; whether it does. Says so when it does not."""
    came: list[bool] = []
    ui.work(_wait(address, patience, came))
    if not came:
        ui.note(f"{address} does not answer on port 22 yet; later: workbench dock ls")
    return bool(came)


def public_key(file: Path | None, home: Path) -> str:
    """The public key to let in: of a file, or the one that ssh offers. Raises ConfigError when there is none."""
    if file is not None and file.suffix != ".pub":
        # Its other half is nobody's business.
        file = file.with_name(f"{file.name}.pub")
    candidates = [file] if file else [home / ".ssh" / name for name in KEYS]
    for each in candidates:
        if each.is_file():
            return each.read_text("utf-8", errors="replace").strip()
    raise ConfigError(
        f"There is no public key: {', '.join(map(str, candidates))}.", "Make one: ssh-keygen -t ed25519; or: --key FILE"
    )


def here() -> str:
    """The address by which the internet knows this machine, as CIDR. Raises ConfigError when nobody says it."""
    import urllib.request

    try:
        with urllib.request.urlopen(CHECKIP, timeout=5) as answer:
            found = network(answer.read(100).decode("ascii").strip())
        if found in ALL or "/" in found.removesuffix("/32").removesuffix("/128"):
            raise ValueError(found)
    except (OSError, ValueError, ConfigError) as error:
        raise ConfigError(
            f"Your address could not be found out: {CHECKIP} does not say it.", "Say from where: --from ADDRESS/32"
        ) from error
    return found


def _host(machine: Machine, user: str) -> ssh.Host:
    address = f"[{machine.address}]" if ":" in machine.address else machine.address
    return ssh.host(f"{user}@{address}" if user else address)


def _wait(address: str, patience: float, came: list[bool]) -> Iterator[Event]:
    step, begun = "Waiting until ssh answers", time.monotonic()
    yield Event("step", step, step)
    while not came:
        left = patience - (time.monotonic() - begun)
        if left <= 0:
            return
        try:
            socket.create_connection((address, 22), timeout=min(3.0, left)).close()
            came.append(True)
        except OSError:
            time.sleep(min(1.0, left))
            yield Event("progress", step, step)
    yield Event("done", step, step, seconds=time.monotonic() - begun)
