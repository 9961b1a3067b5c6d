"""`workbench config`: the effective configuration with its origins, its schema, the way from dockerutils.cfg."""

from pathlib import Path

import click

from workbench.cli.helped import Group


@click.group("config", cls=Group, examples=("show", "schema > workbench.schema.json", "migrate --print"))
def config_command() -> None:
    """Show the effective configuration, its origins and its schema."""


@config_command.command("show", examples=("", "~/analysis --json  # of another project, for programs"))
@click.argument("path", required=False, default=".", type=click.Path(path_type=Path, readable=False))
@click.option("--json", is_flag=True, help="One JSON object on standard output.")
def show_settings(path: Path, json: bool) -> None:
    """Print every setting with its value and where it came from."""
    import json as json_

    from workbench import config, project, show
    from workbench.cli.terminal import table
    from workbench.flow import current_environ

    described = config.describe(config.load(project.find(path), current_environ(), {}))
    rows = show.settings_rows(described)
    if json:
        click.echo(json_.dumps({name: {"value": value, "origin": origin} for name, value, origin in rows}))
    else:
        table(("SETTING", "VALUE", "FROM"), rows)


@config_command.command("schema", examples=("", "> workbench.schema.json  # for an editor"))
def schema() -> None:
    """Print the JSON schema of `[tool.workbench]`."""
    import json as json_

    from workbench import config

    click.echo(json_.dumps(config.schema(), indent=2))


@config_command.command("migrate", examples=("--print  # only look", "~/analysis  # another project"))
@click.argument("path", required=False, default=".", type=click.Path(path_type=Path, readable=False))
@click.option("--print", "only_print", is_flag=True, help="Write nothing; print the tables.")
def migrate(path: Path, only_print: bool) -> None:
    """Write docker/dockerutils.cfg as tables of the project's TOML.

    They mean the same; the old file can then go.
    """
    from workbench import project
    from workbench.images import migrate

    migration = migrate.plan(project.find(path))
    if only_print:
        click.echo(migration.text, nl=False)
        return
    migrate.apply(migration)
    click.echo("".join(f"{migration.file.name}: added {header}\n" for header in migration.tables), nl=False)
    click.echo("docker/dockerutils.cfg says nothing more than that now: remove it.")
