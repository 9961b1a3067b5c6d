"""How the value of each key of an image is read; what is like a setting of the workbench is read in `workbench.values`.

Every reader takes the value, with its variables replaced, and a Place. Those of collections return item -> value.
Each raises ValueError with the reason when it cannot be.
"""

import ipaddress
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from workbench import values
from workbench.images.places import PUBLICATION_NAMES, check_names
from workbench.images.spec import LOOPBACK, Port
from workbench.model import Mount
from workbench.values import Place

_PART = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_PORT = re.compile(
    r"(?:(?:(?:\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<v4>\d+(?:\.\d+){3})):)?(?P<host>\d+(?:-\d+)?)?:)?"
    r"(?P<container>\d+(?:-\d+)?)(?:/(?P<protocol>tcp|udp|sctp))?",
    re.ASCII,
)


def matching(pattern: str, example: str) -> Callable[[object, Place], str]:
    """A reader of texts that match a pattern."""
    compiled = re.compile(pattern, re.ASCII)

    def read(value: object, place: Place) -> str:
        found = values.text(value, place)
        if not compiled.fullmatch(found):
            raise ValueError(f"{found!r} is not {example}")
        return found

    return read


image_name = matching(
    rf"(?:[A-Za-z0-9.-]+(?::\d+)?/)?{_PART}(?:/{_PART})*",
    "the name of an image: small letters, digits, and . _ - between",
)
image_tag = matching(r"\w[\w.-]{0,127}", "a tag: letters, digits, and . _ - between")
repository = matching(r"\w[\w./:-]*", "aws, docker_hub, or the address of a registry")
stage = matching(r"\w[\w.-]*", "a stage of a Dockerfile")
platform = matching(r"\w[\w./-]*", "a platform such as linux/amd64")
network = matching(r"(?:container:)?[A-Za-z0-9][\w.-]*", "a network: host, none, container:NAME, or a name")
ipc = matching(
    r"none|private|shareable|host|container:[A-Za-z0-9][\w.-]*", "none, private, shareable, host or container:NAME"
)
user = matching(r"\w[\w.-]*(?::\w[\w.-]*)?", "a user such as 1000:1000")
restart = matching(r"no|always|unless-stopped|on-failure(?::\d+)?", "no, always, unless-stopped or on-failure[:N]")
hostname = matching(r"[A-Za-z0-9][A-Za-z0-9.-]*", "a host name")


def publication_tag(value: object, place: Place) -> str:
    """A whole image reference, with variables in it that are replaced at the publication."""
    found = values.text(value, place)
    check_names(found, PUBLICATION_NAMES)
    if not re.fullmatch(r"[\w${][\w./:@${}-]*", found, re.ASCII):
        raise ValueError(f"{found!r} is not an image reference, such as quay.io/team/{{image}}:{{tag}}")
    return found


def words(value: Any, place: Place) -> tuple[str, ...]:
    """A command, in words."""
    return tuple(_argument(str(word)) for word in value)


def text(value: object, place: Place) -> str:
    """A word of a command."""
    return _argument(str(value))


def env(value: object, place: Place) -> dict[str, str]:
    """Variables."""
    return {name: _argument(each) for name, each in values.env(value, place).items()}


def mount(value: object, place: Place) -> dict[str, Mount]:
    """A mount of this machine."""
    found = values.mount(_table(value), place)
    return {found.target: found}


def remote_mount(value: object, place: Place) -> dict[str, Mount]:
    """A mount of another machine: nothing can be looked up there."""
    table = _table(value)
    if table.get("type", "bind") == "volume":
        return mount(value, place)
    source, target = values.text(table["source"], place), values.container_folder(table["target"], place)
    if not source.startswith("/") or posixpath.normpath(source) != (source.rstrip("/") or "/"):
        raise ValueError(f"{source!r} is not a folder of another machine: write it from /, without . and ..")
    return {target: Mount(posixpath.normpath(source), target, "bind", bool(table.get("read-only", False)))}


def _table(value: Any) -> Mapping[str, object]:
    """The one mount of an item."""
    [table] = value
    return values.mount_table(table)


def ports(value: object, place: Place) -> dict[str, Port]:
    """Ports as `docker run --publish` takes them; one without an address is published on this machine only."""
    return {str(port): port for each in values.words(value, place) for port in _ports(each)}


def _ports(said: str) -> Iterator[Port]:
    match = _PORT.fullmatch(said)
    if not match:
        raise ValueError(f"{said!r} is not a port such as 8080:80 or 127.0.0.1:8080:80/tcp")
    address = str(ipaddress.ip_address(match["v6"] or match["v4"] or LOOPBACK))
    inside = _range(match["container"])
    outside = _range(match["host"]) if match["host"] else [None] * len(inside)
    if len(inside) != len(outside):
        raise ValueError(f"{said!r} has ranges of different lengths")
    for container, host in zip(inside, outside, strict=True):
        yield Port(container, host, address, match["protocol"] or "tcp")


def _range(said: str) -> range:
    first, _, last = said.partition("-")
    found = range(int(first), int(last or first) + 1)
    if not found or found[0] < 1 or found[-1] > 65535:
        raise ValueError(f"{said!r} is not a port from 1 to 65535")
    return found


def hosts(value: object, place: Place) -> dict[str, str]:
    """`NAME:ADDRESS` for the container's /etc/hosts; `host-gateway` is this machine."""
    found = {}
    for each in values.words(value, place):
        name, colon, address = each.partition(":")
        if not colon or not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name, re.ASCII):
            raise ValueError(f"{each!r} is not NAME:ADDRESS")
        found[name] = address if address == "host-gateway" else str(ipaddress.ip_address(address.strip("[]")))
    return found


def ulimits(value: object, place: Place) -> dict[str, str]:
    """Limits such as `memlock=-1`, by their name."""
    found = values.words(value, place)
    if strange := [each for each in found if not re.fullmatch(r"[a-z]+=-?\d+(:-?\d+)?", each, re.ASCII)]:
        raise ValueError(f"{strange[0]!r} is not a limit such as memlock=-1")
    return {each.partition("=")[0]: each for each in found}


def log_options(value: object, place: Place) -> dict[str, str]:
    """Options of the log driver, such as `max-size = "10m"`."""
    found = {str(name): _argument(str(each)) for name, each in dict(value).items()}  # type: ignore[call-overload]
    if strange := [name for name in found if not re.fullmatch(r"[a-z][a-z0-9-]*", name, re.ASCII)]:
        raise ValueError(f"{strange[0]!r} is not an option of a log, such as max-size")
    return found


def _argument(word: str) -> str:
    if "\0" in word:
        raise ValueError("no argument of a program can have a null character")
    return word
