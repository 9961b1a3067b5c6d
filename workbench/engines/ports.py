"""Ports of this machine."""

import errno
import socket

from workbench.engines.base import PortTaken
from workbench.errors import EngineError


def need_free(port: int) -> None:
    """Raise `PortTaken` when a server could not listen on this port of 127.0.0.1."""
    with socket.socket() as probe:
        # As servers do: a connection of an ended one that still lingers does not take the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            raise PortTaken(f"Port {port} on 127.0.0.1 is taken.", "Choose another one with `--port`.") from error


def free_port(first: int) -> int:
    """The first port from `first` on that nobody listens on here."""
    for port in range(first, first + 1000):
        try:
            need_free(port)
        except PortTaken:
            continue
        return port
    raise EngineError(f"No free port between {first} and {first + 1000}.", "Name one with --port.")
