"""Machines of a cloud as docks: the values, and what a provider of machines can do. Providers are entry points.

A package adds one under the group `workbench.providers`: the name that `--provider` takes, and a class without
arguments.
"""

import ipaddress
import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from importlib import metadata
from typing import Literal, Protocol, TypeAlias, TypeVar

from workbench.errors import ConfigError
from workbench.flow import Ui
from workbench.model import Event

GROUP = "workbench.providers"
USUAL = "aws"
"""Who makes a machine when nobody else is named."""
SHORTEST = 600
"""Seconds before which no machine stops itself: its engine may not even be installed."""
UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}

State = Literal["pending", "running", "stopping", "stopped", "gone"]
T = TypeVar("T")
Work: TypeAlias = Generator[Event, None, T]
"""Long work that tells how far it is, and what it came to."""


@dataclass(frozen=True, slots=True)
class MachinePlan:
    """A machine to make. What is empty or 0, `Provider.complete` fills in."""

    name: str
    """Of the dock."""
    key: str = ""
    """The public key that is let in, a line of OpenSSH's."""
    allow: str = ""
    """The addresses from which ssh is let in, as CIDR."""
    type: str = ""
    gpu: bool = False
    image: str = ""
    user: str = ""
    """Who logs in."""
    disk: int = 0
    """In GB."""
    subnet: str = ""
    idle_stop: int = 0
    """Seconds without a workbench and without anybody, after which it stops itself; 0 for never."""
    product: str = ""
    """What of a catalogue is made instead; then the fields above, but for the name and the user, are its own affair."""
    parameters: tuple[tuple[str, str], ...] = ()
    """Of the product."""
    owner: str = ""
    """Whose it is, as the provider names them."""
    place: str = ""
    """Where it will be: a region."""
    about: tuple[str, ...] = field(default=(), compare=False)
    """What a person should know besides, a line each."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine as its provider knows it. `id` is the provider's own and says all that it needs to find it."""

    id: str
    state: State
    address: str = ""
    """Where ssh answers; empty while it has none."""
    user: str = ""
    """Who logs in; empty where the provider does not know."""
    dock: str = ""
    """The dock that it was made for, by the mark that it has there; empty for one that Workbench did not make."""
    type: str = ""
    disk: int = 0
    """In GB; what is lost with it."""


class Provider(Protocol):
    """Who makes machines. Every foreign error becomes ConfigError or DockError, with a hint, in one place."""

    def complete(self, plan: MachinePlan) -> MachinePlan:
        """The plan with nothing left open. Changes nothing; raises ConfigError for what cannot be."""
        ...

    def price(self, plan: MachinePlan) -> float | None:
        """US dollars an hour while it runs; None when that is not known (soon: nobody waits for it)."""
        ...

    def create(self, plan: MachinePlan) -> Work[Machine]:
        """Make it, until it runs and has an address. When that fails or is interrupted, nothing of it stays."""
        ...

    def find(self, id: str) -> Machine:
        """It as it is now; one that is no longer there is `gone`."""
        ...

    def start(self, id: str) -> Work[Machine]:
        """Have it run, until it has an address."""
        ...

    def stop(self, id: str) -> Work[Machine]:
        """Have it stop; its disk stays."""
        ...

    def destroy(self, id: str) -> Work[None]:
        """Remove it, with its disk and with all that was made for it."""
        ...

    def admit(self, id: str, allow: str) -> None:
        """Let ssh in from these addresses, as CIDR, and from no others."""
        ...

    def host_keys(self, id: str) -> tuple[str, ...]:
        """The public keys by which it can be known, lines of OpenSSH's, from a source that is not the network to it."""
        ...


def provider(name: str) -> Provider:
    """The provider of this name. Raises ConfigError when nobody has it, or it cannot be loaded."""
    found = {entry.name: entry for entry in metadata.entry_points(group=GROUP)}
    if name not in found:
        raise ConfigError(
            f"There is no provider {name!r}.",
            f"There are: {', '.join(sorted(found)) or 'none'}; a package may add one.",
        )
    try:
        made: Provider = found[name].load()()
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"The provider {name!r} cannot be loaded: {error}.", "Install its package again.") from error
    return made


def worked(ui: Ui, work: Work[T]) -> T:
    """Show long work until it ends, and what it came to. Cut off, it undoes what it has begun before this returns."""
    came: list[T] = []

    def events() -> Iterator[Event]:
        came.append((yield from work))

    try:
        ui.work(events())
    finally:
        work.close()
    return came[0]


def seconds(text: str) -> int:
    """`2h`, `90m`, `1h30m`, `1d` in seconds. Raises ConfigError for anything else."""
    match = re.fullmatch(r"(?:(\d{1,4})d)?(?:(\d{1,5})h)?(?:(\d{1,6})m)?(?:(\d{1,7})s)?", text.strip(), re.ASCII)
    if not match or not any(match.groups()):
        raise ConfigError(f"{text!r} is not a time.", "Write it as 2h, 90m or 1h30m.")
    return sum(int(number) * unit for number, unit in zip(match.groups(), UNITS.values(), strict=True) if number)


def idle_stop(text: str) -> int:
    """The time after which a machine that nobody uses stops. Raises ConfigError for one that is too short."""
    found = seconds(text)
    if found < SHORTEST:
        raise ConfigError(f"--idle-stop {text} is too short.", f"Take {SHORTEST // 60}m or more.")
    return found


def network(text: str) -> str:
    """Addresses as CIDR; a single one is meant alone. Raises ConfigError for what is none."""
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        raise ConfigError(f"{text!r} is not a network: {error}.", "Write it as 198.51.100.7/32.") from error


def login(text: str) -> str:
    """The name of an account there. Raises ConfigError for one that could be an option or a command."""
    if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", text, re.ASCII):
        raise ConfigError(f"{text!r} is not the name of an account.", "Take one like ubuntu.")
    return text
