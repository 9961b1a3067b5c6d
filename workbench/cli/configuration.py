"""`workbench config`: the effective configuration with its origins, and its schema."""

from pathlib import Path

import click


@click.group("config")
def config_command() -> None:
    """Show the effective configuration and its schema."""


@config_command.command("show")
@click.argument("path", required=False, default=".", type=click.Path(path_type=Path, readable=False))
@click.option("--json", is_flag=True, help="One JSON object on standard output.")
def show_settings(path: Path, json: bool) -> None:
    """Print every setting with its value and where it came from."""
    import json as json_

    from workbench import config, project, show
    from workbench.launch import current_environ

    described = config.describe(config.load(project.find(path), current_environ(), {}))
    rows = show.settings_rows(described)
    if json:
        click.echo(json_.dumps({name: {"value": value, "origin": origin} for name, value, origin in rows}))
    else:
        click.echo(show.table(("SETTING", "VALUE", "FROM"), rows))


@config_command.command("schema")
def schema() -> None:
    """Print the JSON schema of `[tool.workbench]`."""
    import json as json_

    from workbench import config

    click.echo(json_.dumps(config.schema(), indent=2))
