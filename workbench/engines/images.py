"""Images: which is there for a build, and having it, by pulling or building."""

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from workbench.engines import builder
from workbench.engines.failures import Absent, pull_refusal
from workbench.errors import EngineError
from workbench.labels import BUILD, INPUTS, PROJECT
from workbench.model import Event, ImageBuild, ImageUse

if TYPE_CHECKING:
    from workbench.engines.sdk import Client

Entry = Mapping[str, Any]


def present(client: "Client", build: ImageBuild | ImageUse) -> Mapping[str, str] | None:
    """Inputs of the image of this digest, else of the last one built for it, else None."""
    if isinstance(build, ImageUse):
        return {} if _exists(client, build.tag) else None
    found = choose(_labelled(client, build), build)
    return _inputs(found) if found else None


def provide(client: "Client", build: ImageBuild | ImageUse) -> Iterator[Event]:
    """Have the image, under its tag."""
    if isinstance(build, ImageUse):
        yield from _provide_as_is(client, build)
        return
    found = choose(_labelled(client, build), build)
    if found and found["Labels"][BUILD] == build.digest and not build.force:
        if not is_tagged(found, build.tag):
            client.tag(found["Id"], *split(build.tag), force=True)
        return
    if build.base:
        yield from _provide_base(client, build)
    yield from builder.build(build, client.dialect, client.address)


def choose(images: Iterable[Entry], build: ImageBuild) -> Entry | None:
    """The image of this very digest, else the one with the build's tag, else the newest: of the same project."""
    project = build.labels.get(PROJECT)
    mine = [image for image in images if (image.get("Labels") or {}).get(PROJECT) == project]

    def likeness(image: Entry) -> tuple[bool, bool, int]:
        return image["Labels"].get(BUILD) == build.digest, is_tagged(image, build.tag), image["Created"]

    return max(mine, key=likeness, default=None)


def of_build(client: "Client", digest: str) -> str:
    """The id of the image of this build, whatever its tag is now."""
    found = client.images(filters={"label": f"{BUILD}={digest}"})
    if not found:
        raise EngineError("The image that was just built is gone.", "Somebody removed it: run the command again.")
    return str(found[0]["Id"])


def is_tagged(image: Entry, tag: str) -> bool:
    """Whether an image has the tag; Podman writes the host `localhost` before short ones."""
    return bool({tag, f"localhost/{tag}", f"docker.io/library/{tag}"} & set(image.get("RepoTags") or ()))


def _inputs(image: Entry) -> Mapping[str, str]:
    try:
        found: Any = json.loads(image["Labels"].get(INPUTS) or "{}")
    except ValueError:
        # Somebody else's label: then everything has changed.
        return {}
    return found if isinstance(found, dict) else {}


def _labelled(client: "Client", build: ImageBuild) -> list[Entry]:
    project = build.labels.get(PROJECT)
    # One label only: Podman 4 finds nothing by two.
    found = client.images(filters={"label": f"{PROJECT}={project}" if project else BUILD})
    return [image for image in found if BUILD in (image.get("Labels") or ())]


def _exists(client: "Client", tag: str) -> bool:
    try:
        client.image(tag)
    except Absent:
        return False
    return True


def _provide_as_is(client: "Client", build: ImageUse) -> Iterator[Event]:
    there = _exists(client, build.tag)
    if there and not build.force:
        return
    if not build.pull:
        if there:
            return
        raise _offline(build.tag)
    yield from _pull(client, build.tag, there=there)


def _provide_base(client: "Client", build: ImageBuild) -> Iterator[Event]:
    """The base: fetched here and not by the build, which would fail although an older one is there."""
    there = _exists(client, build.base)
    if there and not (build.force and build.pull and not build.before):
        return
    if not build.pull:
        raise _offline(build.base)
    yield from _pull(client, build.base, there=there)


def _offline(tag: str) -> EngineError:
    return EngineError(
        f"The image {tag} is not here, and --offline forbids to pull it.", f"Pull it before: docker pull {tag}"
    )


def _pull(client: "Client", tag: str, *, there: bool) -> Iterator[Event]:
    repository, version = split(tag)
    try:
        messages = client.pull(repository, version, stream=True, decode=True)
        yield from pull_events(client.guarded(messages), tag)
    except EngineError as error:
        text = " ".join((error.message, *error.detail))
        refused = pull_refusal(text, tag, client.dialect.title)
        if not there:
            raise refused from error
        yield Event("note", f"{refused.message} The one that is here is used.")


def pull_events(messages: Iterable[Entry], tag: str) -> Iterator[Event]:
    """The engine's news of a pull as one step, in bytes over all layers; an `error` in it is raised."""
    name, started = f"Pull {tag}", time.monotonic()
    yield Event("step", name, "pull")
    layers: dict[str, tuple[int, int]] = {}
    for message in messages:
        if "error" in message:
            raise EngineError(str(message["error"]))
        detail = message.get("progressDetail") or {}
        if message.get("status") == "Downloading" and detail.get("total"):
            layers[message["id"]] = (detail.get("current", 0), detail["total"])
        elif message.get("status") in ("Download complete", "Pull complete") and message.get("id") in layers:
            layers[message["id"]] = (layers[message["id"]][1],) * 2
        else:
            continue
        done, total = (sum(pair) for pair in zip(*layers.values(), strict=True))
        yield Event("progress", name, "pull", done, total)
    yield Event("done", name, "pull", seconds=time.monotonic() - started)


def split(tag: str) -> tuple[str, str]:
    """Repository and tag, or digest, of an image's name."""
    if "@" in tag:
        repository, _, digest = tag.partition("@")
        return repository, digest
    head, slash, last = tag.rpartition("/")
    name, _, version = last.partition(":")
    return head + slash + name, version or "latest"
