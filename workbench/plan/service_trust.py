"""What a Compose file asks of this machine, as sentences for the one who must agree. Pure.

Whatever is not known to stay inside a container is asked: a key that Compose learns next year too.
"""

import ipaddress
import posixpath
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from workbench.labels import LABEL
from workbench.model import Mount
from workbench.plan.services import Document, Service, Stack, listed, mounted, table
from workbench.plan.trust import visible

HARMLESS = frozenset(
    re.findall(
        r"\w+",
        "attach blkio_config cap_drop command configs container_name cpu_count cpu_percent cpu_period"
        " cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares cpus cpuset depends_on develop dns dns_opt"
        " dns_search domainname entrypoint environment env_file expose extends extra_hosts group_add healthcheck"
        " hostname image init label_file links mac_address mem_limit mem_reservation mem_swappiness memswap_limit"
        " oom_kill_disable oom_score_adj pids_limit platform profiles pull_policy read_only scale secrets shm_size"
        " stdin_open stop_grace_period stop_signal storage_opt tmpfs tty ulimits user working_dir",
    )
)
"""Keys of a service that reach nothing outside of its container."""
JUDGED = frozenset(
    re.findall(
        r"\w+",
        "build cap_add cgroup cgroup_parent deploy device_cgroup_rules devices external_links gpus ipc labels logging"
        " network_mode networks pid ports privileged provider restart runtime security_opt sysctls use_api_socket"
        " userns_mode uts volumes volumes_from",
    )
)
"""Keys that are looked at one by one."""
BUILDS = frozenset(
    re.findall(
        r"\w+",
        "additional_contexts args cache_from cache_to context dockerfile dockerfile_inline entitlements extra_hosts"
        " isolation labels network no_cache no_cache_filter platforms privileged provenance pull sbom secrets shm_size"
        " ssh tags target ulimits",
    )
)
"""Keys of a build that are looked at, or reach nothing outside of it."""
LOGS = ("", "json-file", "local", "journald", "none")
"""Where a log stays on the machine."""
LOG_OPTIONS = ("max-size", "max-file", "compress", "mode", "max-buffer-size", "tag", "labels", "env")
OWN = re.compile(
    r"USER|LOGNAME|HOME|PWD|UID|GID|LANG|PATH|HOSTNAME|SHELL|TERM|TMPDIR|(?:LC|XDG|COMPOSE|BUILDX|CONTAINERS)_\w+"
    r"|DOCKER_(?:HOST|CONTEXT|CONFIG|CERT_PATH|TLS|TLS_VERIFY|API_VERSION|BUILDKIT|DEFAULT_PLATFORM|CONTENT_TRUST)"
    r"|BUILDKIT_(?:HOST|PROGRESS|COLORS)|CONTAINER_(?:HOST|CONNECTION)|SSL_CERT_\w+"
)
"""Variables of the user's environment that hold no secret."""


def asks(
    stack: Stack,
    names: tuple[str, ...],
    root: PurePath | None,
    seen: tuple[str, ...] = (),
    shared: tuple[Mount, ...] = (),
) -> tuple[str, ...]:
    """Everything of these services that reaches outside of their containers, each in one printable line.

    `root` None: another machine runs them, whose folders are none of the project's. `seen`: variables of the user's
    environment that the file's text names. `shared`: volumes that the workbench has of them.
    """
    services = [stack.services[name] for name in _built(stack, names)]
    found = [sentence for each in services for sentence in _service(stack, each, root)]
    for mount in shared:
        for key in (key for key, name in stack.volumes.items() if name == mount.source):
            found += _declared(stack, key, root, "Read and write", mount.target, "(the workbench)")
    found += [f"See the value of your environment variable {name}." for name in secret(seen)]
    return tuple(dict.fromkeys(visible(sentence) for sentence in found))


def _built(stack: Stack, names: tuple[str, ...]) -> tuple[str, ...]:
    """These services, and those that their images are built from."""
    found = dict.fromkeys(names)
    waiting = [*names]
    while waiting:
        build = table(stack.services[waiting.pop()].said.get("build"))
        others = (each.removeprefix("service:") for each in _contexts(build) if each.startswith("service:"))
        new = [each for each in others if each in stack.services and each not in found]
        found |= dict.fromkeys(new)
        waiting += new
    return tuple(found)


def secret(seen: tuple[str, ...]) -> tuple[str, ...]:
    """Those of these variables that nobody but the user may know."""
    return tuple(name for name in seen if not OWN.fullmatch(name))


def variables(text: str) -> frozenset[str]:
    """The names of variables that a text is to be filled with: `$NAME`, `${NAME:-x}`; not `$$NAME`."""
    return frozenset(re.findall(r"(?<!\$)(?:\$\$)*\$\{?([A-Za-z_]\w*)", text))


def filled(text: str) -> frozenset[str]:
    """The names of variables that a file of `NAME=VALUE` lines takes over: named in a value, or alone in a line."""
    alone = re.findall(r"^[ \t]*(?:export[ \t]+)?([A-Za-z_]\w*)[ \t]*(?:#.*)?\r?$", text, re.MULTILINE)
    return variables(text) | {*alone}


def named(document: object) -> frozenset[str]:
    """The names of variables that the texts of a file are to be filled with."""
    found, waiting, known = frozenset[str](), [document], set[int]()
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            found |= variables(each)
        elif isinstance(each, Mapping | list) and id(each) not in known:
            known.add(id(each))
            waiting += [*each, *each.values()] if isinstance(each, Mapping) else each
    return found


def passed(document: Document) -> frozenset[str]:
    """The names of variables that a file takes over from the environment without naming their value."""
    services = _tables(document, "services")
    found = {name for each in services for name in _bare(each.get("environment"))}
    found |= {name for each in services for name in _bare(table(each.get("build")).get("args"))}
    for kind in ("secrets", "configs"):
        found |= {str(each["environment"]) for each in _tables(document, kind) if each.get("environment")}
    return frozenset(found)


def read(document: Document) -> frozenset[str]:
    """The files whose content a file takes over into environments and labels, as it names them."""
    found: set[str] = set()
    for each in _tables(document, "services"):
        for file in (*listed(each.get("env_file")), *listed(each.get("label_file"))):
            found.add(str(file.get("path", "")) if isinstance(file, Mapping) else str(file))
    return frozenset(found)


def extended(document: Document) -> frozenset[str]:
    """Further Compose files that services of a file are made of, as it names them."""
    found = (table(each.get("extends")).get("file") for each in _tables(document, "services"))
    return frozenset(str(file) for file in found if file)


def included(document: Document) -> Iterator[tuple[tuple[str, ...], str, tuple[str, ...]]]:
    """Of each inclusion: its Compose files, the folder that it begins from ("": the first file's), its env files."""
    for each in listed(document.get("include")):
        said = each if isinstance(each, Mapping) else {"path": each}
        files, variables = listed(said.get("path")), listed(said.get("env_file"))
        yield (
            tuple(str(file) for file in files),
            str(said.get("project_directory") or ""),
            tuple(str(file) for file in variables),
        )


def _tables(document: Document, key: str) -> list[Document]:
    return [table(each) for each in table(document.get(key)).values()]


def _bare(said: Any) -> Iterator[str]:
    if isinstance(said, Mapping):
        yield from (str(name) for name, value in said.items() if value is None)
    else:
        yield from (str(each) for each in listed(said) if "=" not in str(each))


def _service(stack: Stack, service: Service, root: PurePath | None) -> Iterator[str]:
    said, of = service.said, f"(service {service.name})"
    for key in sorted({*said} - HARMLESS - JUDGED):
        if said[key] not in (None, False, [], {}) and not key.startswith("x-"):
            yield f"Set `{key}` {of}."
    yield from _rights(said, of)
    yield from _spaces(said, of)
    yield from _engine(said, of)
    for port in listed(said.get("ports")):
        yield from _port(port, of)
    for each in listed(said.get("volumes")):
        yield from _volume(stack, each, root, of)
    for each in service.networks:
        yield from _network(stack, each, of)
    if said.get("build"):
        yield from _build(said["build"], root, of)
    yield from _files(stack, said, root, of)


def _engine(said: Document, of: str) -> Iterator[str]:
    """What the engine, and those who watch it, are to do."""
    if said.get("provider"):
        program = table(said["provider"]).get("type") or said["provider"]
        yield f"Run the program {program} on this machine, as you {of}."
    if said.get("use_api_socket"):
        yield f"Control this machine's engine, with your logins to registries {of}."
    for policy in (said.get("restart"), table(table(said.get("deploy")).get("restart_policy")).get("condition")):
        # An engine that starts a container again follows links anew which the container has put into the project.
        may = str(policy).startswith("on-failure") and not any(
            mounted(each)[0] == "bind" for each in listed(said.get("volumes"))
        )
        if str(policy or "no") not in ("no", "none") and not may:
            yield f"Be started again by the engine by itself: {policy} {of}."
    logging = table(said.get("logging"))
    if str(logging.get("driver") or "") not in LOGS:
        yield f"Have the engine send its log elsewhere: {logging['driver']} {of}."
    for option in sorted({*map(str, table(logging.get("options")))} - {*LOG_OPTIONS}):
        yield f"Set the option `{option}` of its log {of}."
    for label in (str(each).partition("=")[0] for each in listed(said.get("labels"))):
        if label.startswith(LABEL):
            yield f"Be taken for what Workbench has made: label {label} {of}."


def _rights(said: Document, of: str) -> Iterator[str]:
    if said.get("privileged"):
        yield f"Run privileged: the container then controls the machine {of}."
    for each in listed(said.get("cap_add")):
        yield f"Add the Linux capability {each} {of}."
    for each in listed(said.get("devices")):
        yield f"Open the device {each.get('source') if isinstance(each, Mapping) else each} {of}."
    reserved = table(table(table(said.get("deploy")).get("resources")).get("reservations")).get("devices")
    for each in map(table, (*listed(said.get("gpus")), *listed(reserved))):
        if each.get("driver") not in (None, "", "nvidia"):
            names = ", ".join(map(str, listed(each.get("device_ids"))))
            yield f"Open the devices {names or 'that there are'} of {each['driver']} {of}."
    for each in listed(said.get("security_opt")):
        if str(each).replace("=", ":") not in ("no-new-privileges:true", "no-new-privileges"):
            yield f"Change what keeps the container in: {each} {of}."
    for key in ("cgroup_parent", "device_cgroup_rules", "sysctls"):
        if said.get(key):
            yield f"Set `{key}` {of}."
    if said.get("runtime") not in (None, "nvidia", "runc"):
        yield f"Run by the runtime {said['runtime']} {of}."


def _spaces(said: Document, of: str) -> Iterator[str]:
    """Namespaces that are not the container's own, or another service's."""
    names = {
        "network_mode": "network",
        "pid": "processes",
        "ipc": "shared memory",
        "userns_mode": "users",
        "uts": "host name",
        "cgroup": "control groups",
    }
    for key, what in names.items():
        value = str(said.get(key) or "")
        if value == "host":
            yield f"Use this machine's {what} {of}."
        elif value not in _USUAL.get(key, ("", "private")) and not value.startswith("service:"):
            yield f"Share the {what} of {value.removeprefix('container:')} {of}."
    for key in ("volumes_from", "external_links"):
        for each in listed(said.get(key)):
            if key == "external_links" or str(each).startswith("container:"):
                yield f"Reach the container {str(each).removeprefix('container:')} {of}."


_USUAL = {
    "network_mode": ("", "bridge", "none", "default"),
    "ipc": ("", "private", "none", "shareable"),
    "userns_mode": ("", "private", "auto", "keep-id"),
}


def _port(said: Any, of: str) -> Iterator[str]:
    if isinstance(said, Mapping):
        address, published = str(said.get("host_ip") or ""), str(said.get("published") or "")
        told = f"{published or 'a free one'}:{said.get('target')}"
    else:
        *before, _ = re.split(r":(?![^\[]*\])", str(said))
        address = ":".join(before[:-1]) if len(before) > 1 else ""
        told = str(said)
    if not _is_loopback(address.strip("[]")):
        yield f"Open a port of the machine to others: {told} {of}."


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _volume(stack: Stack, said: Any, root: PurePath | None, of: str) -> Iterator[str]:
    kind, source, target, rest = mounted(said)
    read_only = bool(said.get("read_only")) if isinstance(said, Mapping) else "ro" in re.split("[:,]", rest)
    verb = "Read" if read_only else "Read and write"
    if kind == "volume" and source:
        yield from _declared(stack, source, root, verb, target, of)
    elif kind in ("bind", "npipe"):
        yield from _folder(source, root, verb, target, of)
    elif kind not in ("volume", "tmpfs"):
        yield f"Mount a {kind} (as {target}) {of}."


def _declared(stack: Stack, key: str, root: PurePath | None, verb: str, target: str, of: str) -> Iterator[str]:
    """A volume: one that others have made, or a place of the machine."""
    said = table(table(stack.document.get("volumes")).get(key))
    name = stack.volumes.get(key, key)
    if said.get("external") or name != f"{stack.name}_{key}":
        # Compose takes what has this name already, whoever made it.
        yield f"{verb} the volume {name} (as {target}) {of}."
    if said.get("driver") not in (None, "", "local"):
        yield f"Have a volume of the driver {said['driver']} (as {target}) {of}."
    options = table(said.get("driver_opts"))
    device, flags = str(options.get("device") or ""), str(options.get("o") or "").split(",")
    if {"bind", "rbind"} & {*flags}:
        # The engine begins from a folder of its own where this one is not absolute.
        if not device.startswith("/") or _is_outside(device, root):
            yield f"{verb} the folder or file {device} (as {target}) {of}."
    elif options and (options.get("type") != "tmpfs" or {*options} - {"type", "o", "device"}):
        told = ", ".join(f"{name}={value}" for name, value in sorted(options.items()))
        yield f"Mount with {told} (as {target}) {of}."


def _network(stack: Stack, key: str, of: str) -> Iterator[str]:
    said = table(table(stack.document.get("networks")).get(key))
    name = stack.networks.get(key, key)
    if said.get("external") or name != f"{stack.name}_{key}":
        yield f"Join the network {name}, and reach what is in it {of}."
    if said.get("driver") not in (None, "", "bridge", "default"):
        yield f"Have a network of the driver {said['driver']} {of}."
    for option, value in sorted(table(said.get("driver_opts")).items()):
        if option != "com.docker.network.driver.mtu":
            yield f"Have a network with {option}={value} {of}."
    ipam = table(said.get("ipam"))
    if ipam.get("driver") not in (None, "", "default"):
        yield f"Have a network with addresses of the driver {ipam['driver']} {of}."
    for each in map(table, listed(ipam.get("config"))):
        # What this machine sends there goes to the containers from then on.
        if not _is_free(str(each.get("subnet") or "")):
            yield f"Have the addresses {each['subnet']} of this machine's network {of}."


def _is_free(subnet: str) -> bool:
    """Whether nobody outside has such addresses: those that engines themselves give to networks."""
    try:
        found = ipaddress.ip_network(subnet, strict=False)
    except ValueError:
        return not subnet
    engines = ("172.16.0.0/12", "fc00::/7")
    return any(
        found.version == each.version and found.subnet_of(each)  # type: ignore[arg-type]
        for each in map(ipaddress.ip_network, engines)
    )


def _folder(source: str, root: PurePath | None, verb: str, target: str, of: str) -> Iterator[str]:
    if _is_outside(source, root):
        yield f"{verb} the folder or file {source} (as {target}) {of}."


def _build(said: Any, root: PurePath | None, of: str) -> Iterator[str]:
    said = {"context": said} if isinstance(said, str) else table(said)
    context = str(said.get("context") or "")
    for each in (context, *(each.removeprefix("oci-layout://") for each in _contexts(said))):
        if each.startswith(("/", ".", "~")) and _is_outside(each, root):
            yield f"Build from the folder {each} {of}."
    file = posixpath.normpath(posixpath.join(context, str(said.get("dockerfile") or "")))
    if context.startswith("/") and not _is_outside(context, root) and _is_outside(file, root):
        yield f"Build by the file {file} {of}."
    for key in ("cache_from", "cache_to"):
        for each in map(str, listed(said.get(key))):
            if "type=" in each and "type=registry" not in each and "type=inline" not in each:
                yield f"Keep what is built in {each} {of}."
    if str(said.get("network") or "default") not in ("default", "none", "bridge"):
        yield f"Build in {_whose(str(said['network']))} {of}."
    if said.get("privileged") or said.get("entitlements"):
        yield f"Build with more rights than usual {of}."
    if said.get("ssh"):
        yield f"Use your ssh agent in the build {of}."
    for key in sorted({*said} - BUILDS):
        if said[key] not in (None, False, [], {}) and not key.startswith("x-"):
            yield f"Set `{key}` of the build {of}."


def _contexts(build: Document) -> Iterator[str]:
    more = build.get("additional_contexts")
    if isinstance(more, Mapping):
        yield from map(str, more.values())
    else:
        yield from (str(each).partition("=")[2] for each in listed(more))


def _whose(network: str) -> str:
    return "this machine's network" if network == "host" else f"the network {network}"


def _files(stack: Stack, said: Document, root: PurePath | None, of: str) -> Iterator[str]:
    """Files that are seen as secrets and configurations."""
    build = table(said.get("build"))
    for each in (*listed(said.get("secrets")), *listed(said.get("configs")), *listed(build.get("secrets"))):
        name = str(each.get("source") or "") if isinstance(each, Mapping) else str(each)
        for kind in ("secrets", "configs"):
            file = str(table(table(stack.document.get(kind)).get(name)).get("file") or "")
            if file and _is_outside(file, root):
                yield f"Read the file {file} {of}."


def _is_outside(path: str, root: PurePath | None) -> bool:
    """Whether a path leads out of the project. One that climbs does, wherever it ends."""
    pure = PurePath(path)
    return (
        root is None or ".." in pure.parts or (pure.is_absolute() and not pure.is_relative_to(root)) or path[:1] == "~"
    )
