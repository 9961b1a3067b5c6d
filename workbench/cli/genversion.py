"""`genversion`: the version from git, in a file for containers without `.git`."""

from pathlib import Path

import click

from workbench import __version__


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("path", required=False, default=".", type=click.Path(path_type=Path, readable=False))
@click.version_option(__version__, "--version", prog_name="genversion")
def genversion(path: Path) -> None:
    """Write the version that the project takes from git into a file, for containers without `.git`.

    With versioneer that is _version.py.bld, for an image's _version.py; with setuptools-scm and hatch-vcs it is
    _version.env.bld, the variable that their builds read.
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
