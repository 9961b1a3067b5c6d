"""`workbench dock create|start|stop|destroy`: docks that are machines of a cloud."""

import json as json_
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workbench.cli.completion import machines
from workbench.cli.helped import HELP, Command

if TYPE_CHECKING:
    from workbench.cli.terminal import Terminal
    from workbench.docks.cloud import Machine, MachinePlan
    from workbench.docks.life import Fleet, Owned

JSON = click.option("--json", is_flag=True, help="One JSON document on standard output.")
YES = click.option("--yes", "-y", is_flag=True, help="Do not ask.")
WAIT = click.option("--wait", default="5m", metavar="TIME", help="How long to wait until ssh answers; default: 5m.")


@contextmanager
def _at_work(json: bool) -> "Iterator[tuple[Fleet, Terminal]]":
    """The docks of this user, and the terminal; signals end the work in order."""
    from workbench.cli.signals import as_interrupt
    from workbench.cli.terminal import ui
    from workbench.docks.book import book
    from workbench.docks.life import Fleet

    with as_interrupt():
        yield Fleet(book(), Path.home()), ui(0, interactive=not json)


@click.command(
    "create",
    cls=Command,
    context_settings=HELP,
    examples=(
        "box --idle-stop 2h",
        "gpubox --gpu --disk 300",
        "lab --product 'Data science' -p Size=large",
        "box --dry-run  # what it would be, and cost",
    ),
)
@click.argument("name")
@click.option("--provider", default="aws", show_default=True, help="Whose machine.")
@click.option("--type", help="The machine's type; default for aws: t3.large, with --gpu g5.xlarge.")
@click.option("--gpu", is_flag=True, help="One with a GPU of NVIDIA's, its driver and container toolkit.")
@click.option("--disk", type=click.IntRange(8, 16384), metavar="GB", help="Default: 100, with --gpu 200.")
@click.option("--image", help="The machine's image; default: Ubuntu, with --gpu AWS's Deep Learning Base.")
@click.option("--user", help="Who logs in there; default for aws: ubuntu.")
@click.option("--key", type=click.Path(path_type=Path), help="The public key to let in; default: your own.")
@click.option("--from", "allow", metavar="CIDR", help="From where ssh is let in; default: your own address.")
@click.option("--subnet", help="The network to be in; default: the account's default one.")
@click.option("--idle-stop", metavar="TIME", help="Have it stop itself when no workbench was active for so long: 2h.")
@click.option("--product", help="Make this product of the AWS Service Catalog instead.")
@click.option("--parameter", "-p", multiple=True, metavar="KEY=VALUE", help="A parameter of the product.")
@WAIT
@YES
@click.option("--dry-run", is_flag=True, help="Show what would be made, and make nothing.")
@JSON
def create(name: str, json: bool, **given: Any) -> int:
    """Make a machine of a cloud, and put it on the list of docks.

    It has an engine. What will be made, and what it costs, is shown before you agree.
    """
    from workbench.docks import cloud

    patience = cloud.seconds(given["wait"])
    with _at_work(json) as (fleet, terminal):
        maker = fleet.provider(given["provider"])
        plan = maker.complete(_wanted(name, fleet, given))
        price = maker.price(plan)
        if given["dry_run"]:
            click.echo(json_.dumps(_planned(plan, price)) if json else "\n".join(_lines(plan, price)))
            return 0
        for line in _lines(plan, price):
            terminal.note(line)
        if not _agreed("Make it?", given["yes"], terminal):
            return 1
        machine = fleet.create(given["provider"], plan, terminal, patience)
    _tell(name, machine, json, price=price)
    terminal.note(f"Its engine is being installed, which takes some minutes: workbench dock doctor {name}")
    return 0


@click.command("start", cls=Command, context_settings=HELP, examples=("box", "box --from here  # from a new network"))
@click.argument("name", shell_complete=machines)
@click.option("--from", "allow", metavar="CIDR|here", help="Let ssh in from there instead; `here`: where you are now.")
@WAIT
@JSON
def start(name: str, allow: str | None, wait: str, json: bool) -> None:
    """Start a dock that was stopped, or has stopped itself.

    Its new address goes to the list.
    """
    from workbench.docks import cloud, life

    patience = cloud.seconds(wait)
    with _at_work(json) as (fleet, terminal):
        admitted = life.here() if allow == "here" else cloud.network(allow) if allow else ""
        machine = fleet.start(name, terminal, patience, admitted)
    _tell(name, machine, json)


@click.command("stop", cls=Command, context_settings=HELP, examples=("box", "box --json  # for programs"))
@click.argument("name", shell_complete=machines)
@JSON
def stop(name: str, json: bool) -> None:
    """Stop a dock: workbenches on it end, its disk stays.

    A disk costs a little, also while its machine is stopped.
    """
    with _at_work(json) as (fleet, terminal):
        machine = fleet.stop(name, terminal)
    _tell(name, machine, json)


@click.command("destroy", cls=Command, context_settings=HELP, examples=("box", "box --yes  # in scripts"))
@click.argument("name", shell_complete=machines)
@YES
@JSON
def destroy(name: str, yes: bool, json: bool) -> int:
    """Remove a dock with its machine and disk, for ever.

    What is lost is shown before you agree. A machine that was not made here is left alone.
    """
    from workbench.docks import life

    with _at_work(json) as (fleet, terminal):
        found = fleet.owned(name)
        losses = life.lost(found)
        terminal.note(_whole(found))
        for each in losses:
            terminal.note(f"  lost: {each}")
        if not _agreed("Destroy it?" if losses else "Take it off the list?", yes, terminal):
            return 1
        fleet.destroy(found, terminal)
    if json:
        click.echo(json_.dumps({"name": name, "id": found.machine.id, "state": "gone", "lost": list(losses)}))
    else:
        terminal.note(f"{name} is gone.")
    return 0


def _wanted(name: str, fleet: "Fleet", given: dict[str, Any]) -> "MachinePlan":
    """The command line as a plan; what it leaves open the provider fills in."""
    from workbench.docks import cloud, life
    from workbench.docks.book import check_name
    from workbench.errors import ConfigError

    if known := fleet.book.docks().get(check_name(name)):
        raise ConfigError(
            f"{name} is a dock already: {known.host}.", f"Take another name, or: workbench dock rm {name}"
        )
    user = cloud.login(given["user"]) if given["user"] else ""
    if given["product"]:
        return cloud.MachinePlan(name, user=user, product=given["product"], parameters=_pairs(given))
    if given["parameter"]:
        raise ConfigError("--parameter belongs to --product.", "Name the product, or leave the parameter out.")
    return cloud.MachinePlan(
        name,
        key=life.public_key(given["key"], fleet.home),
        allow=cloud.network(given["allow"]) if given["allow"] else life.here(),
        type=given["type"] or "",
        gpu=given["gpu"],
        image=given["image"] or "",
        user=user,
        disk=given["disk"] or 0,
        subnet=given["subnet"] or "",
        idle_stop=cloud.idle_stop(given["idle_stop"]) if given["idle_stop"] else 0,
    )


def _pairs(given: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """The parameters of a product; options that a product has no use for are refused."""
    from workbench.errors import ConfigError

    options = ("type", "gpu", "disk", "image", "key", "allow", "subnet", "idle_stop")
    if idle := [each for each in options if given[each]]:
        flag = "--from" if idle[0] == "allow" else f"--{idle[0].replace('_', '-')}"
        raise ConfigError(f"{flag} has no meaning with --product.", "Give a parameter of the product: --parameter K=V")
    pairs = [each.partition("=") for each in given["parameter"]]
    if wrong := [key for key, equals, _ in pairs if not equals]:
        raise ConfigError(f"{wrong[0]!r} is not KEY=VALUE.", "Write it as --parameter Size=large.")
    return tuple((key, value) for key, _, value in pairs)


def _lines(plan: "MachinePlan", price: float | None) -> list[str]:
    """What will be made, for a person."""
    from workbench import show
    from workbench.docks.life import ALL

    everybody = " (everybody!)" if plan.allow in ALL else ""
    stops = f"when no workbench was active for {show.duration(plan.idle_stop)}" if plan.idle_stop else "never by itself"
    cells = {
        "machine": f"{plan.name}: {plan.type or plan.product}, in {plan.place or '-'}, for {plan.owner or '-'}",
        "has": "; ".join(plan.about),
        "image": plan.image,
        "disk": f"{plan.disk} GB, encrypted" if plan.disk else "",
        "ssh": f"{plan.user}, from {plan.allow}{everybody}" if plan.allow else plan.user,
        "key": " ".join(plan.key.split()[2:])[:60] or plan.key[:40],
        "with": ", ".join(f"{key}={value}" for key, value in plan.parameters),
        "stops": "" if plan.product else stops,
        "costs": "not known"
        if price is None
        else f"${price:.4g} an hour while it runs; its disk also while it does not",
    }
    return [f"{name:8} {text}" for name, text in cells.items() if text]


def _planned(plan: "MachinePlan", price: float | None) -> dict[str, object]:
    from dataclasses import asdict

    return {**asdict(plan), "parameters": dict(plan.parameters), "price": price}


def _whole(found: "Owned") -> str:
    machine = found.machine
    return f"{found.dock.name}: {' '.join(each for each in (machine.type, machine.id, machine.state) if each)}"


def _agreed(question: str, yes: bool, terminal: "Terminal") -> bool:
    from workbench.errors import ConfigError

    answer = True if yes else terminal.ask(question)
    if answer is None:
        raise ConfigError("Nobody is there to agree.", "Agree with the command: --yes")
    if not answer:
        terminal.note("Nothing was done.")
    return answer


def _tell(name: str, machine: "Machine", json: bool, **more: object) -> None:
    if json:
        from dataclasses import asdict

        click.echo(json_.dumps({"name": name, **asdict(machine), **more}))
    else:
        where = f" at {machine.address}" if machine.state == "running" else ""
        click.echo(f"{name} is {machine.state}{where}.", err=True)
