"""Ports of this machine."""

import errno
import socket

from workbench.engines.base import PortTaken


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
