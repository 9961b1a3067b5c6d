"""Where container engines answer: from the environment, Docker's contexts, and the usual sockets. Only reads."""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench import process
from workbench.engines.dialect import Dialect
from workbench.errors import NoEngineError


@dataclass(frozen=True, slots=True)
class Address:
    """Where an engine may answer."""

    url: str
    origin: str = "the usual place"
    """What named it: an environment variable, a Docker context."""
    chosen: bool = False
    """Whether the user named it: then no other place is tried."""
    tls: str = ""
    """Folder with `ca.pem`, `cert.pem` and `key.pem`; empty for none."""
    verify: bool = True

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which Docker's own program reaches it."""
        tls = {"DOCKER_CERT_PATH": self.tls, "DOCKER_TLS_VERIFY": "1" if self.verify else ""} if self.tls else {}
        return {"DOCKER_HOST": self.url, **tls}


def addresses(dialect: Dialect, env: Mapping[str, str]) -> list[Address]:
    """All addresses to try, in order. Empty when there is no sign of the engine."""
    home = Path(env.get("HOME") or Path.home())
    if dialect.name == "podman":
        return podman_addresses(env, home)
    return docker_addresses(env, home)


def docker_addresses(env: Mapping[str, str], home: Path) -> list[Address]:
    """`DOCKER_HOST`, else the context in use, else every usual socket that exists."""
    if url := env.get("DOCKER_HOST"):
        verify = bool(env.get("DOCKER_TLS_VERIFY"))
        folder = env.get("DOCKER_CERT_PATH") or (str(home / ".docker") if verify else "")
        tls = folder if url.startswith("tcp:") else ""
        return [Address(url, "DOCKER_HOST", True, tls, verify or not tls)]
    configuration = Path(env.get("DOCKER_CONFIG") or home / ".docker")
    named = env.get("DOCKER_CONTEXT")
    context = named or _current_context(configuration)
    if context and context != "default":
        return [_context(configuration, context, chosen=bool(named))]
    if sys.platform == "win32":
        return [Address("npipe:////./pipe/docker_engine")]
    return [Address(f"unix://{path}") for path in _docker_sockets(env, home) if path.exists()]


def podman_addresses(env: Mapping[str, str], home: Path) -> list[Address]:
    """`CONTAINER_HOST`, else every usual socket that exists, else the one of Podman's virtual machine."""
    if url := env.get("CONTAINER_HOST"):
        return [Address(url, "CONTAINER_HOST", True)]
    found = [Address(f"unix://{path}") for path in _podman_sockets(env) if _exists(path)]
    machine = _machine_socket() if not found and sys.platform in ("darwin", "win32") else None
    return [*found, *([Address(machine, "the Podman machine")] if machine else [])]


def check(dialect: Dialect, address: Address) -> None:
    """Raise `NoEngineError` for an address that we cannot speak to: a socket there by ssh, or nothing that is known."""
    scheme, mark, rest = address.url.partition("://")
    if scheme == "ssh":
        forward = f"ssh -N -L /tmp/engine.sock:/var/run/docker.sock -- {rest.partition('/')[0]}"
        raise NoEngineError(
            f"{dialect.title}'s address {address.url} (from {address.origin}) is none that can be reached by ssh.",
            f"It looks like ssh://user@host; for another socket there: `{forward}`, and "
            f"{dialect.variable}=unix:///tmp/engine.sock",
        )
    if not mark or not rest or scheme not in ("unix", "tcp", "http", "https", "npipe"):
        raise NoEngineError(
            f"{address.url} (from {address.origin}) is no address of {dialect.title}.",
            "It looks like unix:///var/run/docker.sock or tcp://host:2376.",
        )


def start_hint(dialect: Dialect) -> str:
    """The one command that starts the engine, or where to get it."""
    if not shutil.which(dialect.name):
        return f"Install {dialect.title} ({dialect.install}), or use `--engine local`."
    if sys.platform != "linux":
        command = "podman machine start" if dialect.name == "podman" else "docker desktop start"
    elif not Path("/run/systemd/system").exists():
        command = "podman system service --time=0 &" if dialect.name == "podman" else "sudo dockerd &"
    elif dialect.name == "podman":
        command = f"systemctl {'' if os.getuid() == 0 else '--user '}enable --now podman.socket"
    else:
        command = "sudo systemctl start docker"
    return f"Start it: {command}"


def _docker_sockets(env: Mapping[str, str], home: Path) -> Iterator[Path]:
    yield Path("/var/run/docker.sock")
    yield home / ".docker/run/docker.sock"
    yield home / ".docker/desktop/docker.sock"
    yield _runtime(env) / "docker.sock"


def _podman_sockets(env: Mapping[str, str]) -> Iterator[Path]:
    yield _runtime(env) / "podman/podman.sock"
    yield Path("/run/podman/podman.sock")


def _runtime(env: Mapping[str, str]) -> Path:
    return Path(env.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid() if hasattr(os, 'getuid') else 0}")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except PermissionError:
        # Root's own socket folder, which is not for us.
        return False


def _machine_socket() -> str | None:
    if not shutil.which("podman"):
        return None
    wanted = "{{.ConnectionInfo.PodmanSocket.Path}}"
    done = process.run(("podman", "machine", "inspect", "--format", wanted), timeout=10)
    path = done.out.strip()
    return f"unix://{path}" if done.code == 0 and path.startswith("/") and Path(path).exists() else None


def _current_context(configuration: Path) -> str | None:
    content = _json(configuration / "config.json")
    context = content.get("currentContext")
    return context if isinstance(context, str) else None


def _context(configuration: Path, name: str, *, chosen: bool) -> Address:
    """A Docker context, which Docker keeps in folders named after the SHA-256 of its name."""
    key = hashlib.sha256(name.encode()).hexdigest()
    endpoint = _json(configuration / "contexts/meta" / key / "meta.json").get("Endpoints", {}).get("docker", {})
    if not endpoint.get("Host"):
        raise NoEngineError(
            f"The Docker context {name} does not exist.", "See `docker context ls`; `docker context use default`."
        )
    tls = configuration / "contexts/tls" / key / "docker"
    folder = str(tls) if tls.is_dir() else ""
    return Address(endpoint["Host"], f"the Docker context {name}", chosen, folder, not endpoint.get("SkipTLSVerify"))


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise NoEngineError(f"{path} cannot be read: {error}.", "Repair or remove it.") from error
    return found if isinstance(found, dict) else {}
