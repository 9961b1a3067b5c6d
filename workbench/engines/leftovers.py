"""What of ours on a container engine no workbench needs any more. Pure: lists from the engine in, leftovers out."""

import stat
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from workbench.engines.report import STATES, is_ours, is_workbench
from workbench.labels import BUILD, INPUTS, NAME, OWNER, PROJECT
from workbench.model import Leftover
from workbench.plan import naming

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Holdings:
    """Everything that an engine listed, all containers included. `sizes`: bytes by id (without `sha256:`) or name.

    `machine`: this one's id where the engine is on a dock; empty where it is here. `owner`: our user id there; what
    others have made on an engine that several people share is theirs.
    """

    containers: list[Entry]
    images: list[Entry]
    networks: list[Entry]
    volumes: list[Entry]
    sizes: Mapping[str, int] = field(default_factory=dict)
    machine: str = ""
    owner: str = ""

    def of_ours(self) -> "Holdings":
        """Without what carries somebody else's user id. All containers stay: they say what is in use."""
        images, networks, volumes = (
            [each for each in every if self.is_ours(each)] for every in (self.images, self.networks, self.volumes)
        )
        return replace(self, images=images, networks=networks, volumes=volumes)

    def is_ours(self, entry: Entry) -> bool:
        """Whether it says that it is ours, or does not say whose it is."""
        return bool((entry.get("Labels") or {}).get(OWNER, self.owner) == self.owner)

    def size(self, id: str) -> int | None:
        """Bytes that removing it gives back, None when not known."""
        return self.sizes.get(id.removeprefix("sha256:"))


def sizes(usage: Entry) -> dict[str, int]:
    """Sizes from the engine's own account: what a container wrote, an image's own layers, a volume."""
    found = {entry["Id"]: entry.get("SizeRw") or 0 for entry in usage.get("Containers") or ()}
    for image in usage.get("Images") or ():
        shared = max(image.get("SharedSize") or 0, 0)
        found[image["Id"].removeprefix("sha256:")] = max(image["Size"] - shared, 0)
    for volume in usage.get("Volumes") or ():
        size = (volume.get("UsageData") or {}).get("Size", -1)
        if size >= 0:
            found[volume["Name"]] = size
    return found


def leftovers(held: Holdings) -> list[Leftover]:
    """Stopped workbenches, images of the past, networks and volumes whose workbench is gone.

    Those of other people are theirs, and so are those of other machines, for whom this one is a dock.
    """
    mine = held.of_ours()
    found = (*_containers(mine), *_images(mine), *_networks(mine), *_volumes(mine))
    return [each for each in found if naming.place_of(each.project)[0] == held.machine]


def _containers(held: Holdings) -> Iterable[Leftover]:
    for entry in held.containers:
        labels = entry["Labels"]
        state = STATES.get(entry["State"], "dead")
        if is_workbench(labels) and state != "running" and held.is_ours(entry):
            name = entry["Names"][0].lstrip("/")
            project = labels.get(PROJECT, "")
            yield Leftover("container", entry["Id"], name, project, state, held.size(entry["Id"]))


def is_built(labels: Mapping[str, str] | None) -> bool:
    """Whether an image was built by us: for a workbench, or from a folder of a project."""
    return bool({BUILD, INPUTS} & set(labels or ()))


def _images(held: Holdings) -> Iterable[Leftover]:
    used = {_plain(entry["ImageID"]) for entry in held.containers}
    yield from _of_folders(held, used)
    ours = [image for image in held.images if BUILD in (image.get("Labels") or ())]
    newest: dict[str, Entry] = {}
    for image in sorted(ours, key=lambda each: (bool(_tags(each)), each["Created"])):
        newest[image["Labels"].get(PROJECT, "")] = image
    for image in ours:
        project = image["Labels"].get(PROJECT, "")
        tags = _tags(image)
        gone = not _is_there(project)
        # Two projects of one name share a tag, which only one of them can hold: then the newest is what counts.
        current = bool(tags) or newest[project] is image
        if _plain(image["Id"]) not in used and (gone or not current):
            why = "project is gone" if gone else "replaced by a newer one"
            name = tags[0] if tags else _plain(image["Id"])[:12]
            yield Leftover("image", image["Id"], name, project, why, held.size(image["Id"]))


def _of_folders(held: Holdings, used: Collection[str]) -> Iterable[Leftover]:
    """Images of a project's `docker/` that another one has taken the name of. One with a name is never too many."""
    for image in held.images:
        labels = image.get("Labels") or {}
        if is_built(labels) and BUILD not in labels and not _tags(image) and _plain(image["Id"]) not in used:
            id, project = _plain(image["Id"]), labels.get(PROJECT, "")
            yield Leftover("image", image["Id"], id[:12], project, "replaced by a newer one", held.size(id))


def _networks(held: Holdings) -> Iterable[Leftover]:
    used = {name for entry in held.containers for name in (entry.get("NetworkSettings") or {}).get("Networks") or ()}
    for network in held.networks:
        if is_ours(network["Labels"]) and network["Name"] not in used:
            project = network["Labels"].get(PROJECT, "")
            yield Leftover("network", network["Id"], network["Name"], project, "no workbench uses it", 0)


def _volumes(held: Holdings) -> Iterable[Leftover]:
    alive = {entry["Labels"][NAME] for entry in held.containers if is_workbench(entry["Labels"])}
    mounted = {mount.get("Name") for entry in held.containers for mount in entry.get("Mounts") or ()}
    for volume in held.volumes:
        labels = volume["Labels"] or {}
        if is_ours(labels) and labels.get(NAME) not in alive and volume["Name"] not in mounted:
            name, project = volume["Name"], labels.get(PROJECT, "")
            yield Leftover("volume", name, name, project, "its workbench is gone", held.size(name))


def _tags(image: Entry) -> list[str]:
    return [tag.removeprefix("localhost/") for tag in image.get("RepoTags") or () if "<none>" not in tag]


def _plain(id: str) -> str:
    return id.removeprefix("sha256:")


def _is_there(project: str) -> bool:
    """Whether a project's folder is there. One that this user may not look at is somebody else's."""
    try:
        folder = naming.place_of(project)[1]
        return bool(folder) and stat.S_ISDIR(Path(folder).stat().st_mode)
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False
