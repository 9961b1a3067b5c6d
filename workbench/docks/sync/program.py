"""unison on the other side: what is there, or ours where that can run there."""

import shlex
from pathlib import Path

from workbench import process
from workbench.docks.sync import unison
from workbench.errors import DockError
from workbench.ssh import Connection

PLACE = '"$HOME"/.local/share/workbench'
OURS = f"{PLACE}/bin/unison"
ASK = f"""sh -c '
for each in unison {OURS}; do
    "$each" -version >/dev/null 2>&1 && printf "%s %s\\n" "$each" "$("$each" -version)"
done
uname -sm
'"""
"""Fixed text: each unison that runs there with its version, and what kind of machine that is."""


def far_program(connection: Connection, here: str, copy: str, name: str) -> str:
    """The command of unison there, for a shell, once the folders are there that it needs."""
    memory = f"{PLACE}/sync/{shlex.quote(name)}"
    done = connection.run(f'umask 077; mkdir -p "$HOME"/{shlex.quote(copy)} {memory} {PLACE}/bin')
    if done.code:
        raise DockError(
            f"The folder of the copy cannot be made on {connection.host}.",
            f"See whether you may write in your home there: ssh {connection.host}",
            detail=done.err.splitlines()[-3:],
        )
    program = _there(connection) or _sent(connection, here)
    return f"env UNISON={memory} UNISONLOCALHOSTNAME=there {program}"


def _there(connection: Connection) -> str:
    for line in connection.run(ASK).out.splitlines():
        program, _, text = line.partition(" ")
        if unison.version(text) >= unison.OLDEST:
            return OURS if "/" in program else program
    return ""


def _sent(connection: Connection, here: str) -> str:
    """Ours, sent there: it needs little but a C library that is not much older than ours."""
    kind = connection.run(ASK).out.splitlines()[-1:]
    if kind == process.run(("uname", "-sm")).out.splitlines():
        feed = connection.feed(f"cat > {OURS}.part && chmod 700 {OURS}.part && mv {OURS}.part {OURS}")
        try:
            feed.write(Path(here).read_bytes())
            feed.finish()
        finally:
            feed.close()
        if found := _there(connection):
            return found
    raise DockError(
        f"unison, which keeps the project and its copy the same, is not on {connection.host}.",
        f"Install it there, version 2.52 or newer: ssh -t {connection.host} sudo apt install unison",
    )
