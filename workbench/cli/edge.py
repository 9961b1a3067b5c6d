"""The edge of every command: errors become text and an exit code here, and nowhere else."""

import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

import click

from workbench.errors import ConfigError, WorkbenchError, refused_by_system

INTERRUPTED = 130


def run(command: Callable[[], object], *, json: bool = False) -> NoReturn:
    """Run a command to its exit code. With `json` a failure is one JSON document on standard output."""
    try:
        code = command()
    except WorkbenchError as error:
        sys.exit(_fail(error, json))
    except click.ClickException as error:
        sys.exit(_misused(error, json))
    except (KeyboardInterrupt, click.Abort):
        click.echo("\nInterrupted.", err=True)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # The reader (`| head`) has had enough: not a failure. Nothing more can be written, not even at exit.
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        sys.exit(_fail(refused_by_system(error) or _defect(), json))
    except Exception:  # anything else is a defect of ours, and must leave something to report
        sys.exit(_fail(_defect(), json))
    sys.exit(code if isinstance(code, int) else 0)


def _misused(error: click.ClickException, json: bool) -> int:
    """A command line that click refuses: its own words, with the usage."""
    if json:
        _fail(ConfigError(error.format_message(), "See its `--help`."), json)
    else:
        error.show()
    return error.exit_code


def _fail(error: WorkbenchError, json: bool) -> int:
    from workbench import show

    click.echo(show.error_json(error) if json else show.error(error), err=not json)
    return error.exit_code


def _defect() -> WorkbenchError:
    """What the user is told of a failure that nobody foresaw."""
    try:
        return WorkbenchError(
            "Something unexpected happened: a defect of Workbench.", f"Please report it with {_kept()}."
        )
    except OSError as unwritable:
        last = traceback.format_exc().splitlines()
        return WorkbenchError("Something unexpected happened.", f"No log could be kept: {unwritable}.", detail=last)


def _kept() -> object:
    """Keep the traceback in the user's state folder (0600); its path."""
    from workbench.state import State, state_root

    root = state_root()
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    return State(root).write_text("error.log", f"{sys.argv[1:]}\n{traceback.format_exc()}")
