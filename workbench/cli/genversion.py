"""`genversion`: the version from git, in a file for containers without `.git`."""

from pathlib import Path

import click

from workbench import __version__
from workbench.cli.helped import HELP, Command


@click.command(cls=Command, context_settings=HELP, examples=("", "~/analysis  # of another project"))
@click.argument("path", required=False, default=".", type=click.Path(path_type=Path, readable=False))
@click.version_option(__version__, "--version", prog_name="genversion")
def genversion(path: Path) -> None:
    """Write the version from git into a file, for images without `.git`.

    It is for a project that takes its version from there. With versioneer the file is _version.py.bld, for an image's
    _version.py; with setuptools-scm and hatch-vcs it is _version.env.bld, the variable that their builds read.
    """
    from workbench import project
    from workbench.images import version

    found = project.find(path)
    written = version.generate(found)
    click.echo(f"{written[0]}: {written[1]}" if written else f"{found.root.name} does not take its version from git.")


def main() -> None:
    """The `genversion` command."""
    from workbench.cli import edge

    edge.run(lambda: genversion(standalone_mode=False, prog_name="genversion"))
