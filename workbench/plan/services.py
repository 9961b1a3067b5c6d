"""What a Compose file comes to for a workbench: which services, in which order, on which networks. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Literal

from workbench.errors import ConfigError
from workbench.model import Companions, Mount, ServiceUse
from workbench.schema import nearest

ALL = "all"
Condition = Literal["service_started", "service_healthy", "service_completed_successfully"]
Document = Mapping[str, Any]
SHARES = ("network_mode", "ipc", "pid")
"""What may be `service:NAME`: that one must be there first."""


@dataclass(frozen=True, slots=True)
class Service:
    """One service, as Compose resolved it."""

    name: str
    depends: Mapping[str, Condition]
    networks: tuple[str, ...]
    """The file's names for them; empty where it has another one's network, or the machine's, or none."""
    profiles: tuple[str, ...]
    has_health: bool
    said: Document
    """All that the file says of it."""


@dataclass(frozen=True, slots=True)
class Stack:
    """A Compose file, resolved. `networks` and `volumes`: the file's name -> the engine's."""

    name: str
    services: Mapping[str, Service]
    networks: Mapping[str, str]
    volumes: Mapping[str, str]
    document: Document


def stack(document: Document, name: str) -> Stack:
    """What `docker compose config` printed. `name` is Compose's for the project, where the document has none."""
    name = str(document.get("name") or name)
    said = table(document.get("services"))
    return Stack(
        name,
        {key: _service(key, table(each), said) for key, each in said.items()},
        {"default": f"{name}_default", **_names(name, document.get("networks"))},
        _names(name, document.get("volumes")),
        document,
    )


def table(said: object) -> Document:
    """What is said, where it is a table; else an empty one. Compose lets pass more than its documents show."""
    return said if isinstance(said, Mapping) else {}


def listed(said: object) -> tuple[Any, ...]:
    """What is said, as a list: one text alone, the keys of a table."""
    if isinstance(said, str):
        return (said,) if said else ()
    return tuple(said) if isinstance(said, list | tuple | Mapping) else ()


def _names(stack: str, said: object) -> dict[str, str]:
    found = {}
    for key, each in table(said).items():
        each = table(each)
        external = each.get("external")
        own = external.get("name") if isinstance(external, Mapping) else None
        found[key] = str(each.get("name") or own or (key if external else f"{stack}_{key}"))
    return found


def _service(name: str, said: Document, known: Document) -> Service:
    health = table(said.get("healthcheck"))
    networks = tuple(str(each) for each in listed(said.get("networks")))
    return Service(
        name,
        # One that need not be there (`required: false`) may not be there.
        depends={other: condition for other, condition in _depends(said).items() if other in known},
        networks=() if said.get("network_mode") else networks or ("default",),
        profiles=tuple(str(each) for each in listed(said.get("profiles"))),
        has_health=bool(health) and not health.get("disable"),
        said=said,
    )


def _depends(said: Document) -> dict[str, Condition]:
    """Those that must be there first, those that Compose finds by itself too."""
    named = said.get("depends_on")
    found: dict[str, Condition] = dict.fromkeys((str(each) for each in listed(named)), "service_started")
    found |= {name: each["condition"] for name, each in table(named).items() if table(each).get("condition")}
    shared = (str(said.get(key, "")) for key in SHARES)
    others = [each.removeprefix("service:") for each in shared if each.startswith("service:")]
    others += [str(each).partition(":")[0] for each in listed(said.get("links"))]
    taken = (str(each) for each in listed(said.get("volumes_from")))
    others += [each.partition(":")[0] for each in taken if not each.startswith("container:")]
    return {**dict.fromkeys(others, "service_started"), **found}


def wanted(stack: Stack, uses: Mapping[str, ServiceUse], profiles: Iterable[str] = ()) -> tuple[str, ...]:
    """The names that are to be started, each once. Raises ConfigError for one that the file does not have.

    `all` stands for what Compose itself would start: services without a profile, or with one of `profiles`.
    """
    active = {*profiles}
    found: dict[str, None] = {}
    for name, use in uses.items():
        if name != ALL and name not in stack.services:
            raise ConfigError(f"The Compose file has no service {name!r}.", nearest(name, stack.services))
        if name == ALL and use.start:
            usual = (each for each in stack.services.values() if not each.profiles or active & {*each.profiles, "*"})
            found |= dict.fromkeys(each.name for each in usual)
        elif use.start:
            found[name] = None
    return tuple(found)


def in_order(stack: Stack, names: Iterable[str]) -> tuple[str, ...]:
    """These services and what they depend on, each after those that must be there before it."""
    found: dict[str, None] = {}

    def add(name: str, seen: tuple[str, ...]) -> None:
        if name in found or name in seen or name not in stack.services:
            return
        for other in stack.services[name].depends:
            add(other, (*seen, name))
        found[name] = None

    for name in names:
        add(name, ())
    return tuple(found)


def companions(stack: Stack, uses: Mapping[str, ServiceUse], names: tuple[str, ...]) -> Companions:
    """What a workbench has of the services `names`. Raises ConfigError for a volume that the file does not have."""
    keys = (key for name in names for key in stack.services[name].networks)
    networks = dict.fromkeys(stack.networks.get(key, f"{stack.name}_{key}") for key in keys)
    known = {name: uses[name] for name in names if name in uses}
    return Companions(
        stack.name,
        in_order(stack, names),
        tuple(networks),
        mounts=tuple(mount for name, use in known.items() for mount in _mounts(stack, name, use)),
        env={key: value for use in known.values() for key, value in use.env.items()},
        web=tuple(use.web for use in known.values() if use.web),
        restart=tuple(name for name, use in known.items() if use.restart),
    )


def _mounts(stack: Stack, name: str, use: ServiceUse) -> Iterator[Mount]:
    for volume, folder in use.volumes.items():
        if volume not in stack.volumes:
            raise ConfigError(
                f"`services.{name}.volumes`: no service of the Compose file uses a volume {volume!r}.",
                nearest(volume, stack.volumes) if stack.volumes else "They use none.",
            )
        yield Mount(stack.volumes[volume], folder, kind="volume", external=True)


def moved(document: Document, root: str, copy: str) -> dict[str, Any]:
    """The document for an engine of another machine, where the project's folder `root` lies in `copy`.

    Builds send what they need from here; what is mounted is there.
    """
    services = {name: _moved(table(said), root, copy) for name, said in table(document.get("services")).items()}
    files = {
        kind: {name: _moved_file(table(said), root, copy) for name, said in table(document.get(kind)).items()}
        for kind in ("secrets", "configs")
        if document.get(kind)
    }
    return {**document, "services": services, **files}


def _moved_file(said: Document, root: str, copy: str) -> Document:
    path = PurePosixPath(str(said.get("file") or ""))
    return {**said, "file": str(PurePosixPath(copy) / path.relative_to(root))} if path.is_relative_to(root) else said


def _moved(said: Document, root: str, copy: str) -> dict[str, Any]:
    volumes = []
    for each in listed(said.get("volumes")):
        kind, source, target, rest = mounted(each)
        path = PurePosixPath(source)
        if kind == "bind" and path.is_relative_to(root):
            source = str(PurePosixPath(copy) / path.relative_to(root))
            volumes.append({**each, "source": source} if isinstance(each, Mapping) else f"{source}:{target}{rest}")
        else:
            volumes.append(each)
    return {**said, **({"volumes": volumes} if volumes else {})}


def mounted(said: object) -> tuple[str, str, str, str]:
    """Kind (`bind`, `volume`, `tmpfs` …), source, target and the rest of a volume in its long or its short form."""
    if isinstance(said, Mapping):
        return str(said.get("type", "volume")), str(said.get("source") or ""), str(said.get("target") or ""), ""
    source, _, rest = str(said).partition(":")
    target, mark, mode = rest.partition(":")
    if not target:
        return "volume", "", source, ""
    return ("bind" if re.match(r"[/.~]", source) else "volume"), source, target, mark + mode
