"""Images to and from registries, with the user's own logins."""

import os
import re
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.engines import images
from workbench.engines.failures import pull_refusal, push_refusal
from workbench.errors import EngineError
from workbench.images.spec import Login
from workbench.model import Event

if TYPE_CHECKING:
    from workbench.engines.sdk import Client

Entry = Mapping[str, Any]


def push(client: "Client", reference: str, login: Login | None) -> Generator[Event, None, str]:
    """Push; returns the digest that the registry knows it by."""
    repository, tag = images.split(reference)
    try:
        messages = client.push(repository, tag, stream=True, decode=True, auth_config=_login(client, reference, login))
        return (yield from push_events(client.guarded(messages), reference))
    except EngineError as error:
        raise push_refusal(" ".join((error.message, *error.detail)), reference, client.dialect.title) from error


def pull(client: "Client", reference: str, login: Login | None) -> Iterator[Event]:
    """Pull, whatever is here under that name."""
    repository, tag = images.split(reference)
    try:
        messages = client.pull(repository, tag, stream=True, decode=True, auth_config=_login(client, reference, login))
        yield from images.pull_events(client.guarded(messages), reference)
    except EngineError as error:
        raise pull_refusal(" ".join((error.message, *error.detail)), reference, client.dialect.title) from error


def push_events(messages: Iterable[Entry], reference: str) -> Generator[Event, None, str]:
    """The engine's news of a push, each layer that moves as a step; returns the digest. An `error` in it is raised."""
    name, begun, digest = f"Push {reference}", time.monotonic(), ""
    yield Event("step", name, "push")
    layers: dict[str, float] = {}
    for message in messages:
        if "error" in message:
            raise EngineError(str(message["error"]))
        digest = (message.get("aux") or {}).get("Digest") or _said(message) or digest
        detail, id = message.get("progressDetail") or {}, message.get("id", "")
        layer, step = f"Layer {id}", f"push {id}"
        if message.get("status") == "Pushing" and detail.get("total"):
            if id not in layers:
                layers[id] = time.monotonic()
                yield Event("step", layer, step)
            # Docker counts the tar archive's own bytes too.
            yield Event("progress", layer, step, min(detail.get("current", 0), detail["total"]), detail["total"])
        elif message.get("status") == "Pushed" and id in layers:
            yield Event("done", layer, step, seconds=time.monotonic() - layers.pop(id))
    yield Event("done", name, "push", seconds=time.monotonic() - begun)
    return digest


def _said(message: Entry) -> str:
    """The digest in the last words of a push; older engines say it nowhere else."""
    found = re.search(r"digest: (sha256:[0-9a-f]{64})", str(message.get("status") or message.get("stream") or ""))
    return found[1] if found else ""


def _login(client: "Client", reference: str, login: Login | None) -> dict[str, str] | None:
    """What the SDK is to use in place of what it finds in Docker's own configuration; None leaves that to it."""
    if login:
        return {"username": login.user, "password": login.password, "serveraddress": login.registry}
    return client.login_of(reference, podman_files(os.environ)) if client.dialect.name == "podman" else None


def podman_files(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Where `podman login` keeps logins, the one that it prefers first. Docker's own file comes after them."""
    named = environ.get("REGISTRY_AUTH_FILE")
    runtime = environ.get("XDG_RUNTIME_DIR")
    config = Path(environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    found = [Path(named)] if named else [Path(runtime, "containers/auth.json")] if runtime else []
    return (*found, config / "containers/auth.json")
