"""`workbench prune`: remove what no workbench needs any more."""

from typing import TYPE_CHECKING

import click

from workbench.cli.helped import Command

if TYPE_CHECKING:
    from workbench.model import Leftover

HEAD = ("WHAT", "NAME", "SIZE", "WHY")


@click.command("prune", cls=Command, examples=("--dry-run  # what would go, with sizes", "--yes  # in scripts"))
@click.option("--dry-run", is_flag=True, help="Only list what would go.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--json", is_flag=True, help="One JSON list on standard output.")
def prune_command(dry_run: bool, yes: bool, json: bool) -> None:
    """Remove what no workbench needs any more, once you agree.

    That is: stopped workbenches with their HOME, old images and environments, unused networks. Only what is ours.
    """
    from workbench import show
    from workbench.recreate import projects_at_work
    from workbench.workbenches import asked

    with asked() as engines:
        spared = projects_at_work()
        every = [(engine, leftover) for engine in engines for leftover in engine.leftovers()]
        found = [each for each in every if each[1].kind != "container" or each[1].project not in spared]
        _list([leftover for _, leftover in found], json=json)
        if dry_run or not found:
            return
        if not yes and not click.confirm("Remove all of this?", err=True):
            return
        for engine, leftover in found:
            engine.delete(leftover)
        freed = sum(leftover.size or 0 for _, leftover in found)
        click.echo(f"Removed {len(found)}, {show.size(freed)} freed.", err=True)


def _list(found: "list[Leftover]", *, json: bool) -> None:
    import json as json_
    from dataclasses import asdict

    from workbench import show
    from workbench.cli.terminal import table

    if json:
        click.echo(json_.dumps([asdict(leftover) for leftover in found]))
    elif found:
        table(HEAD, (show.leftover_row(leftover) for leftover in found))
    else:
        click.echo("Nothing to remove.", err=True)
