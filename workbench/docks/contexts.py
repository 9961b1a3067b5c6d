"""Docker's contexts and docks: a context that goes by ssh is a dock, and a dock can be a context."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from workbench import process, ssh
from workbench.errors import ConfigError, DockError, EngineError
from workbench.ssh import Host

SCHEME = "ssh://"


def host_of(url: str) -> Host | None:
    """The machine of `ssh://[USER@]HOST[:PORT]`; None for another address, and for one that names a socket there."""
    try:
        parts = urlsplit(url)
        if parts.scheme != "ssh" or parts.path.strip("/") or parts.query or parts.fragment or parts.password:
            return None
        return ssh.host(parts.netloc)
    except (ValueError, DockError):
        return None


def url_of(host: Host) -> str:
    """The address of a machine's engine, as Docker has it."""
    user, at, machine = host.destination.rpartition("@")
    bracketed = f"[{machine}]" if ":" in machine else machine
    return f"{SCHEME}{user}{at}{bracketed}{'' if host.port is None else f':{host.port}'}"


def by_ssh(environ: Mapping[str, str] = os.environ) -> dict[str, Host]:
    """The contexts of this user that go by ssh. What cannot be read is none of them."""
    found: dict[str, Host] = {}
    for path in sorted((_configuration(environ) / "contexts/meta").glob("*/meta.json")):
        name, url = _endpoint(path)
        # Docker finds a context by its folder, whatever the file says.
        if name and path.parent.name == _key(name) and (host := host_of(url)):
            found[name] = host
    return found


def unusable(name: str, environ: Mapping[str, str] = os.environ) -> str:
    """The address of the context of this name, where it goes by ssh and is none that we can use; otherwise empty."""
    _, url = _endpoint(_configuration(environ) / "contexts/meta" / _key(name) / "meta.json")
    return url if url.startswith(SCHEME) and host_of(url) is None else ""


def make(name: str, host: Host) -> tuple[str, ...] | None:
    """Have a context of this name that goes there: the command that made it, None where it was there already.

    Raises ConfigError where another one has the name.
    """
    there = process.run(("docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}", name))
    if there.code == 0:
        if host_of(there.out.strip()) == host:
            return None
        raise ConfigError(
            f"Docker has a context {name} already, which goes to {there.out.strip()}.",
            f"Remove it: docker context rm {name}",
        )
    where = ("--docker", f"host={url_of(host)}")
    command = ("docker", "context", "create", name, *where, "--description", f"The dock {name}, by workbench")
    done = process.run(command)
    if done.code:
        raise EngineError(
            "Docker could not make the context.",
            "Correct what these lines name, then run the same command again.",
            detail=done.err.splitlines()[-3:],
        )
    return command


def _configuration(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("DOCKER_CONFIG") or Path(environ.get("HOME") or Path.home()) / ".docker")


def _key(name: str) -> str:
    """Docker names the folder of a context after the SHA-256 of its name."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


def _endpoint(path: Path) -> tuple[str, str]:
    try:
        found: Any = json.loads(path.read_text("utf-8"))
        return str(found["Name"]), str(found["Endpoints"]["docker"]["Host"])
    except (OSError, ValueError, KeyError, TypeError):
        return "", ""
