"""Every name that a workbench has on an engine and in a browser, from the project alone."""

import hashlib
import re

from workbench.model import DockFacts, Project, Running

ASIDE = ".aside"
NETWORK = "workbench"


def workbench_name(project: str, root: str) -> str:
    """The workbench's own name and the host part of its URL: readable, unique per folder, at most 47 characters."""
    return f"{project[:40].strip('-')}-{hashlib.sha256(root.encode()).hexdigest()[:6]}"


def name_of(project: Project, dock: DockFacts | None = None) -> str:
    """The name of the workbench of a project, which has another one on each dock."""
    where = str(project.root)
    return workbench_name(project.name, f"{dock.machine}:{dock.name}:{where}" if dock else where)


def label_of(project: Project, dock: DockFacts | None = None) -> str:
    """The project as an engine knows it: on a dock there may be others of the same path, of other machines."""
    return f"{dock.machine}:{project.root}" if dock else str(project.root)


def place_of(label: str) -> tuple[str, str]:
    """The machine of a project as `label_of` has it, empty for the engine's own, and the project's folder there."""
    machine, mark, folder = label.partition(":")
    return (machine, folder) if mark and re.fullmatch("[0-9a-f]{8}", machine) else ("", label)


def copy_of(project: Project, dock: DockFacts) -> str:
    """The folder of a dock that is kept the same as the project."""
    return f"{dock.projects}/{name_of(project, dock)}"


def container(name: str) -> str:
    """The container's name; also the stem of what belongs to it."""
    return f"workbench-{name}"


def aside(container: str) -> str:
    """The container's name while another one is tried in its place. No workbench is called so: see `workbench_name`."""
    return f"{container}{ASIDE}"


def container_of(running: Running) -> str:
    """The name that an engine has for a workbench's container; the local one's records go by it as their id."""
    return running.id if running.engine == "local" else running.container


def is_aside(running: Running) -> bool:
    """Whether a workbench was set aside."""
    return container_of(running).endswith(ASIDE)


def home_volume(name: str) -> str:
    """The volume that holds HOME."""
    return f"workbench-{name}-home"


def network(name: str, *, shared: bool) -> str:
    """One network for all where it keeps containers apart, else one each."""
    return NETWORK if shared else f"workbench-{name}"


def image(project: str, folder: str, user: str) -> str:
    """`<project>-<folder>:<user>`, as dockerutils names images."""
    return f"{project}-{image_part(folder)}:{image_tag(user)}"


def image_part(folder: str) -> str:
    """A folder's name as a part of an image's, which has small letters and digits, and single signs between them."""
    if re.fullmatch(r"[a-z0-9]+((\.|__?|-+)[a-z0-9]+)*", folder):
        return folder
    return re.sub(r"[^a-z0-9]+", "-", folder.lower()).strip("-") or "image"


def image_tag(user: str) -> str:
    """A user's name as a tag."""
    return (re.sub(r"[^A-Za-z0-9_.-]", "-", user).lstrip(".-") or "latest")[:120]


def local_host(name: str) -> str:
    """The host name that browsers resolve to this machine and keep cookies apart by."""
    return f"{name}.localhost"


def first_port(root: str) -> int:
    """The port that a project asks for first: stable, between 20000 and 29999 (below the ephemeral range)."""
    return 20000 + int.from_bytes(hashlib.sha256(root.encode()).digest()[:4]) % 10000
