"""The services that a workbench leads to, as the launcher tells them."""

import json
import re
from dataclasses import dataclass
from typing import Any

VARIABLE = "WORKBENCH_SERVICES"
NAME = re.compile(r"(?!\.+\Z)[a-zA-Z0-9._-]+")
"""What can be one step of an address, which `.` and `..` cannot."""


@dataclass(frozen=True, slots=True)
class WebService:
    """A web interface: `host` and `port` are where it answers, `path` what is opened first."""

    name: str
    title: str
    host: str
    port: int
    path: str = "/"
    absolute: bool = False
    """Whether it wants the whole path of a request, the workbench's part included."""

    @property
    def place(self) -> str:
        """Host and port, as in an address."""
        return f"{self.host}:{self.port}"


def read(text: str) -> tuple[WebService, ...]:
    """The services in a JSON list. A malformed one is a ValueError that names the variable."""
    try:
        services = tuple(_service(**each) for each in json.loads(text))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{VARIABLE} must be a JSON list of services: {error}.") from error
    if len({each.name for each in services}) < len(services):
        raise ValueError(f"{VARIABLE} has a name twice.")
    return services


def _service(name: Any, host: Any, port: Any, title: Any = "", path: Any = "/", absolute: Any = False) -> WebService:
    for value in (name, host):
        if not isinstance(value, str) or not NAME.fullmatch(value):
            raise ValueError(f"{value!r} is not a name")
    if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65536:
        raise ValueError(f"{port!r} is not a port")
    if not isinstance(path, str) or not path.startswith("/"):
        raise ValueError(f"{path!r} is not a path that begins with /")
    if not isinstance(title, str) or not isinstance(absolute, bool):
        raise ValueError(f"{name} has a wrong title or absolute")
    return WebService(name, title or name, host, port, path, absolute)
