"""`workbench doctor`: what a launch would find on this machine, and how to mend what is missing."""

import json as json_

import click

from workbench.cli.helped import Command


@click.command("doctor", cls=Command, examples=("", "--json  # for programs"))
@click.option("--json", is_flag=True, help="One JSON list on standard output.")
def doctor_command(json: bool) -> int:
    """Say what a launch would find here, and how to fix what is missing."""
    from workbench.checks import check
    from workbench.flow import current_environ

    checks = list(check(current_environ()))
    if json:
        click.echo(
            json_.dumps([{"what": each.what, "ok": each.ok, "found": each.found, "fix": each.fix} for each in checks])
        )
    else:
        for each in checks:
            click.echo(f"{'✓' if each.ok else '✗'} {each.what}: {each.found}")
            if each.fix:
                click.echo(f"    → {each.fix}")
    return 0
