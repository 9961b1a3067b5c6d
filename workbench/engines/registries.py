"""Images to and from registries, with the user's own logins."""

import os
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
    said = _Digest()
    try:
        messages = client.push(repository, tag, stream=True, decode=True, auth_config=_login(client, reference, login))
        heard = said.of(client.guarded(messages))
        yield from images.layer_events(heard, f"Push {reference}", "push", ("Pushing",), ("Pushed",))
    except EngineError as error:
        raise push_refusal(" ".join((error.message, *error.detail)), reference, client.dialect.title) from error
    return said.digest


def pull(client: "Client", reference: str, login: Login | None) -> Iterator[Event]:
    """Pull, whatever is here under that name."""
    repository, tag = images.split(reference)
    try:
        messages = client.pull(repository, tag, stream=True, decode=True, auth_config=_login(client, reference, login))
        yield from images.pull_events(client.guarded(messages), reference)
    except EngineError as error:
        raise pull_refusal(" ".join((error.message, *error.detail)), reference, client.dialect.title) from error


class _Digest:
    """Passes messages on, and keeps the digest that one of them tells."""

    digest = ""

    def of(self, messages: Iterable[Entry]) -> Iterator[Entry]:
        for message in messages:
            self.digest = (message.get("aux") or {}).get("Digest", self.digest)
            yield message


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
