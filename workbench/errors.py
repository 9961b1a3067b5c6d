"""The error tree. Each error knows what happened, what to do next and its exit code; `show` makes the text."""

import errno
from collections.abc import Sequence
from typing import ClassVar

LAST = 6
"""Lines of another program's own words that an error shows."""


def last_lines(text: str) -> tuple[str, ...]:
    """The last of a program's words, as an error shows them."""
    return tuple(line for line in text.splitlines() if line.strip())[-LAST:]


class WorkbenchError(Exception):
    """A failure that the user can read.

    `message` says what happened in one sentence, `hint` what to do next, `detail` holds the last lines of
    another program's own words (at most six are shown).
    """

    exit_code: ClassVar[int] = 70

    def __init__(self, message: str, hint: str = "", *, detail: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.detail = tuple(detail)
        # For tracebacks, in logs and in tests.
        for line in self.detail:
            self.add_note(line)


class ConfigError(WorkbenchError):
    """A setting is unknown, of a wrong type or contradicts another one."""

    exit_code = 2


class ProjectError(WorkbenchError):
    """The project folder cannot be used: missing, not readable, not writable, or a dependency file is broken."""

    exit_code = 2


class TrustError(WorkbenchError):
    """The project's configuration asks for something of the host that nobody has approved."""

    exit_code = 2


class NoEngineError(WorkbenchError):
    """No engine of the wanted kind answers."""

    exit_code = 3


class EngineError(WorkbenchError):
    """The engine refused or failed: a build, a pull, a port, a name, a full disk."""

    exit_code = 4


class NotReadyError(WorkbenchError):
    """The server did not answer in time, or ended."""

    exit_code = 5


class DockError(WorkbenchError):
    """A remote machine cannot be reached or used."""

    exit_code = 6


def refused_by_system(error: OSError) -> WorkbenchError | None:
    """What the operating system refuses for a reason that is the user's to mend; None for anything else."""
    what = f"{error.strerror}: {error.filename}." if error.filename else f"{error.strerror}."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return EngineError(what, "Free some space; `workbench prune --dry-run` lists what Workbench can remove.")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return ProjectError(what, "Check that the folder is there and that you may write it.")
    return None
