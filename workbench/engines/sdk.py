"""The one importer of the Docker SDK, and the one place where its errors become ours. Imported late: it is slow."""

import errno
import json
import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import requests
import urllib3
from docker.api.client import APIClient
from docker.errors import DockerException
from docker.tls import TLSConfig
from docker.transport import UnixHTTPAdapter

from docker import auth
from workbench.engines.dialect import Dialect
from workbench.engines.failures import Absent, refusal
from workbench.engines.sockets import Address, start_hint
from workbench.errors import EngineError, NoEngineError, WorkbenchError

HANDSHAKE = 10
"""Seconds after which an engine that does not answer is reported."""
PATIENCE = 120
"""Seconds that one call to an engine that did answer may take; a busy one needs them to start containers."""
OLDEST, NEWEST = (1, 41), (1, 51)
"""API versions that we speak."""
LISTINGS = 10
"""Times that a listing is asked for again which failed because one of the listed went."""

DOCTOR = "`workbench doctor` looks at the engine."

T = TypeVar("T")


class _Pool(UnixHTTPAdapter):
    """One pool of connections for the whole engine; the SDK's own makes one for each URL."""

    def get_connection(self, url: str | bytes, proxies: Any = None) -> Any:
        return super().get_connection("http+docker://localhost", proxies)


class Client(APIClient):
    """The SDK's low-level client, connected. `podman` is Podman's version, empty for Docker.

    Raises `NoEngineError` when nothing usable answers, and subclasses of `EngineError` from every call.
    """

    def __init__(self, dialect: Dialect, address: Address) -> None:
        self.dialect, self.address = dialect, address
        with self._mapped():
            super().__init__(address.url, version="1.41", timeout=HANDSHAKE, tls=_tls(address))
            if address.url.startswith("unix://"):
                # Neither proxies nor .netrc matter to a socket, and looking for them takes time.
                self.trust_env = False
                self.mount("http+docker://", _Pool("http+" + address.url, PATIENCE))
            answer = self.get(f"{self.base_url}/_ping", timeout=HANDSHAKE)
            self._raise_for_status(answer)
        self._version = self._common(answer.headers.get("Api-Version", ""))
        self.podman: str = answer.headers.get("Libpod-Api-Version", "")
        self.timeout = PATIENCE

    def create(self, body: dict[str, Any], name: str) -> str:
        """Create a container from the API's own body; returns its id."""
        return str(self.create_container_from_config(body, name)["Id"])  # type: ignore[no-untyped-call]

    def image(self, name: str) -> dict[str, Any]:
        """What the engine knows of an image."""
        found: dict[str, Any] = self.inspect_image(name)  # type: ignore[no-untyped-call]
        return found

    def images(self, *args: Any, **kwargs: Any) -> Any:
        """The engine's images."""
        return self._whole(lambda: super(Client, self).images(*args, **kwargs))

    def check_health(self, id: str) -> None:
        """Have Podman run a container's health check now."""
        answer = self.get(f"{self.base_url}/v4.0.0/libpod/containers/{quote(id)}/healthcheck")
        self._raise_for_status(answer)

    def has_names(self, network: str) -> bool:
        """Whether Podman resolves the names of containers in a network."""
        answer = self.get(f"{self.base_url}/v4.0.0/libpod/networks/{quote(network)}/json")
        self._raise_for_status(answer)
        return bool(answer.json().get("dns_enabled"))

    def df(self) -> Any:
        """The engine's own account of the disk that it uses."""
        return self._whole(super().df)

    def _whole(self, listing: Callable[[], T]) -> T:
        """A listing; Podman's fails when one of its images goes meanwhile, and is then asked for again."""
        for _ in range(LISTINGS):
            try:
                return listing()
            except Absent:
                continue
        return listing()

    def login_of(self, reference: str, files: Iterable[Path]) -> dict[str, str] | None:
        """The login for an image's registry, from the first of these files that has one; None for Docker's own."""
        registry, _ = auth.resolve_repository_name(reference)
        for file in (file for file in files if file.is_file()):
            with self._mapped():
                found = auth.load_config(str(file)).resolve_authconfig(registry)
            if found:
                return dict(found)
        return None

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        """Every call of the SDK goes through here."""
        with self._mapped():
            return super().request(*args, **kwargs)

    def guarded(self, items: Iterable[T]) -> Iterator[T]:
        """The items of a stream, with its failures as ours."""
        with self._mapped():
            yield from items

    @contextmanager
    def streaming(self) -> Iterator[None]:
        """Use of a raw stream, with its failures as ours."""
        with self._mapped():
            yield

    def _result(self, response: requests.Response, *args: Any, **kwargs: Any) -> Any:
        with self._mapped():
            return super()._result(response, *args, **kwargs)  # type: ignore[misc]

    def _raise_for_status(self, response: requests.Response) -> None:
        if response.status_code >= 400:
            raise refusal(response.status_code, _message(response), self.dialect.title)

    def _common(self, theirs: str) -> str:
        """The newest API version that both sides speak."""
        try:
            version = tuple(int(part) for part in theirs.split("."))
        except ValueError as error:
            raise self._none("is not a container engine", f"Check {self.address.origin}.") from error
        if version < OLDEST:
            raise self._none(f"is too old (API {theirs})", "Upgrade it: Docker 20.10 or Podman 4 at least.")
        return ".".join(str(part) for part in min(version, NEWEST))

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        try:
            yield
        except WorkbenchError:
            raise
        except json.JSONDecodeError as error:
            raise EngineError(f"{self.dialect.title} gave an answer that makes no sense: {error}.", DOCTOR) from error
        except (requests.Timeout, TimeoutError, urllib3.exceptions.TimeoutError) as error:
            raise self._none(f"did not answer within {self._patience()} s", _stuck(self.dialect)) from error
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise self._unreachable(error) from error
        except (DockerException, ValueError) as error:
            raise self._none(f"cannot be used: {error}", f"Check {self.address.origin}.") from error

    def _patience(self) -> int:
        return int(getattr(self, "timeout", HANDSHAKE))

    def _unreachable(self, error: BaseException) -> NoEngineError:
        """Why there is no connection, from the operating system's error at the bottom."""
        causes = list(_causes(error))
        if any(isinstance(cause, TimeoutError) for cause in causes):
            return self._none(f"did not answer within {self._patience()} s", _stuck(self.dialect))
        if any(isinstance(cause, ssl.SSLError) for cause in causes):
            return self._none(f"has a certificate that is not trusted: {causes[-1]}", "Check DOCKER_CERT_PATH.")
        codes = {cause.errno for cause in causes if isinstance(cause, OSError) and cause.errno}
        if codes & {errno.EACCES, errno.EPERM}:
            return self._none("does not let this user in", _permission(self.dialect))
        chosen = f"Correct or unset {self.address.origin}, or start the engine there."
        hint = chosen if self.address.chosen else start_hint(self.dialect)
        if codes & {errno.ENOENT, errno.ECONNREFUSED, errno.ENOTSOCK, errno.ENOTDIR}:
            return self._none("does not answer: nothing listens there", hint)
        return self._none(f"does not answer: {causes[-1]}", hint)

    def _none(self, what: str, hint: str) -> NoEngineError:
        place = f"{self.address.url}, from {self.address.origin}" if self.address.chosen else self.address.url
        return NoEngineError(f"{self.dialect.title} ({place}) {what}.", hint)


def _tls(address: Address) -> Any:
    if not address.tls:
        return False
    folder = Path(address.tls)
    pair = (str(folder / "cert.pem"), str(folder / "key.pem"))
    authority = str(folder / "ca.pem") if (folder / "ca.pem").exists() else None
    return TLSConfig(pair if (folder / "cert.pem").exists() else None, authority, address.verify)


def _message(response: requests.Response) -> str:
    """The engine's words in a refusal."""
    try:
        body = response.json()
    except ValueError:
        return response.text.strip()
    return str(body.get("message") or body.get("cause") or body) if isinstance(body, dict) else str(body)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what is wrapped in it, outermost first."""
    yield error
    inner = [each for each in (error.__cause__, error.__context__, *error.args) if isinstance(each, BaseException)]
    for each in inner[:2]:
        yield from _causes(each)


def _stuck(dialect: Dialect) -> str:
    if dialect.name == "podman":
        return "It is starting, or stuck: systemctl --user restart podman.socket"
    return "It is starting, or stuck: sudo systemctl restart docker"


def _permission(dialect: Dialect) -> str:
    if dialect.name == "podman":
        return "Use your own: systemctl --user enable --now podman.socket"
    return "Join its group and log in again: sudo usermod -aG docker $USER"
