"""What a Compose file asks of this machine, as sentences for the one who must agree. Pure.

Whatever is not known to stay inside a container is asked: a key that Compose learns next year too.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from workbench.plan.services import Document, Service, Stack, mounted

HARMLESS = frozenset(
    re.findall(
        r"\w+",
        "annotations attach blkio_config cap_drop command configs container_name cpu_count cpu_percent cpu_period"
        " cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares cpus cpuset depends_on deploy develop dns dns_opt"
        " dns_search domainname entrypoint environment env_file expose extends extra_hosts gpus group_add healthcheck"
        " hostname image init labels links logging mac_address mem_limit mem_reservation mem_swappiness memswap_limit"
        " oom_kill_disable oom_score_adj pids_limit platform profiles pull_policy read_only scale secrets shm_size"
        " stdin_open stop_grace_period stop_signal storage_opt tmpfs tty ulimits user working_dir",
    )
)
"""Keys of a service that reach nothing outside of its container."""
JUDGED = frozenset(
    re.findall(
        r"\w+",
        "build cap_add cgroup cgroup_parent device_cgroup_rules devices external_links ipc network_mode networks pid"
        " ports privileged restart runtime security_opt sysctls userns_mode uts volumes volumes_from",
    )
)
"""Keys that are looked at one by one."""
LOOPBACK = ("127.", "::1", "[::1]", "localhost")
OWN = ("USER", "LOGNAME", "HOME", "PWD", "UID", "GID", "LANG", "PATH", "HOSTNAME", "SHELL", "TERM")
"""Variables of the user's environment that hold no secret; with those that begin with COMPOSE_ or DOCKER_."""


def asks(stack: Stack, names: tuple[str, ...], root: PurePath | None, seen: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Everything of these services that reaches outside of their containers.

    `root` None: another machine runs them, whose folders are none of the project's. `seen`: variables of the user's
    environment that the file's text names.
    """
    found = dict.fromkeys(
        sentence for name in names for sentence in _service(stack, stack.services[name], root) if sentence
    )
    found |= dict.fromkeys(f"See the value of your environment variable {name}." for name in secret(seen))
    return tuple(found)


def secret(seen: tuple[str, ...]) -> tuple[str, ...]:
    """Those of these variables that nobody but the user may know."""
    return tuple(name for name in seen if name not in OWN and not name.startswith(("COMPOSE_", "DOCKER_", "LC_")))


def variables(text: str) -> frozenset[str]:
    """The names of variables that a text is to be filled with: `$NAME`, `${NAME:-x}`; not `$$NAME`."""
    return frozenset(re.findall(r"(?<!\$)(?:\$\$)*\$\{?([A-Za-z_]\w*)", text))


def passed(document: Document) -> frozenset[str]:
    """The names of variables that a file takes over from the environment without naming their value."""
    services = [each or {} for each in (document.get("services") or {}).values()]
    builds = [each["build"] for each in services if isinstance(each.get("build"), Mapping)]
    found = {name for each in services for name in _bare(each.get("environment"))}
    found |= {name for each in builds for name in _bare(each.get("args"))}
    for kind in ("secrets", "configs"):
        found |= {
            str(each["environment"]) for each in (document.get(kind) or {}).values() if "environment" in (each or {})
        }
    return frozenset(found)


def read(document: Document) -> frozenset[str]:
    """The files whose content a file takes over into environments, as it names them."""
    found: set[str] = set()
    for each in (document.get("services") or {}).values():
        listed = (each or {}).get("env_file") or ()
        for file in [listed] if isinstance(listed, str) else listed:
            found.add(str(file.get("path", "")) if isinstance(file, Mapping) else str(file))
    return frozenset(found)


def others(document: Document) -> frozenset[str]:
    """Further Compose files that a file is made of, as it names them."""
    found: set[str] = set()
    for each in document.get("include") or ():
        paths = each.get("path") or () if isinstance(each, Mapping) else each
        found |= {paths} if isinstance(paths, str) else {str(path) for path in paths}
    for each in (document.get("services") or {}).values():
        extended = (each or {}).get("extends")
        if isinstance(extended, Mapping) and extended.get("file"):
            found.add(str(extended["file"]))
    return frozenset(found)


def _bare(said: Any) -> Iterator[str]:
    if isinstance(said, Mapping):
        yield from (str(name) for name, value in said.items() if value is None)
    else:
        yield from (str(each) for each in said or () if "=" not in str(each))


def _service(stack: Stack, service: Service, root: PurePath | None) -> Iterator[str]:
    said, of = service.said, f"(service {service.name})"
    for key in sorted({*said} - HARMLESS - JUDGED):
        if said[key] not in (None, False, [], {}) and not key.startswith("x-"):
            yield f"Set `{key}` {of}."
    yield from _rights(said, of)
    yield from _spaces(said, of)
    for port in said.get("ports") or ():
        yield from _port(port, of)
    if str(said.get("restart") or "no") not in ("no", "False") and not str(said["restart"]).startswith("on-failure"):
        yield f"Be started again by the engine by itself: {said['restart']} {of}."
    for each in said.get("volumes") or ():
        yield from _volume(stack, each, root, of)
    for each in service.networks:
        if (((stack.document.get("networks") or {}).get(each)) or {}).get("external"):
            yield f"Join the network {stack.networks[each]}, and reach what is in it {of}."
    if said.get("build"):
        yield from _build(said["build"], root, of)
    yield from _files(stack, said, root, of)


def _rights(said: Document, of: str) -> Iterator[str]:
    if said.get("privileged"):
        yield f"Run privileged: the container then controls the machine {of}."
    for each in said.get("cap_add") or ():
        yield f"Add the Linux capability {each} {of}."
    for each in said.get("devices") or ():
        yield f"Open the device {each.get('source') if isinstance(each, Mapping) else each} {of}."
    for each in said.get("security_opt") or ():
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
        elif value.startswith("container:") or (key == "network_mode" and value not in _NETWORKS and ":" not in value):
            yield f"Share the {what} of {value.removeprefix('container:')} {of}."
    for key in ("volumes_from", "external_links"):
        for each in said.get(key) or ():
            if key == "external_links" or str(each).startswith("container:"):
                yield f"Reach the container {str(each).removeprefix('container:')} {of}."


_NETWORKS = ("", "bridge", "none", "default")


def _port(said: Any, of: str) -> Iterator[str]:
    if isinstance(said, Mapping):
        address, published = str(said.get("host_ip") or ""), str(said.get("published") or "")
        told = f"{published or 'a free one'}:{said.get('target')}"
    else:
        *before, _ = re.split(r":(?![^\[]*\])", str(said))
        address = ":".join(before[:-1]) if len(before) > 1 else ""
        told = str(said)
    if not address.startswith(LOOPBACK):
        yield f"Open a port of the machine to others: {told} {of}."


def _volume(stack: Stack, said: Any, root: PurePath | None, of: str) -> Iterator[str]:
    kind, source, target, rest = mounted(said)
    read_only = bool(said.get("read_only")) if isinstance(said, Mapping) else "ro" in re.split("[:,]", rest)
    verb = "Read" if read_only else "Read and write"
    if kind == "volume" and source:
        declared = (stack.document.get("volumes") or {}).get(source) or {}
        device = str((declared.get("driver_opts") or {}).get("device") or "")
        if device and (declared.get("driver_opts") or {}).get("type") != "tmpfs":
            yield from _folder(device, root, verb, target, of)
        if declared.get("external"):
            yield f"{verb} the volume {stack.volumes[source]} (as {target}) {of}."
    elif kind in ("bind", "npipe"):
        yield from _folder(source, root, verb, target, of)
    elif kind not in ("volume", "tmpfs"):
        yield f"Mount a {kind} (as {target}) {of}."


def _folder(source: str, root: PurePath | None, verb: str, target: str, of: str) -> Iterator[str]:
    if _is_outside(source, root):
        yield f"{verb} the folder or file {source} (as {target}) {of}."


def _build(said: Any, root: PurePath | None, of: str) -> Iterator[str]:
    said = {"context": said} if isinstance(said, str) else said
    context = str(said.get("context") or "")
    if context.startswith("/") and _is_outside(context, root):
        yield f"Build from the folder {context} {of}."
    more = said.get("additional_contexts") or {}
    listed = more.values() if isinstance(more, Mapping) else (str(each).partition("=")[2] for each in more)
    for each in listed:
        if str(each).startswith(("/", ".")) and _is_outside(str(each), root):
            yield f"Build from the folder {each} {of}."
    if said.get("network") == "host":
        yield f"Build in this machine's network {of}."
    if said.get("privileged") or said.get("entitlements"):
        yield f"Build with more rights than usual {of}."
    if said.get("ssh"):
        yield f"Use your ssh agent in the build {of}."


def _files(stack: Stack, said: Document, root: PurePath | None, of: str) -> Iterator[str]:
    """Files that are seen as secrets and configurations."""
    build = said.get("build")
    used = [*(said.get("secrets") or ()), *(said.get("configs") or ())]
    used += [*((build.get("secrets") or ()) if isinstance(build, Mapping) else ())]
    for each in used:
        name = str(each.get("source") or "") if isinstance(each, Mapping) else str(each)
        for kind in ("secrets", "configs"):
            declared = (stack.document.get(kind) or {}).get(name) or {}
            if declared.get("file") and _is_outside(str(declared["file"]), root):
                yield f"Read the file {declared['file']} {of}."


def _is_outside(path: str, root: PurePath | None) -> bool:
    """Whether a path leads out of the project. One that climbs does, wherever it ends."""
    pure = PurePath(path)
    return (
        root is None or ".." in pure.parts or (pure.is_absolute() and not pure.is_relative_to(root)) or path[:1] == "~"
    )
